package clickhouse_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestNothingIsStagedWhereThereIsNoRoom(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	for i := range 10 {
		rows = append(rows, visit{user: fmt.Sprint("u", i), path: "/p", country: "GB"})
	}
	insert(t, s, 1, rows)
	o.Policy, o.Reserve = sinktest.Policy(t, []byte(visits)), 1<<60
	full, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	if _, err := full.Stage(t.Context(), "visits", []sinks.Partition{day(0)}); !errors.Is(err, sinks.ErrUnavailable) {
		t.Fatalf("%v, want %v", err, sinks.ErrUnavailable)
	}
	if room, err := full.Room(t.Context(), 1000); err != nil || room.Enough() || !room.Known || room.Needed != 1<<60+3000 || room.Free == 0 {
		t.Errorf("%+v, %v", room, err)
	}
	if room, err := s.Room(t.Context(), 1000); err != nil || !room.Enough() {
		t.Errorf("%+v, %v", room, err)
	}
	if held, err := s.Holdings(t.Context(), "visits", []sinks.Partition{day(0)}); err != nil || held[day(0)].Personal != 10 || held[day(0)].Published != 0 {
		t.Errorf("%+v, %v", held[day(0)], err)
	}
	if p := publish(t, s, day(0))[day(0)]; p.Published != 10 {
		t.Errorf("%d rows are published where there is room", p.Published)
	}
}
