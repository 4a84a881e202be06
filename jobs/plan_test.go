package jobs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// TestPlanIsWhatWasApproved reads a plan back, changes every byte of it in turn,
// and holds steps against it.
func TestPlanIsWhatWasApproved(t *testing.T) {
	policy, err := config.ParsePolicy("policy.yaml", config.Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	partition := sinks.Partition{Day: sinks.DayOf(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)), Batch: 2}
	step := Step{
		ID: sinks.HashID("a"), Action: sinks.ActionAnonymise, Dataset: "events", Partition: &partition, Rule: "event_time",
		Clause: "C12", Due: time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC), Reason: "kept P13M", Rows: 100, Subjects: 7, Bytes: 4096,
	}
	plan, err := NewPlan(policy, time.Date(2025, 3, 1, 12, 0, 0, 123456789, time.UTC), []Step{step})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePlan(raw); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		if !strings.Contains("0123456789", string(raw[i])) {
			continue
		}
		changed := append([]byte(nil), raw...)
		changed[i] = '0' + (raw[i]-'0'+1)%10
		if _, err := ParsePlan(changed); err == nil {
			t.Errorf("the digit at %d was changed unnoticed", i)
		}
	}

	with := func(change func(*Step)) []Step {
		s := step
		change(&s)
		return []Step{s}
	}
	for _, c := range []struct {
		name      string
		due       []Step
		tolerance float64
		want      int
		drifted   bool
	}{
		{"as it was", []Step{step}, 0, 1, false},
		{"done since", nil, 0, 0, false},
		{"another step", with(func(s *Step) { s.ID = sinks.HashID("b") }), 0, 0, false},
		{"more rows", with(func(s *Step) { s.Rows = 106 }), 0.05, 0, true},
		{"fewer rows", with(func(s *Step) { s.Rows = 94 }), 0.05, 0, true},
		{"a few rows", with(func(s *Step) { s.Rows = 105 }), 0.05, 1, false},
		{"one that asks", with(func(s *Step) { s.Asks, s.Blocked = true, "too many" }), 0, 1, false},
		{"one that waits", with(func(s *Step) { s.Blocked = "a hold" }), 0, 1, false},
	} {
		steps, err := plan.hold(PolicyRef(policy), c.due, c.tolerance)
		if errors.Is(err, ErrDrifted) != c.drifted || len(steps) != c.want {
			t.Errorf("%s: %d steps, %v", c.name, len(steps), err)
		}
		for _, s := range steps {
			if waits := c.name == "one that waits"; (s.Blocked != "") != waits {
				t.Errorf("%s: blocked %q", c.name, s.Blocked)
			}
		}
	}
	other := PolicyRef(policy)
	other.Hash[0] ^= 1
	if _, err := plan.hold(other, []Step{step}, 1); !errors.Is(err, ErrDrifted) {
		t.Errorf("another policy: %v", err)
	}
}
