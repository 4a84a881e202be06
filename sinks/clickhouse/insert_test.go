package clickhouse_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// manyVisits are rows on a few days.
func manyVisits(n int) []visit {
	rows := make([]visit, n)
	for i := range rows {
		rows[i] = visit{day: i % 5, hour: i % 24, user: fmt.Sprint("u", i), path: fmt.Sprint("/", i%100), country: []string{"", "GB", "DE"}[i%3]}
	}
	return rows
}

// stored counts the rows of a source.
func stored(t *testing.T, s *clickhouse.Store, source uint64) (n uint64) {
	t.Helper()
	days, err := s.StoredRows(t.Context(), "visits", source, 0, sinks.MaxDay)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range days {
		n += rows
	}
	return n
}

func TestBlockIsStoredAsOnePartADay(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	if err := s.Insert(t.Context(), block(1, manyVisits(5000)), sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, s, 1); n != 5000 {
		t.Errorf("%d rows are stored", n)
	}
	sum := query(t, o, "SELECT uniqExact(user), uniqExact(country), countIf(country = 'GB'), uniqExact(_part) FROM "+o.Databases.Telemetry+".visits")
	if got, want := fmt.Sprint(sum[0]...), fmt.Sprint(uint64(5000), uint64(3), uint64(1667), uint64(5)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBlockRepeatedUnderItsTokenDoublesNothing(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	rows, token := manyVisits(3000), sinks.NewID()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Insert(t.Context(), block(1, rows), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b := block(1, rows) // what another attempt has found missing
	keep := make([]bool, b.Rows())
	for i := range keep {
		keep[i] = i%5 < 3
	}
	b.Filter(keep)
	if err := s.Insert(t.Context(), b, token); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, s, 1); n != 3000 {
		t.Errorf("%d rows are stored", n)
	}
}

// A block is sent in several pieces, each column in the order of the table.
func TestBlockIsStoredAlikeHoweverItsTextsAreSent(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	whole := block(0, manyVisits(40_000))
	for source, shortened := range [][]int{nil, {1, 4}, {2, 3, 4}} {
		b := whole.Clone()
		b.Source = uint64(source)
		for _, i := range shortened {
			b.Columns[i].Shorten()
		}
		whole.CopyTo(slices.Repeat([]bool{true}, whole.Rows()), b)
		if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
			t.Fatal(err)
		}
	}
	got := query(t, o, "SELECT groupUniqArray(n), uniqExact(held) FROM (SELECT lapse_source, count() AS n, groupBitXor(sipHash64(tuple(* EXCEPT (lapse_source)))) AS held FROM "+o.Databases.Telemetry+".visits GROUP BY lapse_source)")[0]
	if got, want := fmt.Sprint(got...), fmt.Sprint([]uint64{40_000}, uint64(1)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	user := query(t, o, "SELECT toUInt64(uniqExact(user)), countIf(user != concat('u', toString(lapse_position))) FROM "+o.Databases.Telemetry+".visits")[0]
	if got, want := fmt.Sprint(user...), fmt.Sprint(uint64(40_000), uint64(0)); got != want {
		t.Errorf("users %s, want %s", got, want)
	}
}

// A block whose connection breaks while it is being sent is sent again.
func TestBlockThatIsCutOffIsSentAgain(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	address, cut := cutOnce(t, o.Addresses[0], 1<<20)
	o.Addresses = []string{address}
	over, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = over.Close() })
	if err := over.Insert(t.Context(), block(1, manyVisits(60_000)), sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	if !cut.Load() {
		t.Fatal("the connection was not cut off")
	}
	if n := stored(t, s, 1); n != 60_000 {
		t.Errorf("%d rows are stored", n)
	}
}

// cutOnce listens for connections to a server, and cuts off the first that sends more
// than so many bytes. The server does not hear of it: it waits for the rest.
func cutOnce(t *testing.T, server string, after int64) (address string, cut *atomic.Bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	cut = new(atomic.Bool)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, there) }()
			go func() {
				if _, err := io.CopyN(there, client, after); err == nil && cut.CompareAndSwap(false, true) {
					_ = client.Close()
					return
				}
				_, _ = io.Copy(there, client)
				_ = there.Close()
			}()
		}
	}()
	return listener.Addr().String(), cut
}

// Whenever an insert is cancelled, all of its rows are stored or none, and the
// engine lives.
func TestCancelledInsertIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(worker, 1))
			for i := range uint64(25) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(30))*time.Millisecond)
				rows := manyVisits(2000)
				for j := range rows {
					rows[j].day = 0 // so that it is one partition
				}
				_ = s.Insert(ctx, block(1+100*worker+i, rows), sinks.NewID())
				cancel()
			}
		})
	}
	wg.Wait()
	for _, row := range query(t, o, "SELECT count() FROM "+o.Databases.Telemetry+".visits GROUP BY lapse_source") {
		if row[0].(uint64) != 2000 {
			t.Errorf("%d rows of a source are stored", row[0])
		}
	}
}

func TestBlockWithTooManyRowsIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	if err := s.Insert(t.Context(), block(1, manyVisits(sinks.MaxRows+1)), sinks.NewID()); err == nil {
		t.Error("it was taken")
	}
}

func TestRecordsOfADatasetAreListedByDay(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	b := block(1, manyVisits(1000))
	want := slices.DeleteFunc(slices.Clone(b.Records), func(id sinks.ID) bool {
		day := b.Days[slices.Index(b.Records, id)]
		return day < sinks.DayOf(newYear)+1 || day > sinks.DayOf(newYear)+3
	})
	if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	got := map[sinks.ID]bool{}
	err := s.Records(t.Context(), "visits", sinks.DayOf(newYear)+1, sinks.DayOf(newYear)+3, func(ids []sinks.ID) {
		for _, id := range ids {
			got[id] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(want) != 600 {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	for _, id := range want {
		delete(got, id)
	}
	if len(got) != 0 {
		t.Errorf("%d records of other days: %v", len(got), slices.Collect(maps.Keys(got))[:1])
	}
}
