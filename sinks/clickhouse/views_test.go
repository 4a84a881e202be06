package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// viewing is the visits' policy with views.
var viewing = visits + `      views:
        - {name: traffic, description: visits a day, by: [day]}
        - {name: speed, description: how fast pages are, by: [page], measures: [ms], quantiles: [0.5, 0.99]}
        - {name: returning, description: countries that come back, returning: country}
`

// TestViewsAnswerWhatTheyDescribe computes what the views say from the visits themselves.
func TestViewsAnswerWhatTheyDescribe(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	s := reopen(t, o, viewing)
	for range 2 { // the second time nothing is to be done
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var rows []visit
	for i := range 10 {
		for _, v := range []visit{{day: 0, country: "GB"}, {day: 1, country: "GB"}, {day: 40, country: "GB"}, {day: 40, country: "FR"}} {
			v.user, v.path = fmt.Sprint("u", i), "/p"
			rows = append(rows, v)
		}
	}
	insert(t, s, 1, rows)
	publish(t, s, day(0), day(1), day(40))
	for sql, want := range map[string]string{
		"SELECT toString(day), records FROM traffic ORDER BY day":                                                "[[2024-01-01 10] [2024-01-02 10] [2024-02-10 20]]",
		"SELECT page, records, ms_count, ms_mean, ms_p99 BETWEEN 37 AND 38, ms_p50 BETWEEN 17 AND 20 FROM speed": "[[/p 40 20 19 1 1]]",
		"SELECT toString(first_month), months_later, values FROM returning ORDER BY ALL":                         "[[2024-01-01 0 1] [2024-01-01 1 1] [2024-02-01 0 1]]",
	} {
		columns, got, err := clickhouse.QueryAnalytics(t.Context(), o, sql)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s: %v", columns, got, want, err)
		}
	}
	tables, err := clickhouse.Dictionary(sinktest.Policy(t, []byte(viewing)), o.Databases)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range tables[0].Views {
		var live []string
		for _, row := range query(t, o, fmt.Sprintf("SELECT name FROM system.columns WHERE database = '%s' AND table = '%s' ORDER BY position", o.Databases.Analytics, v.Name)) {
			live = append(live, row[0].(string))
		}
		if !slices.Equal(live, v.Columns) {
			t.Errorf("%s is described with %q, and has %q", v.Name, v.Columns, live)
		}
	}
}

// TestViewsAreThoseOfThePolicy has views come, change and go with the policy, and refuses
// one that somebody has put in a view's place.
func TestViewsAreThoseOfThePolicy(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	prepare := func(policy string) error { return reopen(t, o, policy).Prepare(t.Context()) }
	columns := func() string {
		return fmt.Sprint(query(t, o, fmt.Sprintf("SELECT groupArray(name) FROM system.columns WHERE database = '%s' AND table = 'traffic'", o.Databases.Analytics)))
	}
	if err := prepare(viewing); err != nil || columns() != "[[[day records]]]" {
		t.Fatalf("%s: %v", columns(), err)
	}
	if err := prepare(strings.Replace(viewing, "by: [day]", "by: [day, country]", 1)); err != nil || columns() != "[[[day country records]]]" {
		t.Errorf("%s: %v", columns(), err)
	}
	for range 2 {
		if err := prepare(visits); err != nil || columns() != "[[[]]]" {
			t.Errorf("views that the policy has no more: %s: %v", columns(), err)
		}
	}
	execute(t, o, statement(o, "CREATE VIEW {published}.own AS SELECT page FROM {published}.visits COMMENT 'of an analyst; from visits'"))
	if err := prepare(visits); err == nil || !strings.Contains(err.Error(), "own is not registered in the policy") {
		t.Errorf("a view that somebody else has made: %v", err)
	}
	execute(t, o, statement(o, "DROP VIEW {published}.own"))
	execute(t, o, statement(o, "CREATE OR REPLACE VIEW {published}.traffic AS SELECT user FROM {personal}.visits"))
	if err := prepare(viewing); err != nil || columns() != "[[[day records]]]" {
		t.Errorf("%s: %v", columns(), err)
	}
	comment := query(t, o, fmt.Sprintf("SELECT comment FROM system.tables WHERE database = '%s' AND name = 'traffic'", o.Databases.Analytics))[0][0]
	execute(t, o, statement(o, fmt.Sprintf("CREATE OR REPLACE VIEW {published}.traffic AS SELECT user FROM {personal}.visits COMMENT '%s'", comment)))
	if err := prepare(viewing); err == nil || !strings.Contains(err.Error(), "derived from personal tables") {
		t.Errorf("a view of personal rows under the name and comment of another: %v", err)
	}
}
