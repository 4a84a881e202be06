package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var _ sinks.ConsentRetention = (*Store)(nil)

// consentSearch is what the statements about decisions that hold no more are rendered
// from.
type consentSearch struct {
	Control       string
	DecisionTable string
	Columns       []identifierColumn // in which people are looked for; none if that tells nothing
}

// identifierColumn is a column of a personal table that tells people apart: on all nodes.
type identifierColumn struct{ Database, Table, Name string }

// identifierColumns returns all of them; none if a dataset keeps pseudonyms in their
// place.
func (s *Store) identifierColumns() (columns []identifierColumn) {
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		for _, name := range d.Subject {
			if c, ok := d.Column(name); ok && c.Derive == config.DerivePseudonym {
				return nil
			}
			all := s.everywhere(s.tables[d.Name])
			columns = append(columns, identifierColumn{all.Database, all.Name, name})
		}
	}
	return columns
}

func consentParameters(before, now time.Time) parameters {
	p := holdParameters("consents", now)
	p["before"] = milliseconds(before)
	return p
}

// ExpiredConsents implements sinks.ConsentRetention.
func (s *Store) ExpiredConsents(ctx context.Context, before, now time.Time, key sinks.LedgerKey) (decisions uint64, set sinks.ID, err error) {
	search := consentSearch{Control: s.db.Control, Columns: s.identifierColumns()}
	at := consentParameters(before, now)
	var old, hash uint64
	if err := s.queryRow(ctx, "count_old_consents", search, parameters{"before": at["before"]}, &old); err != nil || old == 0 {
		return 0, set, err
	}
	if ctx, err = withPads(ctx, key); err != nil {
		return 0, set, err
	}
	err = s.queryRow(ctx, "count_expired_consents", search, at, &decisions, &hash)
	binary.BigEndian.PutUint64(set[:], hash)
	return decisions, set, err
}

// ForgetConsents implements sinks.ConsentRetention. The decisions are listed first: a
// mutation that looks into the table it changes can wait for itself.
func (s *Store) ForgetConsents(ctx context.Context, before, now time.Time, key sinks.LedgerKey) (decisions uint64, left sinks.Absence, err error) {
	search := consentSearch{s.db.Control, stagePrefix + sinks.NewID().String() + "_decisions", s.identifierColumns()}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), search.DecisionTable)) }()
	if err := s.exec(ctx, "create_expired_consents", search, nil); err != nil {
		return 0, left, err
	}
	padded, err := withPads(ctx, key)
	if err != nil {
		return 0, left, err
	}
	if err := s.exec(padded, "list_expired_consents", search, consentParameters(before, now)); err != nil {
		return 0, left, err
	}
	if err := s.queryRow(ctx, "listed_consents", search, nil, &decisions); err != nil || decisions == 0 {
		return 0, left, err
	}
	t := &table{Database: s.db.Control, Name: "consents"}
	if err := s.mutate(ctx, t, "forget_consents", search); err != nil {
		return decisions, left, err
	}
	left, err = s.awaitGone(ctx, t, func() (rows uint64, err error) {
		err = s.queryRow(ctx, "left_consents", search, nil, &rows)
		return rows, err
	})
	return decisions, left, err
}

// withPads sends the key of a ledger along, as hashPads returns it.
func withPads(ctx context.Context, key sinks.LedgerKey) (context.Context, error) {
	pads, err := hashPads([]sinks.LedgerKey{key})
	if err != nil {
		return ctx, err
	}
	return clickhouse.Context(ctx, clickhouse.WithExternalTable(pads)), nil
}
