package clickhouse_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// words are what the statements call things themselves, and some of SQL's own.
var words = []string{
	"partition", "subject", "level", "batch", "event_time", "class", "class_0", "text", "word", "identifier", "stronger", "weaker",
	"tied_in", "rows", "link1", "n", "people", "personal", "published", "bytes", "record", "time", "count", "table", "day", "closed_at", "last_record_at", "size",
}

// The columns of a policy are its own to name, those of the published tables too.
func TestColumnsMayHaveAnyName(t *testing.T) {
	t.Parallel()
	columns := []string{"at", "user", "visitor", "path", "country", "ms"}
	for shift := 0; shift < len(words); shift += 2 { // each word in three of the six places
		t.Run(fmt.Sprint(shift), func(t *testing.T) {
			t.Parallel()
			names := map[string]string{}
			for i, c := range columns {
				names[c] = words[(shift+5*i)%len(words)]
			}
			if names["country"] == "day" || names["ms"] == "day" { // these are published, and every published table has a day
				t.Skip("not a name the policy may use")
			}
			s, _ := sinktest.Store(t, sinktest.Policy(t, []byte(renamed(names))))
			rows := []visit{
				{user: "a", visitor: "v", path: "/p/1", country: "GB"}, {visitor: "v", path: "/p/1", country: "GB"}, {user: "b", path: "/p/2", country: "GB"},
				{user: "c", path: "/p/3", country: "GB"}, {user: "d", path: "/q"}, {day: 1, user: "e", path: "/p"},
			}
			b := block(1, rows)
			for _, c := range b.Columns {
				c.Name = names[c.Name]
			}
			if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
				t.Fatal(err)
			}
			stats, err := s.Partitions(t.Context(), "visits", day(1).Day)
			if err != nil || len(stats) != 1 || stats[0].Rows != 5 || stats[0].Subjects != 5 { // without the ties
				t.Errorf("%v: %+v: %v", names, stats, err)
			}
			pubs := publish(t, s, day(0), day(1))
			p := pubs[day(0)]
			want := sinks.KResult{K: 3, Classes: 1, Smallest: 3}
			if p.Rows != 5 || p.Subjects != 4 || p.Published != 4 || p.Suppressed != 1 || p.Generalised != 4 || p.K != want {
				t.Errorf("%v: %+v", names, p)
			}
			if p := pubs[day(1)]; p.Published != 0 || p.Suppressed != 1 {
				t.Errorf("%v: %+v", names, p)
			}
			if status, err := s.Status(t.Context()); err != nil || status.Datasets[0].Personal != 6 || status.Datasets[0].Published != 4 {
				t.Errorf("%v: %+v, %v", names, status, err)
			}
		})
	}
}

var columnName = regexp.MustCompile(`(name: |subject: \[|, |time: |from: )(at|user|visitor|path|country|ms)\b`)

// renamed returns the policy with other names for its columns.
func renamed(names map[string]string) string {
	head, body, _ := strings.Cut(visits, "datasets:")
	return head + "datasets:" + columnName.ReplaceAllStringFunc(body, func(match string) string {
		parts := columnName.FindStringSubmatch(match)
		return parts[1] + names[parts[2]]
	})
}
