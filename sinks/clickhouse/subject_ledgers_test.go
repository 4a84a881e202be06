package clickhouse_test

import (
	"testing"

	"github.com/facesoft/lapse/sinks"
)

// One key in 256 ends with a zero byte, which ClickHouse drops where it makes a text of it.
func TestLedgersKnowEveryKeyAgain(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	keys := []sinks.SubjectKey{{15: 1}, {0: 1}, {0: 2, 7: 3}, {}}
	var erasures []sinks.Erasure
	var decisions []sinks.ConsentDecision
	for _, key := range keys {
		erasures = append(erasures, sinks.Erasure{Subject: key, Until: newYear, Request: sinks.NewID()})
		decisions = append(decisions, sinks.ConsentDecision{Subject: key, Category: "c", At: newYear, Origin: sinks.ConsentByOperator})
	}
	if err := s.RecordErasures(t.Context(), erasures); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordConsents(t.Context(), decisions); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if found, err := s.ErasuresOf(t.Context(), []sinks.SubjectKey{key}); err != nil || len(found) != 1 || found[0].Subject != key {
			t.Errorf("%x: erased: %+v: %v", key, found, err)
		}
		if found, err := s.ConsentsOf(t.Context(), []sinks.SubjectKey{key}); err != nil || len(found) != 1 || found[0].Subject != key {
			t.Errorf("%x: decided: %+v: %v", key, found, err)
		}
	}
}
