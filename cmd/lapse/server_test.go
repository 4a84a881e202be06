package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

// TestServer runs the jobs against a ClickHouse server that the settings name by its
// address: everything is as with an engine of Lapse's own. Its user there has no other
// rights than those that 'lapse policy grants --own' gives.
func TestServer(t *testing.T) {
	embedded := newWorld(t)
	remote := embedded.copy(t)
	server, err := engine.Start(t.Context(), engine.Options{Dir: filepath.Join(t.TempDir(), "server"), AnalystDatabase: "analytics", Grants: ownGrants()})
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
	for _, line := range [][]string{
		{"run", "sweep"}, {"run", "reconcile"}, {"run", "dispose"}, {"status"}, {"plan"}, {"doctor"}, {"report", "--html", "report.html"}, {"runs"}, {"audit", "verify", "--copy"},
		{"hold", "add", "--dataset", "events", "--reason", "a case"}, {"hold", "list"},
		{"subject", "erase", "--subject", "user_id=ann", "--yes"}, {"quarantine", "list"}, {"training", "list"},
	} {
		remote.must(append(line, "--clickhouse-dsn", dsn)...)
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

// ownGrants are the rights of Lapse's own user, as a server's configuration has them.
func ownGrants() (grants []string) {
	for _, s := range clickhouse.ServiceGrants(clickhouse.DatabasesWithPrefix(""), "lapse", false) {
		if strings.HasPrefix(s, "GRANT ") {
			grants = append(grants, strings.TrimSuffix(s, " TO `lapse`"))
		}
	}
	return grants
}
