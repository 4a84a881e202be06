package jobs

import (
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// RequestFigure says how the requests of one right stand.
type RequestFigure struct {
	Right   sinks.Right
	Pending int           // not answered yet, those included of which nobody knows yet who asks
	Overdue int           // of those, with a time for the answer that has passed (C15)
	Oldest  time.Duration // since the receipt of the oldest that is pending; 0 if none is
}

// RequestFigures returns how requests stand at now, for each right, also where there is
// none.
func RequestFigures(p *config.Policy, requests []sinks.Request, now time.Time) []RequestFigure {
	figures, place := make([]RequestFigure, len(sinks.Rights)), map[sinks.Right]int{}
	for i, right := range sinks.Rights {
		figures[i].Right, place[right] = right, i
	}
	for i := range requests {
		r := &requests[i]
		n, known := place[r.Right]
		if !known || !r.Open() {
			continue
		}
		f := &figures[n]
		f.Pending++
		f.Oldest = max(f.Oldest, now.Sub(r.Received))
		if due, paused := AnswerDue(p, r); !paused && due.Before(now) {
			f.Overdue++
		}
	}
	return figures
}
