package clickhouse_test

import (
	"fmt"
	"testing"

	"github.com/facesoft/lapse/sinks"
)

// Only an erasure from nearly all parts has them written anew without a look first: one
// from a few of them must leave the others alone.
func TestErasureLooksFirstUnlessPeopleAreEverywhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		days int  // that ann visits, of 40
		all  bool // days are asked for
		want bool
	}{
		"on all days": {days: 40, all: true, want: true}, "on nearly all": {days: 38, all: true, want: true},
		"not on enough": {days: 37, all: true}, "on one": {days: 1, all: true}, "only one is asked for": {days: 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			var visits []visit
			var asked []sinks.Partition
			for n := range 40 {
				who := "ann"
				if n >= c.days {
					who = "bob"
				}
				visits = append(visits, visit{day: n, user: who})
				if c.all || n == 0 {
					asked = append(asked, day(n))
				}
			}
			insert(t, s, 1, visits)
			rows, left, err := s.ErasePeople(t.Context(), "visits", asked, sinks.People{Persons: []sinks.Person{person("ann")}}, newYear)
			if err != nil || !left.Proven() || len(rows) != min(c.days, len(asked)) {
				t.Fatalf("%d partitions, left %+v: %v", len(rows), left, err)
			}
			stored := query(t, o, statement(o, "SELECT count() FROM {personal}.visits"))[0][0]
			if want := 40 - len(rows); fmt.Sprint(stored) != fmt.Sprint(want) {
				t.Errorf("%v rows are left, want %d", stored, want)
			}
			anew := query(t, o, "SELECT countIf(command LIKE '%MATERIALIZE INDEX%') FROM system.mutations WHERE table = 'visits' AND database = '"+o.Databases.Telemetry+"'")[0][0]
			if want := map[bool]string{true: "1", false: "0"}[c.want]; fmt.Sprint(anew) != want {
				t.Errorf("%v mutations wrote all parts anew, want %s", anew, want)
			}
		})
	}
}
