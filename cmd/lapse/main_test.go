package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

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
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
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
