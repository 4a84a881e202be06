package jobs_test

import (
	"path/filepath"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// benchInstallation is an engine whose user may read files, with an empty table.
type benchInstallation struct {
	dir     string
	engine  *engine.Engine
	options clickhouse.Options
	conn    driver.Conn
	table   string
}

func benchOptions(e *engine.Engine, p *config.Policy) clickhouse.Options {
	return clickhouse.Options{Addresses: []string{e.Address}, User: e.User, Password: e.Password, Policy: p, Sync: e.Sync}
}

func openBench(b *testing.B, policy []byte) *benchInstallation {
	b.Helper()
	library, err := engine.InstalledLibrary()
	if err != nil {
		b.Skip(err)
	}
	i := &benchInstallation{dir: b.TempDir()}
	e, err := engine.Start(b.Context(), engine.Options{
		Dir: filepath.Join(i.dir, "clickhouse"), Library: library, AnalystDatabase: "analytics",
		Files: i.dir,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	i.engine, i.options = e, benchOptions(e, sinktest.Policy(b, policy))
	i.conn, err = driver.Open(&driver.Options{Addr: i.options.Addresses, Auth: driver.Auth{Username: e.User, Password: e.Password}, ReadTimeout: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = i.conn.Close() })
	return i
}

func (i *benchInstallation) exec(b *testing.B, sql string) {
	b.Helper()
	if err := i.conn.Exec(b.Context(), sql); err != nil {
		b.Fatalf("%.200s: %v", sql, err)
	}
}

func (i *benchInstallation) number(b *testing.B, sql string) (n uint64) {
	b.Helper()
	if err := i.conn.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatalf("%.200s: %v", sql, err)
	}
	return n
}

// fresh makes new, empty tables and waits until nothing is at work any more. What
// an earlier round has stored stays until the end: creating files soon after others
// were deleted costs a file system several times as much.
func (i *benchInstallation) fresh(b *testing.B, name string) {
	b.Helper()
	i.options.Databases = clickhouse.DatabasesWithPrefix(name + "_")
	i.table = i.options.Databases.Telemetry + ".events"
	s, err := clickhouse.Open(b.Context(), i.options)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test's
	if err := s.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i.number(b, "SELECT count() FROM system.merges") > 0 {
		time.Sleep(100 * time.Millisecond)
	}
	if err := i.engine.Sync(); err != nil { // what is written next is on its own account
		b.Fatal(err)
	}
}
