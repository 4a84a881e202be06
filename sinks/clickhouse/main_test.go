package clickhouse_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestMain(m *testing.M) { sinktest.Main(m) }

// visits is a small policy with everything that publication needs.
const visits = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA]}
categories:
  - {id: c, clause: C1, description: d, fields: {f: f}}
purposes:
  - {id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}
quarantine: {keep: P1D, clause: C12, rationale: r}
training: {clause: C6, description: d, field: c.f, purposes: [p], retention: [
  {trigger: consent_absent, keep: PT24H, action: erase, clause: C5, rationale: r},
  {trigger: consent_withdrawn, keep: P0D, action: erase, clause: C8, rationale: r},
  {trigger: purpose_completed, keep: P0D, action: erase, clause: C6, rationale: r}]}
datasets:
  - name: visits
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [page]}
    subject: [user, visitor]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: anonymise, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: user, type: String, from: userId, field: c.f, identifies: directly}
      - {name: visitor, type: String, from: anonymousId, field: c.f, identifies: directly}
      - {name: path, type: String, from: path, field: c.f, identifies: indirectly}
      - {name: country, type: LowCardinality(String), from: country, field: c.f, identifies: indirectly}
      - {name: ms, type: Nullable(UInt32), from: ms, field: c.f, identifies: nobody}
    publish:
      k: 3
      columns:
        - {name: hour, from: at, levels: [hour, day]}
        - {name: page, from: path, levels: [url_path, url_section, any]}
        - {name: country, from: country, levels: [keep, any]}
        - {name: ms, from: ms, measure: true}
      chain: [{}, {hour: 1, page: 1}, {page: 2, country: 1}]
`

// visit is a row of the dataset.
type visit struct {
	day                          int // of 2024
	hour                         int
	user, visitor, path, country string
}

var newYear = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// insert stores visits as ingest would.
func insert(t *testing.T, s *clickhouse.Store, source uint64, rows []visit) {
	t.Helper()
	if err := s.Insert(t.Context(), block(source, rows), sinks.NewID()); err != nil {
		t.Fatal(err)
	}
}

func block(source uint64, rows []visit) *sinks.Block {
	b := &sinks.Block{Dataset: "visits", Source: source, Columns: []*sinks.Column{
		{Name: "at", Type: "DateTime64(3, 'UTC')", Width: 8},
		{Name: "user", Type: "String"}, {Name: "visitor", Type: "String"}, {Name: "path", Type: "String"}, {Name: "country", Type: "String"},
		{Name: "ms", Type: "Nullable(UInt32)", Width: 4, Nullable: true},
	}}
	for i, v := range rows {
		at := newYear.AddDate(0, 0, v.day).Add(time.Duration(v.hour) * time.Hour)
		b.Columns[0].AppendUint(uint64(at.UnixMilli()))
		for j, text := range []string{v.user, v.visitor, v.path, v.country} {
			b.Columns[j+1].AppendString([]byte(text))
		}
		if i%2 == 0 {
			b.Columns[5].AppendUint(uint64(i))
		} else {
			b.Columns[5].AppendDefault()
		}
		b.Days = append(b.Days, sinks.DayOf(at))
		b.Records = append(b.Records, sinks.HashID(fmt.Sprint(source, i)))
		b.Positions = append(b.Positions, uint64(i))
		b.Batches = append(b.Batches, 0)
	}
	return b
}

// day returns the partition of a day of 2024.
func day(n int) sinks.Partition {
	return sinks.Partition{Day: sinks.DayOf(newYear.AddDate(0, 0, n))}
}

// query runs a statement beside the store and returns its rows.
func query(t *testing.T, o clickhouse.Options, sql string) [][]any {
	t.Helper()
	_, rows, err := clickhouse.QueryAnalytics(t.Context(), o, sql)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// execute runs a statement that gives nothing.
func execute(t *testing.T, o clickhouse.Options, sql string) {
	t.Helper()
	conn, err := driver.Open(&driver.Options{Addr: o.Addresses, Auth: driver.Auth{Username: o.User, Password: o.Password}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // a test's
	if err := conn.Exec(context.WithoutCancel(t.Context()), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func store(t *testing.T) (*clickhouse.Store, clickhouse.Options) {
	t.Helper()
	return sinktest.Store(t, sinktest.Policy(t, []byte(visits)))
}

// recording opens a store that notes its statements. What it returns last gives the names
// of those since it was last called.
func recording(t *testing.T) (*clickhouse.Store, clickhouse.Options, func() []string) {
	t.Helper()
	_, o := store(t)
	o.Policy = sinktest.Policy(t, []byte(visits))
	var lock sync.Mutex // statements run side by side
	var statements []string
	o.Trace = func(name string, _ time.Duration) {
		lock.Lock()
		defer lock.Unlock()
		statements = append(statements, name)
	}
	s, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, o, func() []string {
		lock.Lock()
		defer lock.Unlock()
		taken := statements
		statements = nil
		return taken
	}
}

func occurrences(statements []string, of string) (n int) {
	for _, name := range statements {
		if name == of {
			n++
		}
	}
	return n
}
