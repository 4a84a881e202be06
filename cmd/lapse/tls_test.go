package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestServerIsReachedByTLS has a server behind TLS that asks for a certificate: the jobs
// run through it, and what is missing for that is named by the doctor.
func TestServerIsReachedByTLS(t *testing.T) {
	t.Parallel()
	e := sinktest.Engine(t)
	proxy := sinktest.StartTLSProxy(t, e.Address)
	w := newWorld(t)
	w.put("password", e.Password, 0o600)
	// The first line names the server, each further one what else it takes.
	dsn := fmt.Sprintf("\n  region: EEA\n  password_file: password\n  database_prefix: tls_\n  dsn: clickhouse://%s@%s?secure=true", e.User, proxy.Address)
	ca := "\n  ca_file: " + proxy.CAFile
	pair := fmt.Sprintf("\n  cert_file: %s\n  key_file: %s", proxy.CertFile, proxy.KeyFile)
	for settings, cure := range map[string]string{
		dsn:      "clickhouse.ca_file",
		dsn + ca: "clickhouse.cert_file",
		strings.ReplaceAll(dsn, "?secure=true", "") + ca:              "mend clickhouse.dsn",
		dsn + "\n  ca_file: password":                                 "mend clickhouse.dsn",
		strings.ReplaceAll(dsn, "127.0.0.1", "localhost") + ca + pair: "as its certificate does",
	} {
		other := w.copy(t)
		other.replace("lapse.yaml", "\n  region: EEA", settings)
		findings, faulty := other.examined()
		found := false
		for _, f := range findings {
			found = found || f.What == "clickhouse" && f.State == faultState && strings.Contains(f.Cure, cure)
		}
		if !found || !faulty {
			t.Errorf("%s: want the cure %q in %+v", settings, cure, findings)
		}
	}
	w.replace("lapse.yaml", "\n  region: EEA", dsn+ca+pair)
	if findings, faulty := w.examined(); faulty {
		t.Errorf("%+v", findings)
	}
	w.must(jobCommand("ingest")...) // over both clients: that of blocks, too
	w.must(jobCommand("anonymise")...)
}
