package clickhouse

import (
	"context"
	"errors"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.AuditCopy = (*Store)(nil)

// FirstMissing implements sinks.AuditCopy. A year with a gap in it, which only
// somebody else's hand can have made, is missing as a whole.
func (s *Store) FirstMissing(ctx context.Context) (year int, index int64, err error) {
	gap := false
	err = s.query(ctx, "audit_years", s.db, nil, func(r driver.Rows) error {
		var y uint16
		var entries, last uint64
		var closed bool
		if err := r.Scan(&y, &entries, &last, &closed); err != nil || gap {
			return err
		}
		year, index = int(y), int64(last)+1
		if entries <= last {
			index = 0
		}
		gap = entries <= last || !closed
		return nil
	})
	return year, index, err
}

// CopyEntries implements sinks.AuditCopy. What is searched by is computed by the
// table itself from the entry.
func (s *Store) CopyEntries(ctx context.Context, records []sinks.AuditRecord) error {
	return s.insert(ctx, "insert_audit", s.db, len(records), func(i int) []any {
		return []any{uint16(records[i].Year), uint64(records[i].Index), records[i].Entry}
	})
}

// CopiedEntries implements sinks.AuditCopy. Of several rows for one place, the one
// that was written last counts.
func (s *Store) CopiedEntries(ctx context.Context) iter.Seq2[sinks.CopiedEntry, error] {
	return func(yield func(sinks.CopiedEntry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		data := struct {
			Databases
			Columns []derivedColumn
		}{Databases: s.db}
		err := s.query(ctx, "audit_columns", s.db, nil, func(r driver.Rows) error {
			var c derivedColumn
			err := r.Scan(&c.Name, &c.Expression)
			data.Columns = append(data.Columns, c)
			return err
		})
		if err == nil {
			err = s.query(ctx, "copied_entries", data, nil, func(r driver.Rows) error {
				var year uint16
				var index uint64
				var c sinks.CopiedEntry
				if err := r.Scan(&year, &index, &c.Entry, &c.Consistent); err != nil {
					return err
				}
				c.Year, c.Index = int(year), int64(index)
				if !yield(c, nil) {
					cancel() // or what is left would be read to its end
					return errStopped
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(sinks.CopiedEntry{}, err)
		}
	}
}

// derivedColumn is a column with what it is computed from the entry by.
type derivedColumn struct{ Name, Expression string }

// errStopped ends a query whose reader wants no more.
var errStopped = errors.New("stopped")
