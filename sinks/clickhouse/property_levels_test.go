package clickhouse_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

func everything(visited, *partition) string { return "*" }

func path(r visited, _ *partition) string { return r.path }

func section(r visited, _ *partition) string { return "/" + strings.Split(r.path, "/")[1] }

// rare leaves what at least n people of the partition have.
func rare(n int, value func(visited, *partition) string) level {
	return level{fmt.Sprintf("{rare: %d}", n), func(r visited, in *partition) string {
		own := value(r, in)
		if in.people(func(other visited) string { return value(other, in) }, own) < n {
			return "other"
		}
		return own
	}}
}

func randomHour(*rand.Rand) classColumn {
	at := func(hour func(visited) int) func(visited, *partition) string {
		return func(r visited, in *partition) string {
			return fmt.Sprintf("%s %02d:00:00", in.rows[0].partition().Day, hour(r))
		}
	}
	return classColumn{name: "hour", from: "at", levels: []level{
		{"hour", at(func(r visited) int { return r.hour })}, {"day", at(func(visited) int { return 0 })},
	}}
}

// pageLevels are ways to generalise a path.
var pageLevels = []classColumn{
	{levels: []level{{"url_path", path}, {"url_section", section}, {"any", everything}}},
	{levels: []level{{"url_route", func(r visited, _ *partition) string {
		segments := strings.Split(r.path, "/")
		if strings.Trim(segments[2], "0123456789") == "" {
			segments[2] = ":id"
		}
		return strings.Join(segments, "/")
	}}, {"url_section", section}, {"{constant: somewhere}", func(visited, *partition) string { return "somewhere" }}}},
	{levels: []level{{"url_without_query", path}, rare(4, path), rare(9, path), {"any", everything}}},
	{levels: []level{rare(3, path), {"url_section", section}, rare(12, section), {"any", everything}}},
	{levels: []level{
		{"{columns: [country, path]}", func(r visited, _ *partition) string { return r.country + "/" + r.path }},
		{"{columns: [country]}", func(r visited, _ *partition) string { return r.country }}, {"any", everything},
	}},
}

func init() {
	for i := range pageLevels {
		pageLevels[i].name, pageLevels[i].from = "page", "path"
	}
}

func randomPage(r *rand.Rand) classColumn { return pageLevels[r.IntN(len(pageLevels))] }

// ofNumber generalises a number that may not be known.
func ofNumber(of func(int) string) func(visited, *partition) string {
	return func(r visited, _ *partition) string {
		if r.ms < 0 {
			return ""
		}
		return of(r.ms)
	}
}

func randomNumber(r *rand.Rand) classColumn {
	keep := ofNumber(func(n int) string { return fmt.Sprint(n) })
	band := ofNumber(func(n int) string {
		switch {
		case n < 100:
			return "<100"
		case n < 300:
			return "100-299"
		}
		return "300+"
	})
	levels := [][]level{
		{{"{bands: [100, 300]}", band}, {"any", everything}},
		{{"{grid: 40}", ofNumber(func(n int) string { return fmt.Sprint(n / 40 * 40) })}, {"{grid: 200}", ofNumber(func(n int) string { return fmt.Sprint(n / 200 * 200) })}},
		{{"{coded: [6, 8]}", ofNumber(func(n int) string {
			switch {
			case n < 6:
				return "<6"
			case n >= 8:
				return "8+"
			}
			return fmt.Sprint(n)
		})}, rare(3, keep)},
		{{"keep", keep}, rare(2, keep), {"{bands: [100, 300]}", band}, rare(30, band)},
	}
	levels[2][1] = rare(3, levels[2][0].of)
	return classColumn{name: "ms", from: "ms", levels: levels[r.IntN(len(levels))]}
}

func randomCountry(r *rand.Rand) classColumn {
	keep := func(r visited, _ *partition) string { return r.country }
	rows := map[string][]string{"GB": {"GB", "Isles", "Europe"}, "DE": {"DE", "Continent", "Europe"}}
	ofRow := func(l int) func(visited, *partition) string {
		return func(r visited, _ *partition) string {
			if row, ok := rows[r.country]; ok {
				return row[l]
			}
			return "*"
		}
	}
	return []classColumn{
		{name: "country", from: "country", levels: []level{{"keep", keep}, {"any", everything}}},
		{name: "country", from: "country", levels: []level{{"keep", keep}, rare(10, keep), {"any", everything}}},
		{name: "country", from: "country", hierarchy: "[[GB, Isles, Europe], [DE, Continent, Europe]]", levels: []level{{"", ofRow(0)}, {"", ofRow(1)}, {"", ofRow(2)}}},
	}[r.IntN(3)]
}
