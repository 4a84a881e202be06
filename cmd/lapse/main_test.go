package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

// TestMain makes this test binary serve as the program itself: the tests and the
// scripts run it under the name lapse.
func TestMain(m *testing.M) {
	engine.RunIfKeeper()
	testscript.Main(m, programs)
}

// TestScripts runs the scripts of testdata/script: what a newcomer types, and what
// comes of it.
func TestScripts(t *testing.T) {
	library := installedLibrary(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("..", "..", "testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("LAPSE_ENGINE_LIBRARY", library)
			return nil
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"keep-engine": keepEngine},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// keepEngine is a command of the scripts: it keeps the engine of the installation in the
// current folder up until the script ends. Most of what a short command costs is otherwise
// the engine's start. Scripts about what a newcomer types do without it, and those that
// move the engine's files.
func keepEngine(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) > 0 {
		ts.Fatalf("usage: keep-engine")
	}
	databases := clickhouse.DatabasesWithPrefix("")
	e, err := engine.Start(context.Background(), engine.Options{
		Dir: ts.MkAbs("data/clickhouse"), Library: ts.Getenv("LAPSE_ENGINE_LIBRARY"),
		AnalystDatabase: databases.Analytics, ReaderDatabase: databases.Readable,
	})
	ts.Check(err)
	ts.Defer(func() { ts.Check(e.Close()) })
}

// installedLibrary returns the engine's library, or skips the test where none is
// installed.
func installedLibrary(t *testing.T) string {
	t.Helper()
	library, err := engine.InstalledLibrary()
	if err == nil {
		_, err = os.Stat(library)
	}
	if err != nil {
		t.Skipf("the engine is not installed: %v; run make engine", err)
	}
	return library
}
