package clickhouse_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestTransformsPublishWhatTheySay publishes rows of two people by single transforms, and
// compares with what each of them has to give, worked out here.
func TestTransformsPublishWhatTheySay(t *testing.T) {
	t.Parallel()
	const rows = 12
	born := func(i int) time.Time { return time.Date(1999, 12, 26+i, 0, 0, 0, 0, time.UTC) } // over the end of a year
	monday := func(at time.Time) time.Time { return at.AddDate(0, 0, -(int(at.Weekday())+6)%7) }
	coded := func(i int) string {
		switch {
		case i%2 == 1:
			return "" // not known
		case i < 4:
			return "<4"
		case i >= 8:
			return "8+"
		}
		return fmt.Sprint(i)
	}
	saturday := newYear.AddDate(0, 0, 33) // 3 February 2024
	for column, c := range map[string]struct {
		from, level, read string
		want              func(i int) string
	}{
		"week":        {"at", "week", "formatDateTime(v, '%F')", func(int) string { return "2024-01-29" }},
		"month":       {"at", "month", "formatDateTime(v, '%F')", func(int) string { return "2024-02-01" }},
		"born_week":   {"born", "week", "v", func(i int) string { return monday(born(i)).Format(time.DateOnly) }},
		"born_month":  {"born", "month", "v", func(i int) string { return born(i).Format("2006-01-") + "01" }},
		"coded":       {"ms", "{coded: [4, 8]}", "v", coded},
		"constant":    {"country", `{constant: "it's {withheld:String}"}`, "v", func(int) string { return "it's {withheld:String}" }},
		"constant_no": {"ms", "{constant: withheld}", "v", func(int) string { return "withheld" }},
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			head, _, _ := strings.Cut(visits, "    publish:\n")
			policy := head + "      - {name: born, type: Date, from: born, field: c.f, identifies: indirectly}\n    publish:\n      k: 2\n" +
				fmt.Sprintf("      columns: [{name: v, from: %s, levels: [%s]}]\n      chain: [{}]\n", c.from, c.level)
			s, o := sinktest.Store(t, sinktest.Policy(t, []byte(policy)))
			want := map[string]uint64{}
			for person := range 2 {
				in := make([]visit, rows)
				for i := range in {
					in[i] = visit{day: 33, hour: i, user: fmt.Sprint("u", person), country: fmt.Sprint("c", i)}
					want[c.want(i)]++
				}
				b := block(uint64(person+1), in)
				days := &sinks.Column{Name: "born", Type: "Date", Width: 2}
				for i := range in {
					days.AppendUint(uint64(born(i).Unix() / 86400))
				}
				b.Columns = append(b.Columns, days)
				if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
					t.Fatal(err)
				}
			}
			at := sinks.Partition{Day: sinks.DayOf(saturday)}
			if p := publish(t, s, at)[at]; p.Suppressed != 0 {
				t.Errorf("%d rows were suppressed", p.Suppressed)
			}
			got := map[string]uint64{}
			for _, row := range query(t, o, "SELECT "+c.read+" AS value, count() FROM visits GROUP BY value") {
				got[row[0].(string)] = row[1].(uint64)
			}
			if !maps.Equal(got, want) {
				t.Errorf("published %v, want %v", got, want)
			}
		})
	}
}
