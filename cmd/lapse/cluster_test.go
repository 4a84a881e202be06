package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestCluster runs the jobs on three shards that the settings name by their cluster, with
// one of them away for a while.
func TestCluster(t *testing.T) {
	w := newWorld(t)
	nodes := sinktest.StartNodes(t, sinktest.Policy(t, config.Facesoft), 1, 1, 1)
	dsn := func(user, password string) string {
		return fmt.Sprintf("clickhouse://%s:%s@%s,%s", user, strings.ReplaceAll(password, " ", "%20"), nodes.On(1).Addresses[0], nodes.On(0).Addresses[0])
	}
	t.Setenv("LAPSE_CLICKHOUSE_DSN", dsn(nodes.Options.User, nodes.Options.Password))
	t.Setenv("LAPSE_CLICKHOUSE_ANALYST_DSN", dsn(nodes.Analyst(0).User, nodes.Analyst(0).Password))
	if code, complaint := w.code("status"); code != exitUsage || !strings.Contains(complaint, "set clickhouse.cluster") {
		t.Errorf("several servers and no cluster: %d, %s", code, complaint)
	}
	t.Setenv("LAPSE_CLICKHOUSE_CLUSTER", "nobodys")
	if code, complaint := w.code("status"); code != exitUsage || !strings.Contains(complaint, `names no cluster "nobodys"`) {
		t.Errorf("a cluster that is not there: %d, %s", code, complaint)
	}
	t.Setenv("LAPSE_CLICKHOUSE_CLUSTER", nodes.Options.Cluster)
	w.must(jobCommand("ingest")...)
	if faults := clickhouseFaults(w); len(faults) > 0 {
		t.Errorf("the doctor finds %v", faults)
	}
	if plan := w.must("plan", "--as-of", expired); !strings.Contains(plan, "@1") || !strings.Contains(plan, "@2") || !strings.Contains(plan, "@3") {
		t.Errorf("the plan does not name the shards:\n%s", plan)
	}

	if code, complaint := w.code("query", "--personal", "SELECT 1"); code != exitUsage || !strings.Contains(complaint, "no views for readers") {
		t.Errorf("a reader in a cluster: %d, %s", code, complaint)
	}

	nodes.Stop(2)
	if code, complaint := w.code(jobCommand("anonymise")...); code != exitPartial || !strings.Contains(complaint, "shard 3 ("+nodes.On(2).Addresses[0]) {
		t.Errorf("anonymise without a shard: %d, %s", code, complaint)
	}
	if code, out := w.code("status"); code != exitRetriable || !strings.Contains(out, "events") || !strings.Contains(out, "shard 3 (") {
		t.Errorf("status without a shard: %d, %s", code, out)
	}
	if faults := clickhouseFaults(w); !slices.Equal(faults, []string{"clickhouse, shard 3 (" + nodes.On(2).Addresses[0] + ")"}) {
		t.Errorf("without a shard the doctor finds %v", faults)
	}
	nodes.Start(2)
	w.must(jobCommand("anonymise")...)
	w.must(jobCommand("purge")...)
	w.must("audit", "verify", "--dir", filepath.Join("data", "audit"), "--key", filepath.Join("data", "audit.key.pub"))
	var published uint64
	for node := range 3 {
		_, rows, err := clickhouse.QueryAnalytics(t.Context(), nodes.On(node), "SELECT (SELECT count() FROM analytics.events_local), (SELECT count() FROM telemetry.events) + (SELECT count() FROM telemetry.accounts)")
		if err != nil {
			t.Fatal(err)
		}
		published += rows[0][0].(uint64)
		if n := rows[0][1]; n != uint64(0) {
			t.Errorf("node %d still has %v personal rows", node, n)
		}
	}
	if out := w.must("query", "SELECT count() FROM events"); !strings.Contains(out, fmt.Sprint(published)) || published == 0 {
		t.Errorf("analysts see %s, the shards have %d", out, published)
	}
}

// clickhouseFaults returns what the doctor finds at fault with ClickHouse.
func clickhouseFaults(w *world) (faults []string) {
	w.t.Helper()
	findings, _ := w.examined()
	for _, f := range findings {
		if f.State == faultState && strings.HasPrefix(f.What, "clickhouse") {
			faults = append(faults, f.What)
		}
	}
	return faults
}
