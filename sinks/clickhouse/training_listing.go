package clickhouse

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.TrainingListing = (*Store)(nil)

// EachItem implements sinks.TrainingListing.
func (s *Store) EachItem(ctx context.Context, now time.Time, cutoffs sinks.TrainingCutoffs, f sinks.TrainingFilter, each func(sinks.TrainingEntry) error) error {
	p := parameters{"now": milliseconds(now), "item": "", "bucket": f.Bucket, "key": f.Key, "organisation": f.Organisation, "purpose": f.Purpose, "state": string(f.State)}
	if !f.Item.IsZero() {
		p["item"] = f.Item.String()
	}
	registered, err := s.registersItems(ctx)
	if err != nil {
		return err
	}
	if registered && f.State != sinks.TrainingPurged {
		listing := s.judging(cutoffs)
		listing.Made = true
		err := s.query(ctx, "list_items", listing, p, func(r driver.Rows) error {
			e, err := scanEntry(r)
			if err != nil {
				return err
			}
			return each(e)
		})
		if err != nil {
			return err
		}
	}
	// Whose a purged item was, and what for, is known no more.
	if f.Key != "" || f.Bucket != "" || f.Organisation != "" || f.Purpose != "" || f.State != "" && f.State != sinks.TrainingPurged {
		return nil
	}
	return s.query(ctx, "list_tombstones", s.db, parameters{"item": p["item"]}, func(r driver.Rows) error {
		e := sinks.TrainingEntry{State: sinks.TrainingPurged}
		var id, object, rule string
		if err := r.Scan(&id, &object, &rule, &e.Bytes, &e.Objects, &e.Uploaded, &e.Purged, &e.Models); err != nil {
			return err
		}
		e.Rule = sinks.Rule(rule)
		if err := errors.Join(e.Item.UnmarshalText([]byte(id)), readDigest(&e.Object, object)); err != nil {
			return err
		}
		return each(e)
	})
}

func scanEntry(r driver.Rows) (e sinks.TrainingEntry, err error) {
	var id, state string
	var rule uint8
	err = r.Scan(&id, &state, &e.Bucket, &e.Key, &e.Organisation, &e.MediaType, &e.Bytes, &e.Uploaded, &e.Purposes, &e.Open, &e.Subjects,
		&e.ConsentReference, &e.Age, &e.Derivatives, &rule, &e.Since, &e.Marked)
	if err != nil {
		return e, err
	}
	if e.State, e.Rule, e.Marked = sinks.TrainingState(state), ruleOf(rule), sinceEpoch(e.Marked); e.Rule == "" {
		e.Since = time.Time{}
	}
	return e, e.Item.UnmarshalText([]byte(id))
}

// Notes implements sinks.TrainingListing.
func (s *Store) Notes(ctx context.Context, id sinks.ID, now time.Time) (notes []sinks.TrainingNote, err error) {
	p := parameters{"now": milliseconds(now), "item": id.String()}
	err = s.query(ctx, "item_notes", s.db, p, func(r driver.Rows) error {
		var n sinks.TrainingNote
		err := r.Scan(&n.At, &n.What, &n.By, &n.About, &n.Purpose, &n.Model)
		notes = append(notes, n)
		return err
	})
	return slices.Compact(notes), err
}

// EachWithdrawn implements sinks.TrainingListing.
func (s *Store) EachWithdrawn(ctx context.Context, since, now time.Time, cutoffs sinks.TrainingCutoffs, each func(sinks.Withdrawal) error) error {
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	return s.query(ctx, "withdrawn_items", s.judging(cutoffs), parameters{"since": milliseconds(since), "now": milliseconds(now)}, func(r driver.Rows) error {
		var w sinks.Withdrawal
		var id, rule string
		var gone uint8
		if err := r.Scan(&id, &w.At, &rule, &gone); err != nil {
			return err
		}
		w.Rule, w.Gone = sinks.Rule(rule), gone != 0
		if err := w.Item.UnmarshalText([]byte(id)); err != nil {
			return err
		}
		return each(w)
	})
}
