package auditlog

import (
	"context"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// turnYear brings the log to the year of at, which is not before its last entry.
// An old year ends with an entry that closes it, which fences writers whose clock
// is behind: whoever sees that entry moves on. The new year is that of the
// closing entry's time, so that two writers cannot continue in different years,
// and begins with an entry that holds the old one's size and root.
func (w *writer) turnYear(ctx context.Context, h *head, at time.Time, by provenance) (*head, error) {
	if h.signed == nil {
		return emptyHead(at.Year()), nil
	}
	for {
		var step *sinks.Entry
		from, when := h, at
		switch {
		case h.last.closes:
			end := h.checkpoint("").Head()
			step = ownEntry(sinks.ActionOpenYear, by, h.last.time)
			step.Continues = &end
			from, when = emptyHead(h.last.time.Year()), h.last.time
		case at.Year() > h.year:
			step = ownEntry(sinks.ActionCloseYear, by, at)
		default:
			return h, nil
		}
		record, err := encodeUntimed(step)
		if err != nil {
			return nil, err
		}
		if err := w.extend(ctx, from, when, batch{records: []untimed{record}}); err != nil {
			return nil, err
		}
		w.removeStaging(ctx, from)
		// A year's log must be whole before the next one begins.
		if err := w.settle(ctx); err != nil {
			return nil, err
		}
		h = w.head
	}
}

// ownEntry is an entry about the log itself. It is the effect it tells of, so
// there is no intent before it.
func ownEntry(action sinks.Action, by provenance, at time.Time) *sinks.Entry {
	id := sinks.NewID()
	return &sinks.Entry{
		Action: action,
		Actor:  by.actor,
		AsOf:   at,
		Format: sinks.EntryFormat,
		ID:     id,
		Job:    sinks.JobAudit,
		Phase:  sinks.Outcome,
		Policy: by.policy,
		Result: sinks.ResultDone,
		Run:    by.run,
		Step:   sinks.HashID("audit", string(action), id.String()),
	}
}
