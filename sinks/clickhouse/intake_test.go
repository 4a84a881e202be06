package clickhouse_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// threeDays are some visits on each of three days.
func threeDays() []visit {
	var rows []visit
	for n := range 30 {
		rows = append(rows, visit{day: n % 3, hour: n % 24, user: fmt.Sprint("u", n), path: "/p"})
	}
	return rows
}

// held counts a store's personal rows by day of 2024.
func held(t *testing.T, o clickhouse.Options) map[string]uint64 {
	t.Helper()
	days := map[string]uint64{}
	for _, row := range query(t, o, statement(o, "SELECT toString(toDate(at)), count() FROM {personal}.visits GROUP BY 1")) {
		days[row[0].(string)] = row[1].(uint64)
	}
	return days
}

// filter returns b with the rows for which keep is true.
func filter(b *sinks.Block, keep func(i int) bool) *sinks.Block {
	kept := make([]bool, b.Rows())
	for i := range kept {
		kept[i] = keep(i)
	}
	batches := b.Batches
	b.Filter(kept)
	b.Batches = batches[:b.Rows()]
	return b
}

var tenEach = map[string]uint64{"2024-01-01": 10, "2024-01-02": 10, "2024-01-03": 10}

func TestBlockIsStoredOnceUnderItsToken(t *testing.T) {
	t.Parallel()
	rows := threeDays()
	for name, before := range map[string]func() *sinks.Block{
		"nothing is there":       func() *sinks.Block { return nil },
		"all of it is there":     func() *sinks.Block { return block(1, rows) },
		"one partition is there": func() *sinks.Block { return filter(block(1, rows), func(i int) bool { return i%3 == 0 }) },
		"two partitions are":     func() *sinks.Block { return filter(block(1, rows), func(i int) bool { return i%3 > 0 }) },
		"the last one alone is":  func() *sinks.Block { return filter(block(1, rows), func(i int) bool { return i%3 == 2 }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			token := sinks.NewID()
			if b := before(); b != nil {
				if err := s.Insert(t.Context(), b, token); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := s.Insert(t.Context(), block(1, rows), token); err != nil {
					t.Fatal(err)
				}
			}
			if got := held(t, o); !maps.Equal(got, tenEach) {
				t.Errorf("holds %v, want %v", got, tenEach)
			}
		})
	}
}

// After an interruption, ingest sends only what is not known yet, under the token
// of the whole.
func TestInterruptedBlockIsCompletedByTheRestOfIt(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	rows, token := threeDays(), sinks.NewID()
	if err := s.Insert(t.Context(), filter(block(1, rows), func(i int) bool { return i%3 == 1 }), token); err != nil {
		t.Fatal(err)
	}
	whole := block(1, rows)
	known, err := s.Known(t.Context(), "visits", whole.Records, day(0).Day, day(2).Day)
	if err != nil || len(known) != 10 {
		t.Fatalf("%d records are known: %v", len(known), err)
	}
	rest := filter(whole, func(i int) bool { _, found := known[whole.Records[i]]; return !found })
	for range 2 {
		if err := s.Insert(t.Context(), rest, token); err != nil {
			t.Fatal(err)
		}
	}
	if got := held(t, o); !maps.Equal(got, tenEach) {
		t.Errorf("holds %v, want %v", got, tenEach)
	}
}

func TestBlockIsStoredOnceByManyAtOnce(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	rows := threeDays()
	var tokens [8]sinks.ID
	for i := range tokens {
		tokens[i] = sinks.NewID()
	}
	var group errgroup.Group
	for range 4 {
		s, err := clickhouse.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		group.Go(func() error {
			for i, token := range tokens {
				if err := s.Insert(t.Context(), block(uint64(i), rows), token); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"2024-01-01": 80, "2024-01-02": 80, "2024-01-03": 80}
	if got := held(t, o); !maps.Equal(got, want) {
		t.Errorf("holds %v, want %v", got, want)
	}
}

// What was dropped is forgotten, its tokens too: a file that is restored and read
// again may not vanish silently.
func TestTokenOfADroppedPartitionCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	rows, token := threeDays(), sinks.NewID()
	if err := s.Insert(t.Context(), block(1, rows), token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Drop(t.Context(), "visits", []sinks.Partition{day(1)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Insert(t.Context(), block(1, rows), token); err != nil {
		t.Fatal(err)
	}
	if got := held(t, o); !maps.Equal(got, tenEach) {
		t.Errorf("holds %v, want %v", got, tenEach)
	}
}

func TestKnownTellsOriginsWithinTheDays(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	rows := []visit{{day: 0, user: "a"}, {day: 1, hour: 0, user: "b"}, {day: 3, hour: 23, user: "c"}, {day: 4, user: "d"}}
	insert(t, s, 7, rows)
	insert(t, s, 8, rows[1:2])
	seven, eight := block(7, rows), block(8, rows[1:2])
	asked := append(slices.Clone(seven.Records), eight.Records[0], sinks.NewID())
	known, err := s.Known(t.Context(), "visits", asked, day(1).Day, day(3).Day)
	if err != nil {
		t.Fatal(err)
	}
	want := map[sinks.ID]sinks.RowOrigin{
		seven.Records[1]: {Source: 7, Position: 1}, seven.Records[2]: {Source: 7, Position: 2}, eight.Records[0]: {Source: 8, Position: 0},
	}
	if !maps.Equal(known, want) {
		t.Errorf("known %v, want %v", known, want)
	}
	if _, err := s.Known(t.Context(), "no such", asked, 0, 0); err == nil {
		t.Error("a dataset that the policy does not have was looked into")
	}
}

func TestStoredRowsCountsOneSourceByDay(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	const top = 1<<64 - 1 // identifiers of sources use all bits
	insert(t, s, top, threeDays())
	insert(t, s, 2, threeDays()[:7])
	want := map[sinks.Day]uint64{day(0).Day: 10, day(1).Day: 10, day(2).Day: 10}
	for first := range 3 {
		got, err := s.StoredRows(t.Context(), "visits", top, day(first).Day, day(2).Day)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("from day %d: %v, %v", first, got, err)
		}
		delete(want, day(first).Day)
	}
}

func TestLedgerRemembersTheLatestStateOfASource(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	source := sinks.Source{
		Digest: sinks.NewID(), State: sinks.SourcePending, Path: "a 'quoted' \\ path\n", Format: "segment", Bytes: 1 << 40,
		Run: sinks.NewID(), AsOf: newYear.Add(1234567 * time.Millisecond),
	}
	if _, found, err := s.Source(t.Context(), source.Digest); err != nil || found {
		t.Fatalf("found before it was recorded: %v", err)
	}
	record(t, s, source)
	source.State, source.Run = sinks.SourceComplete, sinks.NewID()
	source.Days = []sinks.SourceDay{
		{Read: 4, Quarantined: 3, Refused: 1},
		{Dated: true, Day: day(0).Day, Read: 10, Stored: 5, Quarantined: 1, Refused: 1, Duplicate: 3},
		{Dated: true, Day: day(40).Day, Read: 1, Stored: 1},
		{Dated: true, Day: 0, Read: 2, Duplicate: 2}, // 1970-01-01 is a day like any other
	}
	record(t, s, source)
	got := recorded(t, s, source.Digest)
	if !sameSource(got, source) {
		t.Errorf("recorded %+v, got %+v", source, got)
	}
	record(t, s, got) // recording the same again has no effect
	if again := recorded(t, s, source.Digest); !sameSource(again, source) {
		t.Errorf("recorded %+v, got %+v", source, again)
	}
	sum, err := s.Account(t.Context())
	if err != nil || sum != (sinks.SourceDay{Read: 17, Stored: 6, Quarantined: 4, Refused: 2, Duplicate: 5}) {
		t.Errorf("the account of all sources is %+v: %v", sum, err)
	}
	status, err := s.Status(t.Context())
	if err != nil || status.Sources != 1 || status.Unfinished != 0 {
		t.Errorf("%+v: %v", status, err)
	}
}

func TestEmptyAndAbandonedSourcesAreRememberedToo(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for _, state := range []sinks.SourceState{sinks.SourceComplete, sinks.SourceAbandoned, sinks.SourcePending} {
		source := sinks.Source{Digest: sinks.NewID(), State: state, Path: "p", Run: sinks.NewID(), AsOf: newYear}
		record(t, s, source)
		if got := recorded(t, s, source.Digest); !sameSource(got, source) {
			t.Errorf("recorded %+v, got %+v", source, got)
		}
	}
}

func TestAccountThatDoesNotAddUpIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for _, wrong := range []sinks.SourceDay{{Read: 1}, {Stored: 1}, {Dated: true, Read: 5, Stored: 5, Duplicate: 1}} {
		source := sinks.Source{Digest: sinks.NewID(), State: sinks.SourceComplete, Days: []sinks.SourceDay{{Read: 1, Stored: 1}, wrong}}
		if err := s.RecordSource(t.Context(), source); !errors.Is(err, sinks.ErrVerification) {
			t.Errorf("%+v: %v", wrong, err)
		}
		if _, found, err := s.Source(t.Context(), source.Digest); found || err != nil {
			t.Errorf("%+v was recorded all the same: %v", wrong, err)
		}
	}
}

func record(t *testing.T, s *clickhouse.Store, source sinks.Source) {
	t.Helper()
	if err := s.RecordSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
}

func recorded(t *testing.T, s *clickhouse.Store, digest sinks.ID) sinks.Source {
	t.Helper()
	got, found, err := s.Source(t.Context(), digest)
	if err != nil || !found {
		t.Fatalf("not found: %v", err)
	}
	return got
}

// sameSource compares two sources; the days may be in any order.
func sameSource(a, b sinks.Source) bool {
	days := func(s sinks.Source) map[sinks.SourceDay]bool {
		m := map[sinks.SourceDay]bool{}
		for _, d := range s.Days {
			m[d] = true
		}
		return m
	}
	return a.Digest == b.Digest && a.State == b.State && a.Path == b.Path && a.Format == b.Format && a.Bytes == b.Bytes &&
		a.Run == b.Run && a.AsOf.Equal(b.AsOf) && len(a.Days) == len(b.Days) && maps.Equal(days(a), days(b))
}
