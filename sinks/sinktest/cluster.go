package sinktest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
)

// Nodes are engines on loopback that are the nodes of one cluster.
type Nodes struct {
	testing.TB
	Options clickhouse.Options

	starts  []engine.Options
	engines []*engine.Engine
}

// patience is for how long a statement of a test waits for a node that does not run.
const patience = 300 * time.Millisecond

// StartNodes starts the nodes of a cluster, some replicas for each shard. It skips the
// test where no engine is installed.
func StartNodes(t testing.TB, p *config.Policy, replicas ...int) *Nodes {
	t.Helper()
	if library, err := engine.InstalledLibrary(); err != nil {
		t.Skipf("the engine is not installed: %v; run make engine", err)
	} else if _, err := os.Stat(library); err != nil {
		t.Skipf("the engine is not installed: %v; run make engine", err)
	}
	const name, password = "three", "a password of all nodes"
	n := &Nodes{TB: t}
	var grants []string // those of a server's user, and no more
	for _, prefix := range []string{"", "before_"} {
		for _, s := range clickhouse.ServiceGrants(clickhouse.DatabasesWithPrefix(prefix), "lapse", true) {
			if strings.HasPrefix(s, "GRANT ") {
				grants = append(grants, strings.TrimSuffix(s, " TO `lapse`"))
			}
		}
	}
	var shards [][]string
	for _, count := range replicas {
		var shard []string
		for range count {
			shard = append(shard, freeAddress(t))
		}
		shards = append(shards, shard)
	}
	for _, shard := range shards {
		for _, address := range shard {
			n.starts = append(n.starts, engine.Options{Dir: t.TempDir(), AnalystDatabase: "analytics", Grants: grants, Cluster: &engine.Cluster{
				Address: address, Password: password, AnalystPassword: password, Secret: "a secret of all nodes",
				Servers: map[string][][]string{name: shards, name + "_control": {{shards[0][0]}}},
			}})
		}
	}
	n.engines = make([]*engine.Engine, len(n.starts))
	t.Cleanup(func() {
		for i := range n.engines {
			n.Stop(i)
		}
	})
	for i := range n.starts {
		n.Start(i)
	}
	n.Options = clickhouse.Options{
		Addresses: []string{n.engines[0].Address}, User: n.engines[0].User, Password: password, Cluster: name,
		Databases: clickhouse.DatabasesWithPrefix(""), Policy: p, Patience: patience,
	}
	return n
}

// Start starts a node that does not run.
func (n *Nodes) Start(node int) {
	n.Helper()
	var err error
	if n.engines[node], err = engine.Start(n.Context(), n.starts[node]); err != nil {
		n.Fatal(err)
	}
}

// Stop kills a node. What it has stored is there when it is started again.
func (n *Nodes) Stop(node int) {
	if e := n.engines[node]; e != nil {
		n.engines[node] = nil
		_ = e.Close()
	}
}

// On returns how to reach one node, and Analyst how an analyst does.
func (n *Nodes) On(node int) clickhouse.Options {
	o := n.Options
	o.Addresses = []string{n.starts[node].Cluster.Address}
	return o
}

// Analyst returns how an analyst reaches a node.
func (n *Nodes) Analyst(node int) clickhouse.Options {
	o := n.On(node)
	o.User, o.Password = "analyst", n.starts[node].Cluster.AnalystPassword
	return o
}
