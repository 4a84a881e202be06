package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// reopen opens a store for another version of the policy on the same databases.
func reopen(t *testing.T, o clickhouse.Options, policy string) *clickhouse.Store {
	t.Helper()
	o.Policy = sinktest.Policy(t, []byte(policy))
	s, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// statement fills in the names of a store's databases: {personal}, {published},
// {control} and {readable}, and {elsewhere} for a database that is none of Lapse's.
func statement(o clickhouse.Options, sql string) string {
	return strings.NewReplacer(
		"{personal}", "`"+o.Databases.Telemetry+"`",
		"{published}", "`"+o.Databases.Analytics+"`",
		"{control}", "`"+o.Databases.Control+"`",
		"{readable}", "`"+o.Databases.Readable+"`",
		"{elsewhere}", "`"+elsewhere(o)+"`",
	).Replace(sql)
}

func elsewhere(o clickhouse.Options) string { return o.Databases.Control + "_elsewhere" }

// Each is something by which personal data would live on unseen.
func TestPrepareRefusesWhatThePolicyDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make  string
		named []string // what the error must name, the cure among it
	}{
		"a table": {
			"CREATE TABLE {personal}.copy (user String) ENGINE = MergeTree ORDER BY tuple()",
			[]string{"{personal}.copy", "not registered", "describe it there as a dataset, or move it"},
		},
		"a table in memory": {
			"CREATE TABLE {personal}.copy (user String) ENGINE = Memory",
			[]string{"{personal}.copy", "not registered"},
		},
		"a table among the anonymised": {
			"CREATE TABLE {published}.visits_raw (user String) ENGINE = MergeTree ORDER BY tuple()",
			[]string{"{published}.visits_raw", "not registered"},
		},
		"a table among the control tables": {
			"CREATE TABLE {control}.notes (user String) ENGINE = MergeTree ORDER BY tuple()",
			[]string{"{control}.notes", "not registered"},
		},
		"a view among the readable ones": {
			"CREATE VIEW {readable}.all AS SELECT user FROM {personal}.visits",
			[]string{"{readable}.all", "not registered"},
		},
		"a column": {
			"ALTER TABLE {personal}.visits ADD COLUMN email String",
			[]string{"{personal}.visits.email", "not registered", "drop it from the table"},
		},
		"a column computed from others": {
			"ALTER TABLE {personal}.visits ADD COLUMN whom String ALIAS concat(user, visitor)",
			[]string{"{personal}.visits.whom", "not registered"},
		},
		"a column of an anonymised table": {
			"ALTER TABLE {published}.visits ADD COLUMN user String",
			[]string{"{published}.visits.user", "not registered"},
		},
		"another type": {
			"ALTER TABLE {personal}.visits MODIFY COLUMN ms Nullable(UInt64)",
			[]string{"{personal}.visits.ms", "Nullable(UInt64)", "the policy says Nullable(UInt32)", "change the one or the other"},
		},
		"a view": {
			"CREATE VIEW {elsewhere}.people AS SELECT user FROM {personal}.visits",
			[]string{"{elsewhere}.people (View)", "drop it"},
		},
		"a view beside the table": {
			"CREATE VIEW {personal}.people AS SELECT user FROM {personal}.visits",
			[]string{"{personal}.people", "drop it"},
		},
		"a view that an analyst could read": {
			"CREATE VIEW {published}.people AS SELECT user FROM {personal}.visits",
			[]string{"{published}.people", "drop it"},
		},
		"a materialised view": {
			"CREATE MATERIALIZED VIEW {elsewhere}.people ENGINE = MergeTree ORDER BY user AS SELECT user FROM {personal}.visits",
			[]string{"{elsewhere}.people (MaterializedView)", "drop it"},
		},
		"a view of the quarantine": {
			"CREATE VIEW {elsewhere}.unreadable AS SELECT raw FROM {control}.quarantine",
			[]string{"{elsewhere}.unreadable (View)", "drop it"},
		},
		"a materialised view of the training register": {
			"CREATE MATERIALIZED VIEW {elsewhere}.pictures ENGINE = MergeTree ORDER BY subject AS SELECT subject FROM {control}.training",
			[]string{"{elsewhere}.pictures (MaterializedView)", "drop it"},
		},
		"a dictionary": {
			"CREATE DICTIONARY {elsewhere}.people (visitor String, user String) PRIMARY KEY visitor SOURCE(CLICKHOUSE(DB '{database}' TABLE 'visits')) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)",
			[]string{"{elsewhere}.people (Dictionary)", "drop it"},
		},
		"a projection": {
			"ALTER TABLE {personal}.visits ADD PROJECTION by_user (SELECT user, count() GROUP BY user)",
			[]string{"{personal}.visits.by_user (projection)", "drop it"},
		},
		"a projection of the quarantine": {
			"ALTER TABLE {control}.quarantine ADD PROJECTION by_raw (SELECT raw, count() GROUP BY raw)",
			[]string{"{control}.quarantine.by_raw (projection)", "drop it"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			execute(t, o, statement(o, "CREATE DATABASE {elsewhere}"))
			execute(t, o, strings.ReplaceAll(statement(o, c.make), "{database}", o.Databases.Telemetry))
			err := s.Prepare(t.Context())
			if err == nil {
				t.Fatal("the schema was accepted")
			}
			for _, want := range c.named {
				if want = strings.ReplaceAll(statement(o, want), "`", ""); !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// What only looks as if it were Lapse's business is left alone.
// What is as the policy has it is looked at and left alone.
func TestPrepareMakesNothingASecondTime(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	var ran []string
	o.Trace = func(statement string, _ time.Duration) { ran = append(ran, statement) }
	if err := reopen(t, o, visits).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(ran, "live_derivatives") {
		t.Errorf("nothing was looked at: %v", ran)
	}
	for _, statement := range []string{"create_table", "create_view", "add_column", "add_index", "record_migrations"} {
		if slices.Contains(ran, statement) {
			t.Errorf("%s again: %v", statement, ran)
		}
	}
}

func TestPrepareAcceptsWhatIsNotPersonal(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]string{
		"a view of an anonymised table":        "CREATE VIEW {elsewhere}.pages AS SELECT page, count() AS n FROM {published}.visits GROUP BY page",
		"a table of the same name elsewhere":   "CREATE TABLE {elsewhere}.visits (user String) ENGINE = MergeTree ORDER BY tuple()",
		"a database whose name ends like ours": "CREATE VIEW {elsewhere}.people AS SELECT user FROM `x{bare}`.visits",
		"a staging table of another process":   "CREATE TABLE {control}.stage_1_rows AS {published}.visits",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			execute(t, o, statement(o, "CREATE DATABASE {elsewhere}"))
			execute(t, o, "CREATE DATABASE `x"+o.Databases.Telemetry+"`")
			execute(t, o, "CREATE TABLE `x"+o.Databases.Telemetry+"`.visits (user String) ENGINE = MergeTree ORDER BY tuple()")
			execute(t, o, strings.ReplaceAll(statement(o, make), "{bare}", o.Databases.Telemetry))
			if err := s.Prepare(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a publication makes for itself on its way is nobody's fault.
func TestPrepareBesideAPublication(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	insert(t, s, 1, []visit{{user: "a", path: "/p"}, {user: "b", path: "/p"}, {user: "c", path: "/p"}})
	other := reopen(t, o, visits)
	published := make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		for {
			select {
			case <-published:
				return nil
			default:
				if err := other.Prepare(t.Context()); err != nil {
					return err
				}
			}
		}
	})
	for range 10 {
		publish(t, s, day(0))
	}
	close(published)
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPrepareNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits ADD COLUMN email String, ADD COLUMN phone String"))
	execute(t, o, statement(o, "CREATE TABLE {published}.other (x String) ENGINE = Memory"))
	err := s.Prepare(t.Context())
	for _, want := range []string{"visits.email", "visits.phone", o.Databases.Analytics + ".other"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func TestTableInPlaceOfAPolicysIsNotTakenForIt(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	execute(t, o, statement(o, "DROP TABLE {personal}.visits"))
	execute(t, o, statement(o, "CREATE TABLE {personal}.visits (at DateTime64(3, 'UTC'), user String, visitor String, path String, country LowCardinality(String), ms Nullable(UInt32), "+
		"lapse_record UUID, lapse_source UInt64, lapse_position UInt64, lapse_batch UInt32) ENGINE = MergeTree PARTITION BY toYYYYMM(at) ORDER BY at"))
	err := s.Prepare(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is partitioned by") || !strings.Contains(err.Error(), "rename the table") {
		t.Errorf("accepted, or not understandable: %v", err)
	}
}

func TestViewInPlaceOfAPolicysTableIsRefused(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	execute(t, o, statement(o, "CREATE DATABASE {elsewhere}"))
	execute(t, o, statement(o, "CREATE TABLE {elsewhere}.visits AS {published}.visits"))
	execute(t, o, statement(o, "DROP TABLE {published}.visits"))
	execute(t, o, statement(o, "CREATE VIEW {published}.visits AS SELECT * FROM {elsewhere}.visits"))
	if err := s.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), o.Databases.Analytics+".visits") {
		t.Errorf("accepted, or does not name it: %v", err)
	}
}

const (
	lengthColumn    = "      - {name: length, type: Nullable(UInt32), from: length, field: c.f, identifies: nobody}\n    publish:\n"
	publishedLength = "        - {name: length, from: length, measure: true}\n      chain:"
)

// visitsWithLength is the policy with one column more, personal and published.
func visitsWithLength() string {
	return strings.NewReplacer("    publish:\n", lengthColumn, "      chain:", publishedLength).Replace(visits)
}

func TestColumnNewInThePolicyIsAdded(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	rows := []visit{{user: "a", path: "/p"}, {user: "b", path: "/p"}, {user: "c", path: "/p"}}
	insert(t, s, 1, rows)
	publish(t, s, day(0))
	grown := reopen(t, o, visitsWithLength())
	for range 2 { // the second time there is nothing to add
		if err := grown.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{o.Databases.Telemetry, o.Databases.Analytics} {
		found := query(t, o, fmt.Sprintf("SELECT type, comment FROM system.columns WHERE database = '%s' AND table = 'visits' AND name = 'length'", table))
		if len(found) != 1 || found[0][0] != "Nullable(UInt32)" || found[0][1] == "" {
			t.Errorf("%s.visits.length is %v", table, found)
		}
	}
	// What was there is still there, and the next day is published with the column.
	more := block(2, []visit{{day: 1, user: "a", path: "/p"}, {day: 1, user: "b", path: "/p"}, {day: 1, user: "c", path: "/p"}})
	length := &sinks.Column{Name: "length", Type: "Nullable(UInt32)", Width: 4, Nullable: true}
	for i := range 3 {
		length.AppendUint(uint64(100 + i))
	}
	more.Columns = append(more.Columns, length)
	if err := grown.Insert(t.Context(), more, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	publish(t, grown, day(1))
	publish(t, grown, day(0))
	got := query(t, o, "SELECT toString(day), toString(length) FROM visits ORDER BY day, length")
	want := [][]any{{"2024-01-01", nil}, {"2024-01-01", nil}, {"2024-01-01", nil}, {"2024-01-02", "100"}, {"2024-01-02", "101"}, {"2024-01-02", "102"}}
	if !slices.EqualFunc(got, want, func(a, b []any) bool { return a[0] == b[0] && a[1] == b[1] }) {
		t.Errorf("published %v", got)
	}
}

// A column that the policy has lost may hold personal data that nobody looks after.
// A table that an earlier version has made gets the index by which people are found, and
// what is in it is found as before; days are separated and replaced beside it.
func TestIndexOfPeopleIsAddedToOlderTables(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits DROP INDEX lapse_people"))
	insert(t, s, 1, []visit{{user: "ann", path: "/p"}, {user: "bob", path: "/p"}})
	for range 2 {
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	insert(t, s, 2, []visit{{user: "ann", path: "/q"}, {day: 1, user: "cid", path: "/p"}})
	execute(t, o, statement(o, "OPTIMIZE TABLE {personal}.visits FINAL"))
	found := query(t, o, fmt.Sprintf("SELECT expr, granularity FROM system.data_skipping_indices WHERE database = '%s' AND name = 'lapse_people' AND data_compressed_bytes > 0", o.Databases.Telemetry))
	if fmt.Sprint(found) != "[[user, visitor 1]]" {
		t.Errorf("the index is %v", found)
	}
	people := sinks.People{Persons: []sinks.Person{{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user", Text: "ann"}}}}}
	rows, _, err := s.CountPeople(t.Context(), people, newYear)
	if err != nil || len(rows) != 1 || rows[0].Rows != 2 {
		t.Errorf("found %+v: %v", rows, err)
	}
}

func TestColumnThatThePolicyHasLostIsRefused(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	if err := reopen(t, o, visitsWithLength()).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := reopen(t, o, visits).Prepare(t.Context())
	if err == nil || !strings.Contains(err.Error(), "visits.length") || !strings.Contains(err.Error(), "drop it from the table") {
		t.Errorf("accepted, or not understandable: %v", err)
	}
}
