package jobs_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// stage is a job with what comes before it.
type stage struct {
	name string
	asOf time.Time
	job  func(*worker) jobs.Job
}

// stages are the jobs in the order in which a site sees them.
func stages(s *site) []stage {
	return []stage{
		{"ingest", end(1), func(w *worker) jobs.Job { return w.ingestJob(s.input()) }},
		{"anonymise", end(40), func(w *worker) jobs.Job { return w.anonymiseJob() }},
		{"purge", end(40), func(w *worker) jobs.Job { return w.purgeJob() }},
	}
}

// prepared is a site at which the first n jobs are done.
func prepared(t *testing.T, input *generated, n int) *site {
	t.Helper()
	s := newSite(t, config.Facesoft)
	s.receive(input, end(1))
	for _, stage := range stages(s)[:n] {
		s.must(stage.job(s.worker), stage.asOf)
	}
	return s
}

// I7 does not rest on locks: three workers that know nothing of each other's locks
// do the same job at once, and the state is that of one. A long run (LAPSE_SOAK) has
// them do so twenty times.
func TestJobBesideItselfEndsAsAlone(t *testing.T) {
	t.Parallel()
	times := 1
	if os.Getenv("LAPSE_SOAK") != "" {
		times = 20
	}
	for n, stage := range stages(&site{}) {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			want := prepared(t, handful(12), n+1).state()
			for i := range times {
				t.Run(fmt.Sprint(i), func(t *testing.T) { threeAtOnce(t, n, want) })
			}
		})
	}
}

// threeAtOnce has three workers do one of the jobs.
func threeAtOnce(t *testing.T, n int, want string) {
	together := prepared(t, handful(12), n)
	var group sync.WaitGroup
	for range 3 {
		w := together.newWorker(nil)
		stage := stages(together)[n]
		group.Go(func() {
			if _, err := w.run(t.Context(), stage.job(w), stage.asOf); err != nil {
				t.Errorf("one of them: %v", err)
			}
		})
	}
	group.Wait()
	if got := together.state(); got != want {
		t.Errorf("together:\n%s\nalone:\n%s", got, want)
	}
	together.pairsUp()
}

// pairsUp checks that every intent has an outcome, every outcome an intent before
// it, and every run an end.
func (s *site) pairsUp() {
	s.Helper()
	open := map[string]int{}
	for _, e := range s.audited() {
		key := fmt.Sprint(e.Action, e.Step)
		if e.Phase == sinks.Intent {
			open[key]++
			continue
		}
		if _, announced := open[key]; !announced {
			s.Errorf("%s has an outcome and no intent", e.Action)
		}
		open[key] = 0
		if e.Result == sinks.ResultFailed || e.Result == sinks.ResultPartial {
			s.Errorf("%s: %s, %s", e.Action, e.Result, e.Error)
		}
	}
	for key, n := range open {
		if n > 0 {
			s.Errorf("%s was announced, and has no outcome", key)
		}
	}
}

// moments are the statements of each job after which it matters most who comes along;
// the soak tries all of them.
var moments = map[string][]string{
	"ingest":    {"known_records", "insert_block", "stored_rows"},
	"anonymise": {"insert_seals", "stage_rows", "count_stage", "publish_partition", "insert_publications", "drop_partitions"},
	"purge":     {"items_by_id", "insert_tombstones", "list_forgotten", "erase_subjects"},
}

// At any statement of a job another worker comes along, does the whole of it and
// goes. The first one goes on as if nothing had happened.
func TestJobOvertakenAtAnyStatementEndsAsAlone(t *testing.T) {
	t.Parallel()
	for n, stage := range stages(&site{}) {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel()
			alone := prepared(t, handful(2), n)
			seen := map[string]bool{}
			w := alone.newWorker(func(statement string) { seen[statement] = true })
			job := stages(alone)[n]
			w.must(job.job(w), job.asOf)
			want := alone.state()
			statements := moments[stage.name]
			if os.Getenv("LAPSE_SOAK") != "" {
				statements = slices.Sorted(maps.Keys(seen))
			}
			for _, statement := range statements {
				if !seen[statement] {
					t.Errorf("the job does not execute %q", statement)
				}
				t.Run(statement, func(t *testing.T) {
					t.Parallel()
					overtaken(t, n, statement, want)
				})
			}
		})
	}
}

func overtaken(t *testing.T, n int, statement, want string) {
	s := prepared(t, handful(2), n)
	stage := stages(s)[n]
	second := s.newWorker(nil)
	var once sync.Once
	first := s.newWorker(func(name string) {
		if name == statement {
			once.Do(func() {
				if _, err := second.run(t.Context(), stage.job(second), stage.asOf); err != nil {
					t.Errorf("the second one: %v", err)
				}
			})
		}
	})
	if _, err := first.run(t.Context(), stage.job(first), stage.asOf); err != nil {
		t.Errorf("the first one: %v", err)
	}
	if got := s.state(); got != want {
		t.Errorf("overtaken:\n%s\nalone:\n%s", difference(got, want), difference(want, got))
	}
	s.pairsUp()
}

// difference returns the lines of a that b does not have.
func difference(a, b string) string {
	lines := strings.Split(b, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(a, "\n"), func(line string) bool { return slices.Contains(lines, line) }), "\n")
}
