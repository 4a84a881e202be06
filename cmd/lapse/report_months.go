package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// monthLayout is how months are written and sorted.
const monthLayout = "2006-01"

// monthDone is what was done in a month, by the audit log.
type monthDone struct {
	Month      string `json:"month"`      // in the policy's time zone
	Stored     uint64 `json:"stored"`     // rows of personal data taken in
	Refused    uint64 `json:"refused"`    // records that were not kept
	Anonymised uint64 `json:"anonymised"` // personal rows in whose place anonymised ones came
	Suppressed uint64 `json:"suppressed"` // of these, rows that fitted no class
	Erased     uint64 `json:"erased"`     // personal rows deleted without publication
	Items      uint64 `json:"items"`      // training items purged
	Objects    uint64 `json:"objects"`    // with their derivatives
}

// monthHeld is how much personal data there is of a month of event time.
type monthHeld struct {
	Month string            `json:"month"` // UTC, as partitions are
	Rows  map[string]uint64 `json:"rows"`  // by dataset
	Bytes uint64            `json:"bytes"` // on disk, compressed
}

// doneByMonth adds up the outcomes in the audit log. A step that was done again changed
// nothing more, and says so.
func doneByMonth(ctx context.Context, files auditlog.Files, zone *time.Location) ([]monthDone, error) {
	months := map[string]*monthDone{}
	for r, err := range auditlog.Entries(ctx, files, auditlog.Filter{}) {
		if err != nil {
			return nil, err
		}
		e := r.Entry
		if e.Phase != sinks.Outcome || e.Result != sinks.ResultDone {
			continue
		}
		month := e.Time.In(zone).Format(monthLayout)
		if months[month] == nil {
			months[month] = &monthDone{Month: month}
		}
		months[month].add(e)
	}
	done := make([]monthDone, 0, len(months))
	for _, month := range slices.Sorted(maps.Keys(months)) {
		done = append(done, *months[month])
	}
	return done, nil
}

func (m *monthDone) add(e *sinks.Entry) {
	c := e.Counts
	switch e.Action {
	case sinks.ActionIngestSource:
		m.Stored += c[sinks.CountStored]
		m.Refused += c[sinks.CountRefused]
	case sinks.ActionAnonymise:
		m.Anonymised += c[sinks.CountBefore]
		m.Suppressed += c[sinks.CountSuppressed]
	case sinks.ActionErasePartition, sinks.ActionEraseSubjects:
		m.Erased += c[sinks.CountBefore]
	case sinks.ActionPurgeItem:
		m.Items++
		m.Objects += c[sinks.CountObjects] + c[sinks.CountDerivatives]
	}
}

// heldByMonth adds up the partitions of personal data.
func (i *installation) heldByMonth(ctx context.Context) ([]monthHeld, error) {
	months := map[string]*monthHeld{}
	for _, d := range i.policy.Datasets {
		partitions, err := i.store.Partitions(ctx, d.Name, sinks.MaxDay)
		if err != nil {
			return nil, err
		}
		for _, p := range partitions {
			if p.Again() {
				continue
			}
			month := p.Day.Start().Format(monthLayout)
			if months[month] == nil {
				months[month] = &monthHeld{Month: month, Rows: map[string]uint64{}}
			}
			months[month].Rows[d.Name] += p.Rows
			months[month].Bytes += p.Bytes
		}
	}
	held := make([]monthHeld, 0, len(months))
	for _, month := range slices.Sorted(maps.Keys(months)) {
		held = append(held, *months[month])
	}
	return held, nil
}
