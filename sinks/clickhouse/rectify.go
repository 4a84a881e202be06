package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Rectification = (*Store)(nil)

// rectification is what the statements that put values right are rendered from.
type rectification struct {
	*search
	ValueTable string
	Rectified  []tableColumn
}

// RectifyRows implements sinks.Rectification.
func (s *Store) RectifyRows(ctx context.Context, dataset string, person sinks.Person, values map[string]string, asOf time.Time) (rows, left uint64, err error) {
	x, err := s.newRectification(ctx, dataset, person, values, asOf)
	if err != nil {
		return 0, 0, fmt.Errorf("rectify rows of %s: %w", dataset, err)
	}
	if x.empty() {
		return 0, 0, nil
	}
	defer func() {
		err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), x.ValueTable), x.end(ctx))
	}()
	if err := s.queryRow(ctx, "count_unrectified", x, nil, &rows); err != nil || rows == 0 {
		return 0, 0, err
	}
	if err := s.mutate(ctx, x.table, "rectify_rows", x); err != nil {
		return rows, rows, err
	}
	err = s.queryRow(ctx, "count_unrectified", x, nil, &left)
	return rows, left, errors.Join(err, s.durable())
}

// CountUnrectified implements sinks.Rectification.
func (s *Store) CountUnrectified(ctx context.Context, dataset string, person sinks.Person, values map[string]string, asOf time.Time) (rows uint64, err error) {
	x, err := s.newRectification(ctx, dataset, person, values, asOf)
	if err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", dataset, err)
	}
	if x.empty() {
		return 0, nil
	}
	defer func() {
		err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), x.ValueTable), x.end(ctx))
	}()
	err = s.queryRow(ctx, "count_unrectified", x, nil, &rows)
	return rows, err
}

func (s *Store) newRectification(ctx context.Context, dataset string, person sinks.Person, values map[string]string, asOf time.Time) (*rectification, error) {
	x, err := s.newSearch(ctx, dataset, sinks.People{Persons: []sinks.Person{person}}, nil, asOf)
	if err != nil {
		return nil, err
	}
	r := &rectification{search: x, ValueTable: stagePrefix + sinks.NewID().String() + "_values"}
	var row []any
	for _, name := range slices.Sorted(maps.Keys(values)) {
		i := slices.IndexFunc(x.table.Columns, func(c tableColumn) bool { return c.Name == name })
		if i < 0 {
			return nil, errors.Join(fmt.Errorf("there is no column %q", name), x.end(ctx))
		}
		r.Rectified = append(r.Rectified, x.table.Columns[i])
		row = append(row, values[name])
	}
	if x.empty() {
		return r, nil
	}
	err = s.exec(ctx, "create_values", r, nil)
	if err == nil {
		err = s.insert(ctx, "insert_values", r, 1, func(int) []any { return row })
	}
	if err != nil {
		return nil, errors.Join(err, s.dropStage(context.WithoutCancel(ctx), r.ValueTable), x.end(ctx))
	}
	return r, nil
}
