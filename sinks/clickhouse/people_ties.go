package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// pair is two columns of a table that can tie identifiers together.
type pair struct {
	Database, Name, Stronger, Weaker string
	As                               string // the column that the weaker's texts are of
	Call                             string // that holds what was called, where alias calls alone count
}

// mostTies bounds what is tied to the people of one look.
const mostTies = 1_000_000

// Ties implements sinks.PeopleTables.
func (s *Store) Ties(ctx context.Context, of []sinks.Identifier, organisations bool) (ties []sinks.Tie, err error) {
	var pairs []pair
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		columns := d.Subject
		if organisations && d.Organisation != "" && !slices.Contains(columns, d.Organisation) {
			columns = append([]string{d.Organisation}, columns...)
		}
		for n, stronger := range columns {
			for _, weaker := range columns[n+1:] {
				pairs = append(pairs, pair{Database: s.db.Telemetry, Name: d.Name, Stronger: stronger, Weaker: weaker, As: weaker})
			}
		}
		pairs = append(pairs, s.renamed(d)...)
	}
	err = s.lookUp(ctx, "ties", pairs, of, func(a, b sinks.Identifier) { ties = append(ties, sinks.Tie{Stronger: a, Weaker: b}) })
	return ties, err
}

// renamed returns what ties people to the names that they had before: those of alias calls,
// whose previousId is an anonymous or a user id. It stands with the former.
func (s *Store) renamed(d *config.Dataset) (pairs []pair) {
	if !slices.Contains(d.Input.Types, "alias") || len(d.Subject) == 0 {
		return nil
	}
	call := slices.IndexFunc(d.Columns, func(c config.Column) bool { return slices.Equal(c.From, config.StringList{"type"}) })
	if call < 0 {
		return nil
	}
	for _, weaker := range d.Subject[1:] {
		if c, _ := d.Column(weaker); slices.Contains(c.From, "previousId") {
			pairs = append(pairs, pair{
				Database: s.db.Telemetry, Name: d.Name, Stronger: d.Subject[0], Weaker: weaker, As: d.Subject[0], Call: d.Columns[call].Name,
			})
		}
	}
	return pairs
}

// Resolve implements sinks.PeopleTables.
func (s *Store) Resolve(ctx context.Context, of []sinks.Identifier) (map[sinks.Identifier][]sinks.Identifier, error) {
	var pairs []pair
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		for _, other := range of {
			if _, has := d.Column(other.Column); !has || slices.Contains(d.Subject, other.Column) {
				continue
			}
			for _, subject := range d.Subject {
				if p := (pair{Database: s.db.Telemetry, Name: d.Name, Stronger: subject, Weaker: other.Column}); !slices.Contains(pairs, p) {
					pairs = append(pairs, p)
				}
			}
		}
	}
	found := map[sinks.Identifier][]sinks.Identifier{}
	err := s.lookUp(ctx, "resolve_identifiers", pairs, of, func(other, subject sinks.Identifier) { found[other] = append(found[other], subject) })
	return found, err
}

// lookUp runs a statement about pairs of columns for identifiers, which travel as an
// external table.
func (s *Store) lookUp(ctx context.Context, statement string, pairs []pair, of []sinks.Identifier, each func(a, b sinks.Identifier)) error {
	if len(pairs) == 0 || len(of) == 0 {
		return nil
	}
	wanted, err := externalIdentifiers("wanted", of)
	if err != nil {
		return err
	}
	n := 0
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted))
	err = s.query(ctx, statement, map[string]any{"Pairs": pairs}, parameters{"limit": fmt.Sprint(mostTies + 1)}, func(r driver.Rows) error {
		var a, b sinks.Identifier
		err := r.Scan(&a.Column, &a.Text, &b.Column, &b.Text)
		n++
		each(a, b)
		return err
	})
	if err == nil && n > mostTies {
		return fmt.Errorf("more than %d identifiers are tied to these people: name fewer at once", mostTies)
	}
	return err
}

// externalIdentifiers returns identifiers as an external table.
func externalIdentifiers(name string, of []sinks.Identifier) (*ext.Table, error) {
	t, err := ext.NewTable(name, ext.Column("identifier", "String"), ext.Column("subject", "String"))
	if err != nil {
		return nil, err
	}
	for _, i := range of {
		if err := t.Append(i.Column, i.Text); err != nil {
			return nil, err
		}
	}
	return t, nil
}
