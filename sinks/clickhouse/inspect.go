package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Inspection is what was found out about a server, without a change to it.
type Inspection struct {
	Version   string
	User      string
	Now       time.Time // by the server's clock
	ReadOnly  bool      // the user's profile allows no changes
	Disks     []Disk
	Missing   []string // GRANT statements that the user lacks
	CanGrants bool     // whether the server tells about grants
	Mutations []string // tables with a mutation that fails
	Detached  uint64   // detached parts in the personal database
	Prepared  bool     // the tables have been made
	Schema    error    // how the tables differ from the policy, if they have been made
}

// Disk is one of the server's.
type Disk struct {
	Name        string
	Free, Total uint64 // bytes
}

// Codes of the server's exceptions.
const (
	codeSyntaxError  = 62
	codeUnknownTable = 60
	codeAccessDenied = 497
)

// Inspect finds out what a run would meet.
func (s *Store) Inspect(ctx context.Context) (*Inspection, error) {
	i := &Inspection{}
	var readOnly uint64
	if err := s.queryRow(ctx, "server", nil, nil, &i.Version, &i.User, &i.Now, &readOnly); err != nil {
		return nil, err
	}
	i.ReadOnly = readOnly != 0
	for _, look := range []func(context.Context, *Inspection) error{s.inspectGrants, s.inspectDisks, s.inspectParts, s.inspectSchema} {
		if err := look(ctx, i); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// inspectGrants asks for each privilege, since grants come from roles, too.
func (s *Store) inspectGrants(ctx context.Context, i *Inspection) error {
	i.CanGrants = true
	if s.cluster != "" {
		if ok, err := s.granted(ctx, "REMOTE", ""); err == nil && !ok {
			i.Missing = append(i.Missing, "GRANT REMOTE ON *.* TO "+quote(i.User))
		}
	}
	for _, database := range []string{s.db.Telemetry, s.db.Analytics, s.db.Control, s.db.Readable} {
		var lacks []string
		for _, p := range privileges {
			ok, err := s.granted(ctx, p, database)
			var refused *ServerError
			if errors.As(err, &refused) && refused.Code == codeSyntaxError { // before 24.10
				i.CanGrants = false
				return nil
			}
			if err != nil {
				return err
			}
			if !ok {
				lacks = append(lacks, p)
			}
		}
		if len(lacks) > 0 {
			i.Missing = append(i.Missing, fmt.Sprintf("GRANT %s ON %s.* TO %s", strings.Join(lacks, ", "), quote(database), quote(i.User)))
		}
	}
	return nil
}

func (s *Store) granted(ctx context.Context, privilege, database string) (bool, error) {
	var ok uint8
	err := s.queryRow(ctx, "check_grant", map[string]string{"Privilege": privilege, "Database": database}, nil, &ok)
	return ok == 1, err
}

// Reads reports whether the user may read in a database that it should not.
func (s *Store) Reads(ctx context.Context) (personal bool, err error) {
	return s.granted(ctx, "SELECT", s.db.Telemetry)
}

func (s *Store) inspectDisks(ctx context.Context, i *Inspection) error {
	return ifKnown(s.query(ctx, "disks", nil, nil, func(r driver.Rows) error {
		var d Disk
		err := r.Scan(&d.Name, &d.Free, &d.Total)
		i.Disks = append(i.Disks, d)
		return err
	}))
}

func (s *Store) inspectParts(ctx context.Context, i *Inspection) error {
	err := s.query(ctx, "failing_mutations", s.db, nil, func(r driver.Rows) error {
		var table string
		err := r.Scan(&table)
		i.Mutations = append(i.Mutations, table)
		return err
	})
	return errors.Join(ifKnown(err), ifKnown(s.queryRow(ctx, "detached_parts", s.db, nil, &i.Detached)))
}

func (s *Store) inspectSchema(ctx context.Context, i *Inspection) error {
	live, err := s.live(ctx)
	if err != nil || len(live) == 0 {
		return ifKnown(err)
	}
	i.Prepared = true
	wanted, err := s.views()
	if err != nil {
		return err
	}
	i.Schema = s.compare(ctx, s.expected(), wanted, live)
	var refused *ServerError
	if errors.As(i.Schema, &refused) {
		i.Schema = nil // the grants are the fault
	}
	return nil
}

// ifKnown passes over what a server does not have, or the user may not see: that is
// reported as a missing grant.
func ifKnown(err error) error {
	var refused *ServerError
	if errors.As(err, &refused) && (refused.Code == codeUnknownTable || refused.Code == codeAccessDenied) {
		return nil
	}
	return err
}
