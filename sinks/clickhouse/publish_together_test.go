package clickhouse_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/facesoft/lapse/sinks"
)

// ClickHouse settles what a REPLACE PARTITION replaces a moment before it does so: of
// two at the same moment neither may replace what the other one brings.
func TestPublishedAtTheSameMomentIsPublishedOnce(t *testing.T) {
	t.Parallel()
	const workers, rounds = 4, 25
	s, o := store(t)
	var rows []visit
	for i := range 12 {
		rows = append(rows, visit{user: fmt.Sprint("u", i%6), path: "/a", country: "GB"})
	}
	insert(t, s, 1, rows)
	var stages []sinks.Staged
	for range workers {
		staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{day(0)})
		if err != nil {
			t.Fatal(err)
		}
		stages = append(stages, staged)
	}
	for round := range rounds {
		var group sync.WaitGroup
		for _, staged := range stages {
			group.Go(func() {
				if err := staged.Publish(t.Context(), day(0)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := query(t, o, "SELECT count() FROM visits")[0][0].(uint64); n != 12 {
			t.Fatalf("round %d: %d rows are published, and not 12", round, n)
		}
	}
}
