package jobs_test

import (
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// moment reads a time of London.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, london)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestAnswerIsDueAfterTenWorkingDays(t *testing.T) {
	t.Parallel()
	type note struct {
		event     sinks.RequestEvent
		at, until string
	}
	month := config.RequestRule{Clause: "C15", Within: config.MustPeriod("P1M")}
	for _, c := range []struct {
		name, received string
		notes          []note
		rule           *config.RequestRule
		due            string // empty: the clock stands still
	}{
		{"two plain weeks", "2026-06-01 09:00", nil, nil, "2026-06-16 00:00"},
		{"received on a Saturday", "2026-06-06 23:00", nil, nil, "2026-06-20 00:00"},
		{"Christmas, Boxing Day on the Monday after, New Year", "2026-12-21 10:00", nil, nil, "2027-01-08 00:00"},
		{"Easter and the first Monday of May", "2027-03-24 10:00", nil, nil, "2027-04-10 00:00"},
		{"the Coronation", "2023-04-24 10:00", nil, nil, "2023-05-11 00:00"},
		{"late in the evening of summer time", "2026-06-01 23:30", nil, nil, "2026-06-16 00:00"},
		{"identity pending", "2026-06-01 09:00", []note{{sinks.RequestPending, "2026-06-01 09:00", ""}}, nil, ""},
		{"identity known after a week", "2026-06-01 09:00", []note{{sinks.RequestPending, "2026-06-01 09:00", ""}, {sinks.RequestAccepted, "2026-06-08 12:00", ""}}, nil, "2026-06-20 00:00"},
		{"extended", "2026-06-01 09:00", []note{{sinks.RequestAccepted, "2026-06-01 09:00", ""}, {sinks.RequestExtended, "2026-06-10 09:00", "2026-08-01 00:00"}}, nil, "2026-08-01 00:00"},
		{"one month", "2026-01-31 09:00", nil, &month, "2026-02-28 09:00"},
		{"one month, with a pause", "2026-03-02 09:00", []note{{sinks.RequestPending, "2026-03-03 09:00", ""}, {sinks.RequestAccepted, "2026-03-05 09:00", ""}}, &month, "2026-04-04 09:00"},
	} {
		p := sinktest.Policy(t, config.Facesoft)
		p.Requests = c.rule
		r := &sinks.Request{Received: moment(t, c.received)}
		for _, n := range c.notes {
			r.History = append(r.History, sinks.RequestNote{Event: n.event, At: moment(t, n.at), Until: moment(t, n.until)})
		}
		due, paused := jobs.AnswerDue(p, r)
		if want := moment(t, c.due); !due.Equal(want) || paused != want.IsZero() {
			t.Errorf("%s: due %s (paused: %v), want %s", c.name, due, paused, want)
		}
	}
}
