package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/facesoft/lapse/sinks/engine"
)

// TestServer runs the jobs against a ClickHouse server that the settings name by
// its address: everything is as with an engine of Lapse's own.
func TestServer(t *testing.T) {
	embedded := newWorld(t)
	remote := embedded.copy(t)
	server, err := engine.Start(t.Context(), engine.Options{Dir: filepath.Join(t.TempDir(), "server"), AnalystDatabase: "analytics"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // the test is over
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(server.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LAPSE_CLICKHOUSE_PASSWORD_FILE", password)
	dsn := fmt.Sprintf("clickhouse://%s@%s", server.User, server.Address)
	for _, job := range []string{"ingest", "anonymise", "purge"} {
		embedded.must(jobCommand(job)...)
		remote.must(append(jobCommand(job), "--clickhouse-dsn", dsn)...)
	}
	if _, err := os.Stat(filepath.Join(remote.dir, "data", "clickhouse")); err == nil {
		t.Error("an embedded engine was started although a server was named")
	}
	t.Setenv("LAPSE_CLICKHOUSE_ANALYST_DSN", fmt.Sprintf("clickhouse://%s:%s@%s", server.AnalystUser, server.AnalystPassword, server.Address))
	const query = "SELECT count(), sum(cityHash64(*)) FROM requests"
	got, want := remote.must("query", query, "--clickhouse-dsn", dsn), embedded.must("query", query)
	if got != want {
		t.Errorf("on the server:\n%s\nembedded:\n%s", got, want)
	}
}
