package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// expiring is what the statements about values that go before their rows are rendered
// from.
type expiring struct {
	*table
	Control   string
	Fields    []expiringField
	Held      *heldRows // nil where no hold is in force
	HeldTable string
	Within    bool // some partitions only
	Partition string
}

// expiringField is a column whose values are due before a day, which is a parameter.
type expiringField struct{ Name, Filled, Empty, Before string }

func (s *Store) newExpiring(ctx context.Context, dataset string, fields map[string]sinks.Day, asOf time.Time) (*expiring, parameters, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, nil, err
	}
	e := &expiring{table: t, Control: s.db.Control, HeldTable: stagePrefix + sinks.NewID().String() + "_held"}
	p := holdParameters(dataset, asOf)
	for n, name := range slices.Sorted(maps.Keys(fields)) {
		i := slices.IndexFunc(t.Columns, func(c tableColumn) bool { return c.Name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("%s has no column %q", dataset, name)
		}
		f := expiringField{name, "isNotNull(" + quote(name) + ")", "NULL", fmt.Sprintf("before_%d", n)}
		if kind := t.Columns[i].Type; !strings.HasPrefix(kind, "Nullable") {
			f.Empty = "defaultValueOfTypeName(" + literal(kind) + ")"
			f.Filled = quote(name) + " != " + f.Empty
		}
		e.Fields = append(e.Fields, f)
		p[f.Before] = fields[name].String()
	}
	holds, err := s.holdsInForce(ctx, dataset, asOf)
	if err == nil && holds {
		held := s.heldRows(t)
		e.Held = &held
	}
	return e, p, err
}

// Filled implements sinks.ExpiringFields.
func (s *Store) Filled(ctx context.Context, dataset string, fields map[string]sinks.Day, asOf time.Time) (map[sinks.Partition]uint64, error) {
	e, p, err := s.newExpiring(ctx, dataset, fields, asOf)
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	free := *e
	free.Held = nil
	filled, err := s.filled(ctx, &free, p, nil)
	if err != nil || e.Held == nil || len(filled) == 0 {
		return filled, err
	}
	return s.filled(ctx, e, p, slices.Collect(maps.Keys(filled)))
}

// filled counts the rows with values that are due, of some partitions if they are named.
func (s *Store) filled(ctx context.Context, e *expiring, p parameters, within []sinks.Partition) (map[sinks.Partition]uint64, error) {
	some := *e
	some.Within = len(within) > 0
	p = maps.Clone(p)
	p["partitions"] = arrayOf(partitionIDs(within))
	filled := map[sinks.Partition]uint64{}
	err := s.query(ctx, "filled_fields", &some, p, func(r driver.Rows) error {
		at := sinks.Partition{}.On(s.node)
		var rows uint64
		err := scanDay(r, &at.Day, &at.Batch, &rows)
		filled[at] = rows
		return err
	})
	return filled, err
}

// Clear implements sinks.ExpiringFields. The rows under hold are listed first: a mutation
// that looks into the table it changes can wait for itself.
func (s *Store) Clear(ctx context.Context, dataset string, partitions []sinks.Partition, fields map[string]sinks.Day, asOf time.Time) (_ map[sinks.Partition]sinks.Absence, err error) {
	e, p, err := s.newExpiring(ctx, dataset, fields, asOf)
	if err != nil || len(fields) == 0 || len(partitions) == 0 {
		return nil, err
	}
	p["partitions"] = arrayOf(partitionIDs(partitions))
	if e.Held != nil {
		defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), e.HeldTable)) }()
		if err := s.exec(ctx, "create_held", e, nil); err != nil {
			return nil, err
		}
		if err := s.exec(ctx, "find_held_fields", e, p); err != nil {
			return nil, err
		}
	}
	background := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 0}))
	for _, at := range partitions {
		one := *e
		one.Partition = partitionID(at)
		one.Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f expiringField) bool { return at.Day >= fields[f.Name] })
		if len(one.Fields) == 0 {
			continue
		}
		if err := s.exec(background, "clear_fields", &one, nil); err != nil {
			return nil, err
		}
	}
	if err := s.awaitMutations(ctx, e.table); err != nil {
		return nil, errors.Join(err, s.exec(context.WithoutCancel(ctx), "kill_mutations", e.table, nil))
	}
	var filled map[sinks.Partition]uint64
	whole, err := s.awaitGone(ctx, e.table, func() (rows uint64, err error) {
		if filled, err = s.filled(ctx, e, p, partitions); err != nil {
			return 0, err
		}
		for _, n := range filled {
			rows += n
		}
		return rows, nil
	})
	if err != nil {
		return nil, err
	}
	parts, err := s.absence(ctx, e.table, partitionIDs(partitions))
	if err != nil {
		return nil, err
	}
	left := map[sinks.Partition]sinks.Absence{}
	for _, at := range partitions {
		left[at] = sinks.Absence{Rows: filled[at], Active: whole.Active, Inactive: parts[partitionID(at)].Inactive, Detached: parts[partitionID(at)].Detached}
	}
	return left, nil
}
