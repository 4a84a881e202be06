package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.DisclosureRegister = (*Store)(nil)
	_ sinks.TableExport        = (*Store)(nil)
)

// RecordDisclosure implements sinks.DisclosureRegister.
func (s *Store) RecordDisclosure(ctx context.Context, d sinks.Disclosure) error {
	err := s.insert(ctx, "insert_disclosure", s.db, 1, func(int) []any {
		return []any{uuid.UUID(d.ID), d.Dataset, d.Personal, d.Recipient, d.Region, d.Safeguard, d.Reason, d.By, d.Rows, orEpoch(d.From), orEpoch(d.To), d.Disclosed, d.PolicyHash.String()}
	})
	if err != nil {
		return fmt.Errorf("record disclosure: %w", err)
	}
	return s.durable()
}

// Disclosures implements sinks.DisclosureRegister.
func (s *Store) Disclosures(ctx context.Context) (all []sinks.Disclosure, err error) {
	err = s.query(ctx, "disclosures", s.db, nil, func(r driver.Rows) error {
		var id uuid.UUID
		var hash string
		var d sinks.Disclosure
		err := r.Scan(&id, &d.Dataset, &d.Personal, &d.Recipient, &d.Region, &d.Safeguard, &d.Reason, &d.By, &d.Rows, &d.From, &d.To, &d.Disclosed, &hash)
		if err != nil {
			return err
		}
		d.ID, d.From, d.To = sinks.ID(id), sinceEpoch(d.From), sinceEpoch(d.To)
		all = append(all, d)
		return all[len(all)-1].PolicyHash.UnmarshalText([]byte(hash))
	})
	return all, err
}

// exportedTable returns what is read of a dataset: not the columns that are Lapse's own.
func (s *Store) exportedTable(dataset string, personal bool) (t *table, columns []tableColumn, err error) {
	d, known := s.policy.Dataset(dataset)
	switch {
	case !known:
		return nil, nil, fmt.Errorf("the policy has no dataset %q", dataset)
	case personal:
		t = s.tables[dataset]
	case d.Publish == nil:
		return nil, nil, fmt.Errorf("%q is not published anonymised", dataset)
	default:
		t = s.published(d)
	}
	for _, c := range t.Columns {
		if !strings.HasPrefix(c.Name, config.ReservedPrefix) {
			columns = append(columns, c)
		}
	}
	return t, columns, nil
}

// ExportColumns implements sinks.TableExport.
func (s *Store) ExportColumns(dataset string, personal bool) ([]string, error) {
	_, columns, err := s.exportedTable(dataset, personal)
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names, err
}

// EachRow implements sinks.TableExport.
func (s *Store) EachRow(ctx context.Context, dataset string, personal bool, first, last sinks.Day, format sinks.RowFormat, each func(string) error) error {
	t, columns, err := s.exportedTable(dataset, personal)
	if err != nil {
		return err
	}
	data := struct {
		restrictedRows
		Format, Day, TupleType string
		Selected               []tableColumn
	}{Format: string(format), Day: quote(dayColumn), Selected: columns}
	if data.Database, data.Name = t.Database, t.Name; personal {
		data.Day, data.restrictedRows = fmt.Sprintf("toDate(%s, 'UTC')", quote(t.Time)), s.restrictedRowsOf(t.dataset)
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = quote(c.Name) + " " + c.Type
	}
	data.TupleType = "Tuple(" + strings.Join(parts, ", ") + ")"
	return s.query(ctx, "export_rows", data, parameters{"first": first.String(), "last": last.String()}, func(r driver.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		return each(text)
	})
}
