// Package sinktest holds what the tests of several packages share: a real
// embedded ClickHouse for each test binary, conformance suites for the interfaces
// of package sinks, and fakes with fault hooks. Only tests import it.
package sinktest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

var shared struct {
	sync.Once
	engine *engine.Engine
	dir    string
	err    error
}

// Main runs a package's tests with one engine for all of them, started by the
// first that asks for it. Call it from TestMain.
func Main(m *testing.M) {
	engine.RunIfKeeper()
	code := m.Run()
	if shared.engine != nil {
		_ = shared.engine.Close()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// Engine returns the engine of this test binary. It skips the test where none is
// installed.
func Engine(t testing.TB) *engine.Engine {
	t.Helper()
	library, err := engine.InstalledLibrary()
	if err == nil {
		_, err = os.Stat(library)
	}
	if err != nil {
		t.Skipf("the engine is not installed: %v; run make engine", err)
	}
	shared.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "lapse-test-"); shared.err != nil {
			return
		}
		shared.engine, shared.err = engine.Start(context.Background(), engine.Options{Dir: shared.dir, AnalystDatabase: "analytics", ReaderDatabase: "readable"})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Cleanup(func() {
		if again := shared.engine.StartedAgain(); t.Failed() && again != "" {
			t.Log(again)
		}
	})
	return shared.engine
}

// Store returns a store for p with databases of its own on this test binary's
// engine, and its options.
func Store(t testing.TB, p *config.Policy) (*clickhouse.Store, clickhouse.Options) {
	t.Helper()
	e := Engine(t)
	o := clickhouse.Options{
		Addresses: []string{e.Address},
		User:      e.User,
		Password:  e.Password,
		Databases: clickhouse.DatabasesWithPrefix(fmt.Sprintf("t%s_", sinks.NewID().String()[:12])),
		Policy:    p,
		Sync:      e.Sync,
	}
	s, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(); drop(t, o) })
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, o
}

// drop removes the databases of a test that has ended. Their tables would be looked at
// for as long as the engine runs: in the background, and by every statement that looks
// through all there are.
func drop(t testing.TB, o clickhouse.Options) {
	conn, err := driver.Open(&driver.Options{
		Addr: o.Addresses, Auth: driver.Auth{Username: o.User, Password: o.Password},
		Settings: driver.Settings{"check_table_dependencies": 0}, // a test may have left something that looks into them
	})
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close() //nolint:errcheck // nothing is left to be done on it
	for _, name := range []string{o.Databases.Readable, o.Databases.Analytics, o.Databases.Telemetry, o.Databases.Control} {
		if err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS `"+name+"`"); err != nil {
			t.Errorf("drop what the test has left: %v", err)
		}
	}
}

// Policy parses a policy or ends the test.
func Policy(t testing.TB, raw []byte) *config.Policy {
	t.Helper()
	p, err := config.ParsePolicy("policy.yaml", raw)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
