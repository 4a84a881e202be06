package clickhouse_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// insertOpen stores visits as ingest does: each in the open batch of its day.
func insertOpen(t *testing.T, s *clickhouse.Store, source uint64, rows []visit) {
	t.Helper()
	b := block(source, rows)
	open, err := s.OpenBatches(t.Context(), "visits", b.Days)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range b.Days {
		b.Batches[i] = open[d]
	}
	if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
}

// batch is a partition of rows that came late.
func batch(n int, batch uint32) sinks.Partition {
	return sinks.Partition{Day: day(n).Day, Batch: batch}
}

func TestRowThatComesLateGoesIntoTheNextBatch(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	insertOpen(t, s, 1, []visit{{day: 0}, {day: 0}, {day: 1}})
	seal := func(p ...sinks.Partition) {
		t.Helper()
		if err := s.Seal(t.Context(), "visits", p); err != nil {
			t.Fatal(err)
		}
	}
	seal(day(0))
	seal(day(0)) // again has no effect
	insertOpen(t, s, 2, []visit{{day: 0}, {day: 1}, {day: 2}})
	seal(batch(0, 1), day(1))
	insertOpen(t, s, 3, []visit{{day: 0}, {day: 1}, {day: 2}})
	open, err := s.OpenBatches(t.Context(), "visits", []sinks.Day{day(2).Day, day(0).Day, day(1).Day, day(0).Day})
	if want := map[sinks.Day]uint32{day(0).Day: 2, day(1).Day: 1, day(2).Day: 0}; err != nil || !maps.Equal(open, want) {
		t.Errorf("open batches %v, want %v: %v", open, want, err)
	}
	stats, err := s.Partitions(t.Context(), "visits", day(3).Day)
	if err != nil {
		t.Fatal(err)
	}
	got := map[sinks.Partition]uint64{}
	for _, p := range stats {
		got[p.Partition] = p.Rows
	}
	want := map[sinks.Partition]uint64{day(0): 2, batch(0, 1): 1, batch(0, 2): 1, day(1): 2, batch(1, 1): 1, day(2): 2}
	if !maps.Equal(got, want) {
		t.Errorf("partitions %v, want %v", got, want)
	}
	if open, err := s.OpenBatches(t.Context(), sinks.QuarantineDataset, []sinks.Day{day(0).Day}); err != nil || open[day(0).Day] != 0 {
		t.Errorf("sealing one dataset sealed another: %v %v", open, err)
	}
}

// A day that was published takes nothing from its late rows, and they nothing
// from it.
func TestLateBatchIsPublishedByItself(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	insertOpen(t, s, 1, []visit{{user: "a", path: "/p"}, {user: "b", path: "/p"}, {user: "c", path: "/p"}})
	if err := s.Seal(t.Context(), "visits", []sinks.Partition{day(0)}); err != nil {
		t.Fatal(err)
	}
	publish(t, s, day(0))
	insertOpen(t, s, 2, []visit{{user: "d", path: "/p"}, {user: "e", path: "/p"}})
	if late := publish(t, s, batch(0, 1))[batch(0, 1)]; late.Rows != 2 || late.Published != 0 || late.Suppressed != 2 {
		t.Errorf("%d rows of two people, %d published: the class is not large enough by itself", late.Rows, late.Published)
	}
	insertOpen(t, s, 3, []visit{{user: "f", path: "/p"}})
	publish(t, s, batch(0, 1))
	got := query(t, o, "SELECT lapse_batch, count() FROM visits GROUP BY 1 ORDER BY 1")
	if len(got) != 2 || got[0][1] != uint64(3) || got[1][1] != uint64(3) {
		t.Errorf("published rows by batch: %v", got)
	}
	holdings, err := s.Holdings(t.Context(), "visits", []sinks.Partition{day(0), batch(0, 1), batch(0, 2)})
	want := map[sinks.Partition]sinks.Holding{day(0): {Personal: 3, Published: 3}, batch(0, 1): {Personal: 3, Published: 3}, batch(0, 2): {}}
	if err != nil || !maps.Equal(holdings, want) {
		t.Errorf("holdings %v, want %v: %v", holdings, want, err)
	}
}

func TestPartitionsTellsWhatIsDueAndWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	complete, pending, abandoned := sinks.NewID(), sinks.NewID(), sinks.NewID()
	insert(t, s, complete.Bits(), []visit{{day: 0, user: "a", visitor: "v"}, {day: 0, user: "a", visitor: "w"}, {day: 0, visitor: "v"}, {day: 1, user: "b"}, {day: 2, hour: 23, user: "c"}})
	insert(t, s, pending.Bits(), []visit{{day: 1, user: "b"}, {day: 1, user: "c"}})
	insert(t, s, abandoned.Bits(), []visit{{day: 0, user: "d"}})
	record(t, s, sinks.Source{Digest: complete, State: sinks.SourceComplete})
	record(t, s, sinks.Source{Digest: pending, State: sinks.SourcePending})
	record(t, s, sinks.Source{Digest: abandoned, State: sinks.SourceAbandoned})
	got, err := s.Partitions(t.Context(), "visits", day(2).Day)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []sinks.PartitionStats{
		{Partition: day(0), Rows: 4, Subjects: 3}, // people without their ties: a, v and d
		{Partition: day(1), Rows: 3, Subjects: 2, Unfinished: 2},
	} {
		if i >= len(got) {
			t.Fatalf("only %d partitions", len(got))
		}
		if got[i].Bytes == 0 {
			t.Errorf("%s: no size", got[i].Partition)
		}
		if got[i].Bytes = 0; got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
	if len(got) > 2 {
		t.Errorf("%d partitions; the last is not due", len(got))
	}
	record(t, s, sinks.Source{Digest: pending, State: sinks.SourceComplete})
	if got, err = s.Partitions(t.Context(), "visits", day(2).Day); err != nil || got[1].Unfinished != 0 {
		t.Errorf("%+v: %v", got, err)
	}
}

// parts lists the parts of a table by their partition, in whatever state.
func parts(t *testing.T, o clickhouse.Options, table string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, row := range query(t, o, statement(o, "SELECT partition_id, count() FROM (SELECT partition_id, database, table FROM system.parts UNION ALL SELECT partition_id, database, table FROM system.detached_parts) "+
		"WHERE database = '"+o.Databases.Telemetry+"' AND table = '"+table+"' GROUP BY 1")) {
		found[row[0].(string)] = int(row[1].(uint64))
	}
	return found
}

func TestDropLeavesNoPartOfAnyKind(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	for source := range uint64(3) { // three parts a partition
		insert(t, s, source, threeDays())
	}
	// A reader keeps the parts alive beyond the drop; it sleeps so that it is still there.
	var reader errgroup.Group
	reading := make(chan struct{})
	reader.Go(func() error {
		close(reading)
		_, _, err := clickhouse.QueryAnalytics(t.Context(), o, statement(o, "SELECT count() FROM {personal}.visits WHERE NOT ignore(sleepEachRow(0.02))"))
		return err
	})
	<-reading
	// And a mutation that never ends well keeps them waiting.
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits DELETE WHERE toUInt8(path) = 1 SETTINGS mutations_sync = 0"))
	left, err := s.Drop(t.Context(), "visits", []sinks.Partition{day(0), day(2), day(9)})
	if err != nil {
		t.Fatal(err)
	}
	for p, a := range left {
		if !a.Proven() {
			t.Errorf("%s: %+v", p, a)
		}
	}
	if len(left) != 3 {
		t.Errorf("an answer for %d partitions, want 3", len(left))
	}
	if got := parts(t, o, "visits"); len(got) != 1 || got["20240102-0"] == 0 {
		t.Errorf("parts left: %v", got)
	}
	if got, want := held(t, o), map[string]uint64{"2024-01-02": 30}; !maps.Equal(got, want) {
		t.Errorf("holds %v, want %v", got, want)
	}
	if err := reader.Wait(); err != nil {
		t.Error(err)
	}
	if left, err = s.Drop(t.Context(), "visits", []sinks.Partition{day(0)}); err != nil || !left[day(0)].Proven() {
		t.Errorf("dropping what is not there: %v, %v", left, err)
	}
}

// A part that somebody has detached still holds the rows. Only its owner knows why
// it is there, so it is reported and not removed.
func TestDetachedPartIsNotTakenForAbsence(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	insert(t, s, 1, threeDays())
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits DETACH PARTITION ID '20240101-0'"))
	insert(t, s, 2, threeDays())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // nobody removes it in the background: waiting is in vain
	defer cancel()
	left, err := s.Drop(ctx, "visits", []sinks.Partition{day(0), day(1)})
	if err != nil {
		t.Fatal(err)
	}
	if left[day(0)] != (sinks.Absence{Detached: 1}) || !left[day(1)].Proven() {
		t.Errorf("left: %+v", left)
	}
	if got, want := held(t, o), map[string]uint64{"2024-01-03": 20}; !maps.Equal(got, want) {
		t.Errorf("holds %v, want %v", got, want)
	}
	stats, err := s.Partitions(t.Context(), "visits", day(2).Day) // it is still due
	if err != nil || len(stats) != 1 || stats[0] != (sinks.PartitionStats{Partition: day(0), Detached: 1}) {
		t.Errorf("partitions: %+v: %v", stats, err)
	}
}

func TestDropBesideItselfProvesAbsence(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	var all []sinks.Partition
	for n := range 40 {
		rows = append(rows, visit{day: n, user: fmt.Sprint("u", n)})
		all = append(all, day(n))
	}
	insert(t, s, 1, rows)
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			left, err := s.Drop(t.Context(), "visits", all)
			for p, a := range left {
				if !a.Proven() {
					return fmt.Errorf("%s: %+v", p, a)
				}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if got := parts(t, o, "visits"); len(got) > 0 {
		t.Errorf("parts left: %v", got)
	}
}
