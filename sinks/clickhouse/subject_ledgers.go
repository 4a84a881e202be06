package clickhouse

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.ConsentLedger = (*Store)(nil)
	_ sinks.ErasureLedger = (*Store)(nil)
)

// RecordConsents implements sinks.ConsentLedger.
func (s *Store) RecordConsents(ctx context.Context, decisions []sinks.ConsentDecision) error {
	if len(decisions) == 0 {
		return nil
	}
	err := s.insert(ctx, "insert_consents", s.db, len(decisions), func(i int) []any {
		d := decisions[i]
		return []any{string(d.Subject[:]), d.Category, d.At, d.Granted, string(d.Origin)}
	})
	if err != nil {
		return err
	}
	return s.durable()
}

// LatestConsents implements sinks.ConsentLedger.
func (s *Store) LatestConsents(ctx context.Context, since time.Time, each func(sinks.ConsentDecision)) error {
	return s.query(ctx, "latest_consents", s.db, parameters{"since": milliseconds(since)}, func(r driver.Rows) error {
		var d sinks.ConsentDecision
		var subject string
		err := r.Scan(&subject, &d.Category, &d.Granted, &d.At, &d.RecordedAt)
		copy(d.Subject[:], subject)
		each(d)
		return err
	})
}

// ConsentsOf implements sinks.ConsentLedger.
func (s *Store) ConsentsOf(ctx context.Context, subjects []sinks.SubjectKey) (decisions []sinks.ConsentDecision, err error) {
	err = s.query(ctx, "consents_of", s.db, subjectParameters(subjects), func(r driver.Rows) error {
		var d sinks.ConsentDecision
		var subject, origin string
		err := r.Scan(&subject, &d.Category, &d.Granted, &d.At, &origin, &d.RecordedAt)
		copy(d.Subject[:], subject)
		d.Origin = sinks.ConsentOrigin(origin)
		decisions = append(decisions, d)
		return err
	})
	return decisions, err
}

// RecordErasures implements sinks.ErasureLedger.
func (s *Store) RecordErasures(ctx context.Context, erasures []sinks.Erasure) error {
	if len(erasures) == 0 {
		return nil
	}
	err := s.insert(ctx, "insert_erasures", s.db, len(erasures), func(i int) []any {
		e := erasures[i]
		return []any{string(e.Subject[:]), e.Until, uuid.UUID(e.Request)}
	})
	if err != nil {
		return err
	}
	return s.durable()
}

// Erasures implements sinks.ErasureLedger.
func (s *Store) Erasures(ctx context.Context, since time.Time, each func(sinks.Erasure)) error {
	return s.erasures(ctx, "erasures", parameters{"since": milliseconds(since)}, each)
}

// ErasuresOf implements sinks.ErasureLedger.
func (s *Store) ErasuresOf(ctx context.Context, subjects []sinks.SubjectKey) (found []sinks.Erasure, err error) {
	err = s.erasures(ctx, "erasures_of", subjectParameters(subjects), func(e sinks.Erasure) { found = append(found, e) })
	return found, err
}

func (s *Store) erasures(ctx context.Context, statement string, p parameters, each func(sinks.Erasure)) error {
	return s.query(ctx, statement, s.db, p, func(r driver.Rows) error {
		var e sinks.Erasure
		var subject string
		var request uuid.UUID
		err := r.Scan(&subject, &e.Until, &request, &e.RecordedAt)
		copy(e.Subject[:], subject)
		e.Request = sinks.ID(request)
		each(e)
		return err
	})
}

func subjectParameters(subjects []sinks.SubjectKey) parameters {
	texts := make([]string, len(subjects))
	for i, s := range subjects {
		texts[i] = hex.EncodeToString(s[:])
	}
	return parameters{"subjects": arrayOf(texts)}
}
