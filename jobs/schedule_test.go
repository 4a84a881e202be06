package jobs

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
)

func scheduled(spec, zone string) Schedule {
	z, err := config.ParseZone(zone)
	if err != nil {
		panic(err)
	}
	return Schedule{config.JobSchedule{Job: "purge", Spec: config.MustSpec(spec), TimeZone: z}}
}

func TestMissedRunIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil && text != "" {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ name, spec, zone, last, now, want string }{
		{"nothing passed", "30 2 * * *", "UTC", "2026-05-01T02:30:00Z", "2026-05-02T02:29:59Z", ""},
		{"one passed", "30 2 * * *", "UTC", "2026-05-01T02:30:00Z", "2026-05-02T02:30:00Z", "2026-05-02T02:30:00Z"},
		{"a year passed", "30 2 * * *", "UTC", "2025-05-01T02:30:00Z", "2026-05-02T02:30:01Z", "2026-05-02T02:30:00Z"},
		{"many seconds passed", "@every 1s", "UTC", "2020-01-01T00:00:00Z", "2026-05-02T02:30:01.5Z", "2026-05-02T02:30:01Z"},
		{"a leap day passed", "0 0 29 2 *", "UTC", "2020-02-29T00:00:00Z", "2026-05-02T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"on the night of the spring change", "30 1 * * *", "Europe/London", "2026-03-28T01:30:00Z", "2026-03-29T09:00:00Z", "2026-03-29T01:00:00Z"},
		{"once on the night of the autumn change", "30 1 * * *", "Europe/London", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", ""},
		{"no run is known of", "@daily", "UTC", "", "2026-05-02T00:00:00Z", ""},
		{"a clock that was ahead", "@daily", "UTC", "2027-05-02T00:00:00Z", "2026-05-02T00:00:00Z", ""},
		{"a new schedule that is rarer", "@yearly", "UTC", "2026-04-30T10:00:00Z", "2026-05-02T00:00:00Z", ""},
	} {
		got, missed := scheduled(c.spec, c.zone).Missed(at(c.last), at(c.now))
		if missed != (c.want != "") || missed && !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, %t; want %q", c.name, got, missed, c.want)
		}
	}
}

func TestTurnsOverlapNever(t *testing.T) {
	t.Parallel()
	for _, overlap := range []config.Overlap{config.OverlapSkip, config.OverlapQueue} {
		t.Run(string(overlap), func(t *testing.T) {
			t.Parallel()
			turns := &Turns{Overlap: overlap}
			begun, finish := make(chan time.Time), make(chan struct{})
			run := func(at time.Time) error {
				begun <- at
				<-finish
				return nil
			}
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var group sync.WaitGroup
			group.Go(func() {
				if taken, err := turns.Take(start, run); !taken || err != nil {
					t.Errorf("%t, %v", taken, err)
				}
			})
			if at := <-begun; !at.Equal(start) {
				t.Errorf("run for %s", at)
			}
			for n := range 3 {
				if taken, _ := turns.Take(start.Add(time.Duration(n+1)*time.Second), run); taken {
					t.Error("two runs side by side")
				}
			}
			finish <- struct{}{}
			if overlap == config.OverlapQueue {
				if at := <-begun; !at.Equal(start.Add(3 * time.Second)) {
					t.Errorf("then run for %s, want the last that passed", at)
				}
				finish <- struct{}{}
			}
			group.Wait()
			if taken, err := turns.Take(start, func(time.Time) error { return nil }); !taken || err != nil {
				t.Errorf("afterwards: %t, %v", taken, err)
			}
		})
	}
}

func TestPanicTakesNobodyElsesTurn(t *testing.T) {
	t.Parallel()
	turns := &Turns{Overlap: config.OverlapSkip}
	if _, err := turns.Take(time.Now(), func(time.Time) error { panic(errors.New("user@example.org")) }); err == nil || strings.Contains(err.Error(), "@") {
		t.Errorf("%v", err)
	}
	if taken, err := turns.Take(time.Now(), func(time.Time) error { return nil }); !taken || err != nil {
		t.Errorf("after a panic: %t, %v", taken, err)
	}
}
