package jobs

import (
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/gb"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// workingDays is the calendar of England and Wales.
var workingDays = func() *cal.BusinessCalendar {
	c := cal.NewBusinessCalendar()
	c.AddHoliday(gb.Holidays...)
	return c
}()

// AnswerDue returns until when a request has to be answered (C15): the end of a day in
// the policy's time zone, counted in working days after that of the receipt, or the end
// of a period. The time for which it was not known who asks does not count. Paused says
// that this is so now; then there is no end yet.
func AnswerDue(p *config.Policy, r *sinks.Request) (due time.Time, paused bool) {
	rule, zone := p.RequestRule(), p.TimeZone.Location()
	if r.State() == sinks.RequestPending {
		return time.Time{}, true
	}
	if rule.WorkingDays > 0 {
		due = workingDaysAfter(r, rule.WorkingDays, zone)
	} else {
		due = rule.Within.After(r.Received, zone)
		for _, pause := range pauses(r) {
			due = due.Add(pause.to.Sub(pause.from))
		}
	}
	for _, n := range r.History {
		if n.Event == sinks.RequestExtended && n.Until.After(due) {
			due = n.Until
		}
	}
	return due, false
}

type pause struct{ from, to time.Time }

// pauses returns the times in which it was not known who asks.
func pauses(r *sinks.Request) (list []pause) {
	for i, n := range r.History {
		if n.Event != sinks.RequestPending {
			continue
		}
		for _, next := range r.History[i+1:] {
			if next.Event != sinks.RequestExtended && next.Event != sinks.RequestPending {
				list = append(list, pause{n.At, next.At})
				break
			}
		}
	}
	return list
}

// workingDaysAfter returns the end of the nth working day after that of the receipt at
// whose end the clock was running.
func workingDaysAfter(r *sinks.Request, n int, zone *time.Location) time.Time {
	stood := pauses(r)
	year, month, day := r.Received.In(zone).Date()
	for {
		day++
		at := time.Date(year, month, day, 12, 0, 0, 0, zone)
		end := time.Date(year, month, day+1, 0, 0, 0, 0, zone)
		if !workingDays.IsWorkday(at) || pausedAt(stood, end) {
			continue
		}
		if n--; n == 0 {
			return end.UTC()
		}
	}
}

func pausedAt(stood []pause, at time.Time) bool {
	for _, p := range stood {
		if !at.Before(p.from) && at.Before(p.to) {
			return true
		}
	}
	return false
}
