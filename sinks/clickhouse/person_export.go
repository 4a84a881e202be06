package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
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
	Ends      bool // not all of the person's events count
}

// EachPersonRow implements sinks.PersonExport. Rows travel in ClickHouse's blocks; a
// person with many is sorted on disk.
func (s *Store) EachPersonRow(ctx context.Context, dataset string, person sinks.Person, columns []string, format sinks.RowFormat, each func(string) error) error {
	t, err := s.table(dataset)
	if err != nil {
		return err
	}
	if t.dataset == nil {
		return fmt.Errorf("read the person's rows of %s: it is not a dataset", dataset)
	}
	data := personRowsOf{Format: string(format), Ends: !person.Until.IsZero()}
	var parts []string
	for _, name := range columns {
		for _, c := range t.Columns {
			if c.Name == name {
				data.Selected = append(data.Selected, c)
				parts = append(parts, quote(c.Name)+" "+c.Type)
			}
		}
	}
	data.TupleType = "Tuple(" + strings.Join(parts, ", ") + ")"
	all := s.everywhere(t) // in one order
	data.search = &search{Database: all.Database, Name: all.Name, Time: t.Time, Columns: named(t.dataset.Subject, person.Identifiers)}
	if len(data.Columns) == 0 {
		return nil
	}
	of, err := externalIdentifiers(externalPeople, person.Identifiers)
	if err != nil {
		return err
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(of))
	err = s.query(ctx, "person_rows", data, parameters{"until": milliseconds(orEpoch(person.Until))}, func(r driver.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		return each(text)
	})
	if err != nil {
		return fmt.Errorf("read the person's rows of %s: %w", dataset, err)
	}
	return nil
}

// named returns those of the columns of which there is an identifier: others need not be
// read.
func named(columns []string, identifiers []sinks.Identifier) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(c string) bool {
		return !slices.ContainsFunc(identifiers, func(i sinks.Identifier) bool { return i.Column == c })
	})
}
