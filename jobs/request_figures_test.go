package jobs_test

import (
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func TestRequestFiguresCountWhatIsNotAnswered(t *testing.T) {
	t.Parallel()
	p, err := config.ParsePolicy("policy.yaml", config.Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	request := func(right sinks.Right, daysAgo int, events ...sinks.RequestEvent) sinks.Request {
		at := now.AddDate(0, 0, -daysAgo)
		r := sinks.Request{ID: sinks.NewID(), Right: right, Received: at}
		for _, e := range append([]sinks.RequestEvent{sinks.RequestReceived}, events...) {
			r.History = append(r.History, sinks.RequestNote{Request: r.ID, Event: e, At: at})
		}
		return r
	}
	figures := jobs.RequestFigures(p, []sinks.Request{
		request(sinks.RightErasure, 30, sinks.RequestAccepted),
		request(sinks.RightErasure, 2, sinks.RequestAccepted),
		request(sinks.RightErasure, 90, sinks.RequestAccepted, sinks.RequestDone),
		request(sinks.RightAccess, 60, sinks.RequestPending), // its clock stands still
		request(sinks.RightObjection, 60, sinks.RequestRefused),
	}, now)
	if len(figures) != len(sinks.Rights) {
		t.Fatalf("%d figures", len(figures))
	}
	day := 24 * time.Hour
	want := map[sinks.Right]jobs.RequestFigure{
		sinks.RightErasure: {Right: sinks.RightErasure, Pending: 2, Overdue: 1, Oldest: 30 * day},
		sinks.RightAccess:  {Right: sinks.RightAccess, Pending: 1, Oldest: 60 * day},
	}
	for _, f := range figures {
		expected, some := want[f.Right]
		if !some {
			expected.Right = f.Right
		}
		if f != expected {
			t.Errorf("%+v, want %+v", f, expected)
		}
	}
}
