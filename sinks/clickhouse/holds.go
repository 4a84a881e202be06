package clickhouse

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.HoldRegister = (*Store)(nil)
	_ sinks.HoldCheck    = (*Store)(nil)
)

// lastHeld is the end of a hold on all time from some moment on.
var lastHeld = time.Date(2299, 1, 1, 0, 0, 0, 0, time.UTC)

// PlaceHold implements sinks.HoldRegister.
func (s *Store) PlaceHold(ctx context.Context, h sinks.Hold, subject, organisation string) error {
	if err := s.makeHoldKey(ctx); err != nil {
		return fmt.Errorf("place hold: %w", err)
	}
	if h.To.IsZero() {
		h.To = lastHeld
	}
	err := s.exec(ctx, "insert_hold", s.db, parameters{
		"hold": uuid.UUID(h.ID).String(), "dataset": h.Dataset, "subject": subject, "organisation": organisation,
		"starts": milliseconds(orEpoch(h.From)), "ends": milliseconds(h.To), "until": milliseconds(orEpoch(h.Until)),
		"reason": h.Reason, "by": h.PlacedBy, "at": milliseconds(h.PlacedAt),
	})
	if err != nil {
		return fmt.Errorf("place hold: %w", err)
	}
	return s.durable()
}

// makeHoldKey makes the key of the hashes unless there is one. It lies beside them: it
// keeps identifiers from being looked up in lists of hashes, and from being compared
// with what another installation holds.
func (s *Store) makeHoldKey(ctx context.Context) error {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails; it ends the program instead
	return s.exec(ctx, "make_hold_key", s.db, parameters{
		"first":  strconv.FormatUint(binary.BigEndian.Uint64(key[:8]), 10),
		"second": strconv.FormatUint(binary.BigEndian.Uint64(key[8:]), 10),
	})
}

func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// ReleaseHold implements sinks.HoldRegister.
func (s *Store) ReleaseHold(ctx context.Context, id sinks.ID, by string, at time.Time) error {
	err := s.exec(ctx, "release_hold", s.db, parameters{"hold": uuid.UUID(id).String(), "by": by, "at": milliseconds(at)})
	if err != nil {
		return fmt.Errorf("release hold: %w", err)
	}
	return s.durable()
}

// Holds implements sinks.HoldRegister.
func (s *Store) Holds(ctx context.Context) ([]sinks.Hold, error) {
	var holds []sinks.Hold
	err := s.query(ctx, "holds", s.db, nil, func(r driver.Rows) error {
		var h sinks.Hold
		var id uuid.UUID
		err := r.Scan(&id, &h.Dataset, &h.BySubject, &h.ByOrganisation, &h.From, &h.To, &h.Reason, &h.PlacedBy, &h.PlacedAt, &h.Until, &h.ReleasedBy, &h.ReleasedAt)
		h.ID = sinks.ID(id)
		for _, t := range []*time.Time{&h.From, &h.To, &h.Until, &h.ReleasedAt} {
			if t.Unix() == 0 {
				*t = time.Time{}
			}
		}
		holds = append(holds, h)
		return err
	})
	return holds, err
}

// HeldItems implements sinks.HoldCheck.
func (s *Store) HeldItems(ctx context.Context, asOf time.Time, items []sinks.ID) (map[sinks.ID]bool, error) {
	held := map[sinks.ID]bool{}
	if any, err := s.holdsInForce(ctx, sinks.TrainingDataset, asOf); err != nil || !any {
		return held, err
	}
	wanted, err := ext.NewTable("wanted", ext.Column("item", "String"))
	if err != nil {
		return nil, err
	}
	for _, id := range items {
		if err := wanted.Append(id.String()); err != nil {
			return nil, err
		}
	}
	p := holdParameters(sinks.TrainingDataset, asOf)
	err = s.query(clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted)), "held_items", s.db, p, func(r driver.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		var id sinks.ID
		err := id.UnmarshalText([]byte(text))
		held[id] = true
		return err
	})
	return held, err
}

// HeldSubjects implements sinks.HoldCheck.
func (s *Store) HeldSubjects(ctx context.Context, asOf time.Time, subjects []string) (map[string]bool, error) {
	wanted, err := ext.NewTable("wanted", ext.Column("subject", "String"))
	if err != nil {
		return nil, err
	}
	for _, subject := range subjects {
		if err := wanted.Append(subject); err != nil {
			return nil, err
		}
	}
	held := map[string]bool{}
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted))
	err = s.query(ctx, "held_subjects", s.db, parameters{"held_at": milliseconds(asOf)}, func(r driver.Rows) error {
		var subject string
		err := r.Scan(&subject)
		held[subject] = true
		return err
	})
	return held, err
}

// holdsInForce reports whether any hold on a dataset is in force.
func (s *Store) holdsInForce(ctx context.Context, dataset string, asOf time.Time) (bool, error) {
	var n uint64
	err := s.queryRow(ctx, "count_holds", s.db, holdParameters(dataset, asOf), &n)
	return n > 0, err
}

// holdParameters are those of statements that look for held rows of a dataset.
func holdParameters(dataset string, asOf time.Time) parameters {
	return parameters{"held_in": dataset, "held_at": milliseconds(asOf)}
}

// heldRows is what the condition is rendered from under which a row is held.
type heldRows struct {
	Control        string
	Database, Name string
	Everywhere     *table // where people are tied if not within partitions
	Time           string
	Subjects       []string // quoted
	Organisation   string   // quoted; empty if there is no such column
	ByPartition    bool     // people are tied within the partitions that are asked for
}

func (s *Store) heldRows(t *table) heldRows {
	h := heldRows{Control: s.db.Control, Database: t.Database, Name: t.Name, Everywhere: s.everywhere(t), Time: t.Time, ByPartition: t.byDay()}
	if d := t.dataset; d != nil && t.Name != sinks.TrainingDataset {
		for _, name := range d.Subject {
			h.Subjects = append(h.Subjects, quote(name))
		}
		if d.Organisation != "" {
			h.Organisation = quote(d.Organisation)
		}
	}
	return h
}
