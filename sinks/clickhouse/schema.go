package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hashicorp/go-multierror"
)

// stagePrefix begins the names of the tables in which a partition is prepared.
const stagePrefix = "stage_"

// Prepare makes the databases and tables that are missing, adds columns that the
// policy has gained, and then compares what is there with the policy. It refuses
// to go on if personal data could lie where the policy does not say: an
// unregistered table, column, view, dictionary or projection (I13).
func (s *Store) Prepare(ctx context.Context) error {
	if err := s.prepareControl(ctx); err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	return s.prepareTables(ctx)
}

// prepareControl makes the databases, and the tables that tell which server this is.
func (s *Store) prepareControl(ctx context.Context) error {
	for _, name := range []string{s.db.Telemetry, s.db.Analytics, s.db.Control, s.db.Readable} {
		if err := s.exec(ctx, "create_database", name, nil); err != nil {
			return err
		}
	}
	return s.migrate(ctx)
}

func (s *Store) prepareTables(ctx context.Context) error {
	expected := s.expected()
	if err := s.makeTables(ctx, expected); err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	live, err := s.live(ctx)
	if err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	if err := s.addColumns(ctx, expected, live); err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	if err := s.addIndexes(ctx, expected); err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	wanted, err := s.views()
	if err == nil {
		err = s.makeViews(ctx, wanted, live) // over columns that may be new
	}
	if err != nil {
		return fmt.Errorf("prepare clickhouse: %w", err)
	}
	return s.compare(ctx, expected, wanted, live)
}

// makeTables makes the tables that are missing.
func (s *Store) makeTables(ctx context.Context, expected []*table) error {
	live, err := s.liveTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range expected {
		full := t.Database + "." + t.Name
		if live[full] != nil {
			continue
		}
		t.SyncsParts = s.sync == nil
		if err := s.exec(ctx, "create_table", t, nil); err != nil {
			return fmt.Errorf("%s: %w", full, err)
		}
	}
	return nil
}

// expected returns every table that is compiled from the policy.
func (s *Store) expected() []*table {
	var tables []*table
	for _, t := range s.tables {
		if s.first() || t.Database != s.db.Control {
			tables = append(tables, t)
		}
		if all := s.everywhere(t); all != t {
			tables = append(tables, all)
		}
	}
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		if d.Publish == nil {
			continue
		}
		own := s.published(d)
		tables = append(tables, own)
		if s.cluster != "" {
			tables = append(tables, own.over(s.cluster, own.Database, d.Name))
		}
	}
	slices.SortFunc(tables, func(a, b *table) int {
		return strings.Compare(a.Database+"."+a.Name, b.Database+"."+b.Name)
	})
	return tables
}

// liveTable is a table as ClickHouse describes it.
type liveTable struct {
	database, name, engine, partitionKey, sortingKey, comment string

	columns []tableColumn
}

// liveTables reads which tables are in the databases, without their columns.
func (s *Store) liveTables(ctx context.Context) (map[string]*liveTable, error) {
	tables := map[string]*liveTable{}
	return tables, s.query(ctx, "live_tables", s.db, nil, func(r driver.Rows) error {
		t := &liveTable{}
		err := r.Scan(&t.database, &t.name, &t.engine, &t.partitionKey, &t.sortingKey, &t.comment)
		tables[t.database+"."+t.name] = t
		return err
	})
}

// live reads what is in the databases.
func (s *Store) live(ctx context.Context) (map[string]*liveTable, error) {
	tables, err := s.liveTables(ctx)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, "live_columns", s.db, nil, func(r driver.Rows) error {
		var database, name string
		var c tableColumn
		if err := r.Scan(&database, &name, &c.Name, &c.Type); err != nil {
			return err
		}
		if t := tables[database+"."+name]; t != nil {
			t.columns = append(t.columns, c)
		}
		return nil
	})
	return tables, err
}

// addColumns adds what the policy has gained, and notes it in live.
func (s *Store) addColumns(ctx context.Context, expected []*table, live map[string]*liveTable) error {
	for _, t := range expected {
		have := live[t.Database+"."+t.Name]
		if have == nil {
			continue // compare says so
		}
		for _, c := range t.Columns {
			if slices.ContainsFunc(have.columns, func(l tableColumn) bool { return l.Name == c.Name }) {
				continue
			}
			data := map[string]any{"Database": t.Database, "Name": t.Name, "Column": c}
			if err := s.exec(ctx, "add_column", data, nil); err != nil {
				return fmt.Errorf("%s.%s: %w", t.Database, t.Name, err)
			}
			have.columns = append(have.columns, c)
		}
	}
	return nil
}

// addIndexes adds their index to tables that were made without it.
func (s *Store) addIndexes(ctx context.Context, expected []*table) error {
	indexed := map[[3]string]bool{} // database, table, index
	err := s.query(ctx, "indexed_tables", s.db, nil, func(r driver.Rows) error {
		var name [3]string
		err := r.Scan(&name[0], &name[1], &name[2])
		indexed[name] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range expected {
		if t.Index == nil || indexed[[3]string{t.Database, t.Name, t.Index.Name}] {
			continue
		}
		if err := s.exec(ctx, "add_index", t, nil); err != nil {
			return fmt.Errorf("%s.%s: %w", t.Database, t.Name, err)
		}
	}
	return nil
}

// compare holds the live schema against the policy and gathers what differs.
func (s *Store) compare(ctx context.Context, expected []*table, wanted []*view, live map[string]*liveTable) error {
	var faults *multierror.Error
	known := map[string]bool{}
	for _, t := range expected {
		full := t.Database + "." + t.Name
		known[full] = true
		faults = multierror.Append(faults, t.differences(full, live[full])...)
	}
	for _, v := range wanted {
		full := v.Database + "." + v.Name
		known[full] = true
		if t := live[full]; t != nil && t.engine != viewEngine {
			faults = multierror.Append(faults, fmt.Errorf("%s is a table, and in the policy a view: rename the one or the other", full))
		}
	}
	for _, name := range controlTables {
		known[s.db.Control+"."+name] = true
	}
	for _, full := range slices.Sorted(maps.Keys(live)) {
		t := live[full]
		if known[full] || t.database == s.db.Control && strings.HasPrefix(t.name, stagePrefix) {
			continue
		}
		faults = multierror.Append(faults, fmt.Errorf("%s is not registered in the policy: describe it there as a dataset, or move it out of this database", full))
	}
	data := map[string]any{"Personal": s.mentionsPersonal(), "Telemetry": s.db.Telemetry, "Control": s.db.Control, "Readable": s.db.Readable, "ControlTables": s.personalControlTables()}
	err := s.query(ctx, "live_derivatives", data, nil, func(r driver.Rows) error {
		var database, name, engine string
		if err := r.Scan(&database, &name, &engine); err != nil {
			return err
		}
		if engine == distributedEngine && known[database+"."+name] {
			return nil // it holds nothing itself
		}
		faults = multierror.Append(faults, fmt.Errorf("%s.%s (%s) is derived from personal tables and not registered in the policy: what is deleted there would live on here; drop it", database, name, engine))
		return nil
	})
	if err != nil {
		return err
	}
	if faults.ErrorOrNil() == nil {
		return nil
	}
	return fmt.Errorf("compare the live schema with policy %s %s: %w", s.policy.Name, s.policy.Version, faults)
}

// personalControlTables returns the tables of the control database that hold
// personal data.
func (s *Store) personalControlTables() (names []string) {
	names = append(names, "request_people", "request_terms")
	for _, t := range s.tables {
		if t.Database == s.db.Control {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return names
}

// mentionsPersonal returns a regular expression for the definitions that name a
// personal table, in a query or as the source of a dictionary. A database whose
// name only ends like one of Lapse's is another.
func (s *Store) mentionsPersonal() string {
	telemetry, control := regexp.QuoteMeta(s.db.Telemetry), regexp.QuoteMeta(s.db.Control)
	tables := "(" + strings.Join(s.personalControlTables(), "|") + ")"
	return fmt.Sprintf("(^|[^0-9A-Za-z_`])(%[1]s[.]|`%[1]s`[.]|%[2]s[.]`?%[3]s\\b|`%[2]s`[.]`?%[3]s\\b)|'%[1]s'|'%[2]s'(?s:.*)'%[3]s'", telemetry, control, tables)
}

// differences says how a live table deviates from the policy's.
func (t *table) differences(full string, live *liveTable) (faults []error) {
	if live == nil {
		return []error{fmt.Errorf("%s is missing and could not be made", full)}
	}
	if want := t.engine(); live.engine != want {
		faults = append(faults, fmt.Errorf("%s is a %s, and Lapse needs a %s there: rename it and run again to have it made; Lapse does not support replicated tables, because what is deleted from one replica may still be on another", full, live.engine, want))
	}
	if normalise(live.partitionKey) != normalise(t.PartitionBy) {
		faults = append(faults, fmt.Errorf("%s is partitioned by %s, the policy needs %s: rename the table and run again to have it made anew", full, live.partitionKey, t.PartitionBy))
	}
	want := map[string]string{}
	for _, c := range t.Columns {
		want[c.Name] = c.Type
	}
	for _, c := range live.columns {
		switch expected, ok := want[c.Name]; {
		case !ok:
			faults = append(faults, fmt.Errorf("the column %s.%s is not registered in the policy: describe it there, or drop it from the table", full, c.Name))
		case expected != c.Type:
			faults = append(faults, fmt.Errorf("the column %s.%s is %s, the policy says %s: change the one or the other", full, c.Name, c.Type, expected))
		}
	}
	return faults
}

// distributedEngine is that of tables over those of other servers.
const distributedEngine = "Distributed"

func (t *table) engine() string {
	if t.Over != "" {
		return distributedEngine
	}
	return "MergeTree"
}

// normalise removes what ClickHouse writes differently from what it was given.
func normalise(expression string) string {
	return strings.NewReplacer("`", "", " ", "", "(", "", ")", "").Replace(expression)
}
