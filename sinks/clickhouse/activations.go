package clickhouse

import (
	"context"
	"time"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.PolicyActivations = (*Store)(nil)

// Activated implements sinks.PolicyActivations.
func (s *Store) Activated(ctx context.Context, p sinks.PolicyRef) (bool, error) {
	var n uint64
	err := s.queryRow(ctx, "activated", s.db, parameters{"hash": p.Hash.String()}, &n)
	return n > 0, err
}

// RecordActivation implements sinks.PolicyActivations.
func (s *Store) RecordActivation(ctx context.Context, p sinks.PolicyRef, at time.Time) error {
	return s.insert(ctx, "insert_activation", s.db, 1, func(int) []any { return []any{p.Hash.String(), p.Version.String(), at} })
}
