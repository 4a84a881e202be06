package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.PersonExport = (*Store)(nil)

// personRowsOf is a search whose rows are read.
type personRowsOf struct {
	*search
	Format    string
	Selected  []tableColumn
	TupleType string
}

// EachPersonRow implements sinks.PersonExport. Rows travel in ClickHouse's blocks; a
// person with many is sorted on disk.
func (s *Store) EachPersonRow(ctx context.Context, dataset string, person sinks.Person, columns []string, format sinks.RowFormat, each func(string) error) (err error) {
	x, err := s.newSearch(ctx, dataset, sinks.People{Persons: []sinks.Person{person}}, nil, time.Now())
	if err != nil {
		return fmt.Errorf("read the person's rows of %s: %w", dataset, err)
	}
	defer func() { err = errors.Join(err, x.end(ctx)) }()
	data := personRowsOf{search: x, Format: string(format)}
	var parts []string
	for _, name := range columns {
		for _, c := range x.table.Columns {
			if c.Name == name {
				data.Selected = append(data.Selected, c)
				parts = append(parts, quote(c.Name)+" "+c.Type)
			}
		}
	}
	data.TupleType = "Tuple(" + strings.Join(parts, ", ") + ")"
	return s.query(ctx, "person_rows", data, nil, func(r driver.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		return each(text)
	})
}
