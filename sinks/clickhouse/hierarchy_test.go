package clickhouse_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// withHierarchy is the policy of visits with a hierarchy on the country, from a file.
func withHierarchy(t *testing.T, rows [][]string, publication string) *config.Policy {
	t.Helper()
	folder := t.TempDir()
	f, err := os.Create(filepath.Join(folder, "h.csv"))
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	w.Comma = ';'
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(visits, "    publish:\n")
	p, err := config.ParsePolicy(filepath.Join(folder, "policy.yaml"), []byte(head+"    publish:\n"+publication))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// notSQL are values that must not be taken for parts of a statement.
var notSQL = []string{"O'Brien", `back\slash`, "semi;colon", "{brace:String}", "new\nline", "Łódź", `"quoted"`, "", "\\'"}

func TestHierarchyIsAppliedValueByValue(t *testing.T) {
	t.Parallel()
	var rows [][]string
	for i, v := range notSQL {
		rows = append(rows, []string{v, fmt.Sprint(notSQL[i/2*2], "/group"), `all'of\them`, "*"})
	}
	for level := range 4 {
		t.Run(fmt.Sprint("level ", level), func(t *testing.T) {
			t.Parallel()
			s, o := sinktest.Store(t, withHierarchy(t, rows, fmt.Sprintf(`
      k: 2
      columns: [{name: country, from: country, hierarchy: h.csv}]
      chain: [{country: %d}]
`, level)))
			want := map[string]uint64{}
			var in []visit
			for i, v := range append(slices.Clone(notSQL), "not in it", "*") {
				for person := range 2 {
					in = append(in, visit{user: fmt.Sprint("u", person), country: v})
				}
				published := "*"
				if i < len(rows) {
					published = rows[i][level]
				}
				want[published] += 2
			}
			insert(t, s, 1, in)
			if p := publish(t, s, day(0))[day(0)]; p.Suppressed != 0 {
				t.Errorf("%d rows suppressed", p.Suppressed)
			}
			got := map[string]uint64{}
			for _, row := range query(t, o, "SELECT country, count() FROM visits GROUP BY country") {
				got[row[0].(string)] = row[1].(uint64)
			}
			for v, n := range want {
				if got[v] != n {
					t.Errorf("%q: %d rows published, want %d", v, got[v], n)
				}
			}
			if len(got) != len(want) {
				t.Errorf("published %v, want %v", got, want)
			}
		})
	}
}

func TestHierarchyOfNumbersAndMissingValues(t *testing.T) {
	t.Parallel()
	s, o := sinktest.Store(t, withHierarchy(t, [][]string{{"0", "low", "*"}, {"2", "low", "*"}, {"4", "high", "*"}, {"", "none", "*"}}, `
      k: 2
      columns: [{name: ms, from: ms, hierarchy: h.csv}]
      chain: [{ms: 1}]
`))
	var in []visit // every second has the milliseconds 0, 2, 4, …, the others have none
	for i := range 12 {
		in = append(in, visit{user: fmt.Sprint("u", i)})
	}
	insert(t, s, 1, in)
	publish(t, s, day(0))
	got := map[string]uint64{}
	for _, row := range query(t, o, "SELECT ms, count() FROM visits GROUP BY ms") {
		got[row[0].(string)] = row[1].(uint64)
	}
	// 4 is a class of one and suppressed; 6, 8 and 10 are not in the hierarchy.
	if len(got) != 3 || got["low"] != 2 || got["none"] != 6 || got["*"] != 3 {
		t.Errorf("%v", got)
	}
}

// So many values are too many to stand in the text of a statement.
func TestHierarchyOfManyValuesIsApplied(t *testing.T) {
	t.Parallel()
	var rows [][]string
	for i := range 20_000 {
		rows = append(rows, []string{fmt.Sprintf("%s-%05d", strings.Repeat("x", 20), i), fmt.Sprint("group ", i/100), "*"})
	}
	s, o := sinktest.Store(t, withHierarchy(t, rows, `
      k: 2
      columns:
        - {name: country, from: country, hierarchy: h.csv}
        - {name: page, from: path, levels: [url_path, any]}
      chain: [{}, {page: 1}, {country: 1}, {country: 2}]
`))
	insert(t, s, 1, []visit{{user: "a", country: rows[777][0]}, {user: "b", country: rows[701][0]}})
	if p := publish(t, s, day(0))[day(0)]; p.Published != 2 {
		t.Errorf("%d rows published", p.Published)
	}
	if got := query(t, o, "SELECT DISTINCT country FROM visits"); len(got) != 1 || got[0][0] != "group 7" {
		t.Errorf("%v", got)
	}
}

func TestRowsAreReadAsWhatTheyBecomeAtEachLevel(t *testing.T) {
	t.Parallel()
	s, _ := sinktest.Store(t, withHierarchy(t, [][]string{{"GB", "Europe", "*"}, {"FR", "Europe", "*"}}, `
      k: 2
      suppression_limit: 4%
      columns:
        - {name: country, from: country, hierarchy: h.csv}
        - {name: page, from: path, levels: [url_path, url_section, any]}
        - {name: hour, from: at, levels: [hour, day]}
        - {name: spent, from: ms, sensitive: {distinct_l: 2}}
      chain: [{}]
`))
	in := []visit{
		{user: "a", visitor: "v", country: "GB", path: "/x/1?q", hour: 3},
		{visitor: "v", country: "DE", path: "/x/2"},
		{user: "b", country: "FR", path: "/y"},
		{day: 1, user: "a", country: "FR", path: "/y", hour: 23},
	}
	insert(t, s, 1, in)
	rows, err := s.ReadLevels(t.Context(), "visits", []sinks.Partition{day(1), day(0)})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows.Subjects) != 4 || len(rows.Columns) != 3 || len(rows.Sensitive) != 1 {
		t.Fatalf("%+v", rows)
	}
	got := map[string]bool{}
	people, spent := map[uint64][]int{}, map[uint64]int{}
	for row := range rows.Subjects {
		text := fmt.Sprint(rows.Partitions[row])
		for i, values := range rows.Columns {
			text += fmt.Sprintf(" %q", values[rows.Values[i][row]])
		}
		got[text] = true
		people[rows.Subjects[row]] = append(people[rows.Subjects[row]], row)
		spent[rows.Sensitive[0][row]]++
	}
	for _, want := range []string{
		`1 ["GB" "Europe" "*"] ["/x/1" "/x" "*"] ["2024-01-01 03:00:00" "2024-01-01 00:00:00"]`,
		`1 ["*" "*" "*"] ["/x/2" "/x" "*"] ["2024-01-01 00:00:00" "2024-01-01 00:00:00"]`,
		`1 ["FR" "Europe" "*"] ["/y" "/y" "*"] ["2024-01-01 00:00:00" "2024-01-01 00:00:00"]`,
		`0 ["FR" "Europe" "*"] ["/y" "/y" "*"] ["2024-01-02 23:00:00" "2024-01-02 00:00:00"]`,
	} {
		if !got[want] {
			t.Errorf("%s is missing of %v", want, got)
		}
	}
	if len(people) != 2 { // the visitor is tied to the user that was seen with it
		t.Errorf("%d people", len(people))
	}
	if len(spent) != 3 { // 0, 2, and nothing twice
		t.Errorf("%d sensitive values", len(spent))
	}
}
