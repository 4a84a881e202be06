package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestKeeperKeepsTheRunsOfMachinesApart has an installation whose server has a Keeper:
// while another machine runs a job, a run of it waits, and a time-out is one that trying
// again helps against.
func TestKeeperKeepsTheRunsOfMachinesApart(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	e, err := engine.Start(t.Context(), engine.Options{Dir: t.TempDir(), AnalystDatabase: "analytics", Keeper: sinktest.StartZooKeeper(t).Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	w.appendSettings("\nlease: {kind: keeper}\n")
	if code, out := w.code("run", "purge"); code != exitUsage || !strings.Contains(out, "set clickhouse.dsn") {
		t.Errorf("with the embedded engine: %d %s", code, out)
	}
	w.put("password", e.Password, 0o600)
	w.replace("lapse.yaml", "\n  region: EEA", fmt.Sprintf("\n  region: EEA\n  dsn: clickhouse://%s@%s\n  password_file: password", e.User, e.Address))
	w.must("run", "purge")
	if findings, _ := w.examined(); !strings.Contains(fmt.Sprint(findings), "{lease ok leases of kind keeper can be held") {
		t.Errorf("%+v", findings)
	}

	elsewhere, err := w.copy(t).opener().open(t.Context()) // with locks of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = elsewhere.Close() })
	_, release, err := elsewhere.lease.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	if code, out := w.code("run", "purge", "--timeout", "3s"); code != exitRetriable || !strings.Contains(out, "wait for the lease purge") {
		t.Errorf("while it runs elsewhere: %d %s", code, out)
	}
	w.must("run", "anonymise")
	release()
	w.must("run", "purge")
}
