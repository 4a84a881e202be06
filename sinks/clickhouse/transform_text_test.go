package clickhouse_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// onlyColumn is the policy above that publishes one column, v.
func onlyColumn(column string) string {
	head, _, _ := strings.Cut(visits, "    publish:\n")
	return head + "      - {name: latitude, type: Float64, from: latitude, field: c.f, identifies: indirectly}\n" +
		"    publish:\n      k: 2\n      columns: [{name: v, " + column + "}]\n      chain: [{}]\n"
}

// TestTextsArePublishedAsTheyAreGeneralised publishes texts that two people have by
// single transforms.
func TestTextsArePublishedAsTheyAreGeneralised(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]map[string]string{
		"{ip_prefix: [24, 48]}": {"198.18.7.9": "198.18.7.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "unknown": "", "198.18.8.0": ""}, // somebody's whole address
		"{ip_prefix: [20, 56]}": {"198.18.23.9": "198.18.16.0/20", "2001:db8:1:2ff::3": "2001:db8:1:200::/56"},
		"{ip_prefix: [30, 64]}": {"198.18.23.9": "198.18.23.8/30", "2001:db8:1:2:3::4": "2001:db8:1:2::/64"},
		"{ip_prefix: [0, 0]}":   {"198.18.23.9": "0.0.0.0/0", "2001:db8::4": "::/0"},
		"url_without_query": {"https://me:pw@shop.example:8443/a/b?q=1#f": "https://shop.example:8443/a/b", "/a/b#f": "/a/b", "//cdn.example/x?y": "//cdn.example/x",
			"https://me:p\xffw@shop.example/a": "https://shop.example/a", "\xff/a": "\uFFFD/a"},
		"url_path": {"https://shop.example/a/b?q=1#f": "/a/b", "/a/b?q": "/a/b", "https://shop.example?q=/me": "", "https://shop.example#/me/5": "", "/in?to=https://shop.example/me": "/in",
			"https://me:p\xffw@shop.example/a": "/a", "//cdn.example/x": "//cdn.example/x"},
		"url_route": {"https://shop.example/o/17/items/5f7c8e0a9b1c2d3e4f5a": "/o/:id/items/:id", "/about": "/about", "/a/1/2/3b/": "/a/:id/:id/3b/",
			"/mail/me@shop.example/x": "/mail/:id/x", "/" + strings.Repeat("é", 39): "/" + strings.Repeat("é", 39), "/" + strings.Repeat("é", 40): "/:id", "/a-long-name-of-an-article": "/a-long-name-of-an-article",
			"https://me:p\xffw@shop.example?q=/me": ""},
		"url_section": {"https://shop.example/a/b?q=1#f": "/a", "/a": "/a", "": "/"},
		"url_host": {"https://shop.example:8443/a": "shop.example", "http://198.18.0.7/a": "(address)", "https://me@255.249.199.99:8443/x?y": "(address)", "//10.0.0.0": "(address)",
			"http://1.2.3/a": "1.2.3", "http://1.2.3.4.5/": "1.2.3.4.5", "http://198.18.0.7.example/": "198.18.0.7.example", "http://shop.198.18.0.7x/": "shop.198.18.0.7x", "": ""},
		"major":                      {"17.4.1": "17", "17": "17", "": ""},
		"before_hyphen":              {"en-GB": "en", "pt_BR": "pt", "fr": "fr"},
		"{columns: [country, path]}": {"London": "GB/London", "": "GB/"},
		"{columns: [country]}":       {"London": "GB", "Leeds": "GB"},
	} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			var rows []visit
			published := map[string]uint64{}
			for text, to := range want {
				for person := range 2 {
					rows = append(rows, visit{user: fmt.Sprint("person", person), visitor: map[bool]string{true: "198.18.8.0"}[text == "198.18.8.0"], path: text, country: "GB"})
				}
				if text != "198.18.8.0" {
					published[to] += 2
				}
			}
			if got := publishedTexts(t, "from: path, levels: ["+level+"]", rows, nil); !maps.Equal(got, published) {
				t.Errorf("published %v, want %v", got, published)
			}
		})
	}
}

// publishedTexts publishes rows, with latitudes or without, and returns what is published and
// how often.
func publishedTexts(t *testing.T, column string, rows []visit, latitudes []float64) map[string]uint64 {
	t.Helper()
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(onlyColumn(column))))
	b := block(1, rows)
	if latitudes != nil {
		c := &sinks.Column{Name: "latitude", Type: "Float64", Width: 8}
		for _, l := range latitudes {
			c.AppendFloat(l)
		}
		b.Columns = append(b.Columns, c)
	}
	if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	publish(t, s, day(0))
	got := map[string]uint64{}
	for _, row := range query(t, o, "SELECT v, count() FROM visits GROUP BY v") {
		got[row[0].(string)] = row[1].(uint64)
	}
	return got
}

// A number, as of a coordinate, lies in the cell whose edges are what people write, not a hair
// beside it.
func TestNumbersAreGivenByTheirCells(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]map[float64]string{
		"{bands: [0, 10, 50]}": {-0.5: "<0", 0: "0 to <10", 9.5: "0 to <10", 10: "10 to <50", 50: "50+"},
		"{grid: 0.1}":          {51.3: "51.3", 51.507: "51.5", -0.1276: "-0.2", 0.05: "0", 0.3: "0.3"},
		"{grid: 0.5}":          {51.507: "51.5", -0.1276: "-0.5", 51.49: "51"},
		"{grid: 10}":           {51.507: "50", -0.1276: "-10", 9.99: "0"},
	} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			var rows []visit
			var latitudes []float64
			published := map[string]uint64{}
			for latitude, to := range want {
				for person := range 2 {
					rows, latitudes = append(rows, visit{user: fmt.Sprint("u", person)}), append(latitudes, latitude)
				}
				published[to] += 2
			}
			if got := publishedTexts(t, "from: latitude, levels: ["+level+"]", rows, latitudes); !maps.Equal(got, published) {
				t.Errorf("published %v, want %v", got, published)
			}
		})
	}
}

// What is rare is so by the people who have it, not by rows, and on each day by itself.
func TestRareValuesAreThoseOfFewPeople(t *testing.T) {
	t.Parallel()
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(onlyColumn("from: country, levels: [{rare: 3}]"))))
	r := rand.New(rand.NewPCG(3, 3))
	var rows []visit
	for range 300 {
		v := visit{day: r.IntN(2), user: fmt.Sprint("u", r.IntN(30)), country: []string{"GB", "DE", "FR", "PT"}[r.IntN(4)]}
		switch v.country {
		case "FR": // always of the same two people, one of whom is a visitor at times
			v.user, v.visitor = []string{"u1", "u2", ""}[r.IntN(3)], "v1"
			if v.user == "u2" {
				v.visitor = ""
			}
		case "PT": // of two people on one day, of many on the other
			v.user = fmt.Sprint("u", r.IntN(2+v.day*20))
		}
		rows = append(rows, v)
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0), day(1))
	want := map[string]uint64{}
	for _, v := range rows {
		to := v.country
		if v.country == "FR" || v.country == "PT" && v.day == 0 {
			to = "other"
		}
		want[fmt.Sprint(v.day, to)]++
	}
	got := map[string]uint64{}
	for _, row := range query(t, o, "SELECT toString(day - toDate('2024-01-01')), v, count() FROM visits GROUP BY ALL") {
		got[fmt.Sprint(row[0], row[1])] = row[2].(uint64)
	}
	if !maps.Equal(got, want) {
		t.Errorf("published %v, want %v", got, want)
	}
}
