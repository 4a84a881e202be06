package kanon

import (
	"strings"
	"testing"
)

func TestLevelsThatSplitAGroupAreNoticed(t *testing.T) {
	t.Parallel()
	c, err := NewColumn("route", [][]string{
		{"/1/a", "/:id/a", "/1", "*"},
		{"/2/a", "/:id/a", "/2", "*"},
		{"/2/b", "/:id/b", "/2", "*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for l, want := range []bool{false, true, false, true} { // of the finest it is not asked
		if c.levels[l].nests != want {
			t.Errorf("level %d: nests is %v", l, c.levels[l].nests)
		}
	}
	if c.Levels() != 4 || c.Values() != 3 || c.Weight != DefaultWeight {
		t.Errorf("%d levels of %d values with the weight %v", c.Levels(), c.Values(), c.Weight)
	}
}

func TestFaultyHierarchiesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows [][]string
		want string
	}{
		"no value":            {nil, "is empty"},
		"no level":            {[][]string{{}}, "is empty"},
		"a row that is short": {[][]string{{"a", "*"}, {"b"}}, "1 levels in row 2 and 2 in row 1"},
		"a row twice":         {[][]string{{"a", "*"}, {"b", "*"}, {"a", "*"}}, "rows 1 and 3 of the hierarchy of \"age\" are the same"},
	} {
		if _, err := NewColumn("age", c.rows); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// small is a table of four rows in one column.
func small(t *testing.T) *Table {
	t.Helper()
	c, err := NewColumn("age", [][]string{{"1", "*"}, {"2", "*"}})
	if err != nil {
		t.Fatal(err)
	}
	return &Table{
		Columns: []*Column{c}, Values: [][]uint32{{0, 0, 0, 1}},
		Sensitive: []Sensitive{{Name: "illness", Values: []uint64{0, 1, 1, 2}}},
	}
}

func TestFaultyProblemsAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Table, *Requirement, *Loss){
		"there is no quasi-identifying column":           func(t *Table, _ *Requirement, _ *Loss) { t.Columns = nil },
		"there are no rows":                              func(t *Table, _ *Requirement, _ *Loss) { t.Values[0] = nil },
		"1 columns are described and 2 have values":      func(t *Table, _ *Requirement, _ *Loss) { t.Values = append(t.Values, nil) },
		"row 4 has the value 7":                          func(t *Table, _ *Requirement, _ *Loss) { t.Values[0][3] = 7 },
		"1 of 4 rows have a subject":                     func(t *Table, _ *Requirement, _ *Loss) { t.Subjects = []uint64{1} },
		"1 of 4 rows have a partition":                   func(t *Table, _ *Requirement, _ *Loss) { t.Partitions = []uint32{1} },
		"1 of 4 rows have a value for \"illness\"":       func(t *Table, _ *Requirement, _ *Loss) { t.Sensitive[0].Values = []uint64{1} },
		"the weight of \"age\" is 2":                     func(t *Table, _ *Requirement, _ *Loss) { t.Columns[0].Weight = 2 },
		"nothing is required":                            func(_ *Table, r *Requirement, _ *Loss) { r.K = 1 },
		"the suppression limit is 4; it is a share":      func(_ *Table, r *Requirement, _ *Loss) { r.SuppressionLimit = 4 },
		"there is no sensitive column 1":                 func(_ *Table, r *Requirement, _ *Loss) { r.Closeness = []Closeness{{Sensitive: 1}} },
		"t is 1.5 for \"illness\"":                       func(_ *Table, r *Requirement, _ *Loss) { r.Closeness = []Closeness{{T: 1.5}} },
		"\"much\" is no kind of l-diversity":             func(_ *Table, r *Requirement, _ *Loss) { r.Diversity = []Diversity{{Kind: "much", L: 2}} },
		"l is 2.5 for \"illness\"; it is a number":       func(_ *Table, r *Requirement, _ *Loss) { r.Diversity = []Diversity{{Kind: Distinct, L: 2.5}} },
		"c is 0 for \"illness\"":                         func(_ *Table, r *Requirement, _ *Loss) { r.Diversity = []Diversity{{Kind: Recursive, L: 2}} },
		"\"beauty\" is no measure of loss":               func(_ *Table, _ *Requirement, l *Loss) { l.Measure = "beauty" },
		"\"median\" is no aggregate function":            func(_ *Table, _ *Requirement, l *Loss) { l.Aggregate = "median" },
		"the balance is -1":                              func(_ *Table, _ *Requirement, l *Loss) { l.Balance = -1 },
		"suppression counts nothing but suppressed rows": func(_ *Table, _ *Requirement, l *Loss) { l.Measure, l.CountSuppressed = Suppression, false },
	} {
		table, requirement, loss := small(t), Requirement{K: 2}, LossOf(NonUniformEntropy)
		change(table, &requirement, &loss)
		if _, err := New(table, requirement, loss); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
