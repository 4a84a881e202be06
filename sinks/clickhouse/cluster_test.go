package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// opened opens a cluster and prepares it.
func opened(t *testing.T, o clickhouse.Options) (*clickhouse.Cluster, error) {
	t.Helper()
	c, err := clickhouse.OpenCluster(t.Context(), o)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.Prepare(t.Context())
}

// A proof of absence is about the nodes that were looked at. So the nodes stay the same.
func TestClusterStaysWhatItWas(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, []byte(visits))
	nodes := sinktest.StartNodes(t, p, 1, 1)
	refused := func(name string, o clickhouse.Options, because string) {
		t.Helper()
		_, err := opened(t, o)
		if !errors.Is(err, clickhouse.ErrCluster) || !strings.Contains(err.Error(), because) {
			t.Errorf("%s: %v; want it refused because %q", name, err, because)
		}
	}
	unknown := nodes.Options
	unknown.Cluster = "four"
	refused("a cluster that nobody knows", unknown, `names no cluster "four"`)
	uncontrolled := nodes.Options
	uncontrolled.Cluster += "_control"
	refused("a cluster without one of the first node", uncontrolled, `has to name a cluster "three_control_control" with one shard`)

	alone := nodes.Options
	alone.Cluster, alone.Databases = "", clickhouse.DatabasesWithPrefix("before_")
	before, err := opened(t, alone)
	if err != nil {
		t.Fatal(err)
	}
	insert(t, before.Store, 1, []visit{{day: 1, user: "ann"}})
	grown := nodes.Options
	grown.Databases = alone.Databases
	refused("a server with rows of its own", grown, "there are 1 rows in its tables already")

	c, err := opened(t, nodes.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), block(1, []visit{{day: 1, user: "ann"}, {day: 1, user: "bob"}, {day: 1, user: "cleo"}}), sinks.NewID()); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, nodes.Options); err != nil {
		t.Errorf("the same cluster again: %v", err)
	}
	single := nodes.Options
	single.Cluster = ""
	refused("one of the nodes by itself", single, "this server is one of 2 nodes")
	execute(t, nodes.On(1), "ALTER TABLE lapse.node DELETE WHERE 1 SETTINGS mutations_sync = 2")
	refused("a node that has lost what it had", nodes.Options, "no mark of this installation")
	execute(t, nodes.On(0), "INSERT INTO lapse.node SELECT installation, shard, replica, 3, 3, now() + 60 FROM lapse.node")
	refused("fewer nodes than before", nodes.Options, "a cluster keeps its shards and replicas")
}

// Every replica has each row, and repeats of an insert that has reached some of them
// complete it on the others.
func TestReplicasHaveTheSame(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, []byte(visits))
	nodes := sinktest.StartNodes(t, p, 2)
	c, err := opened(t, nodes.Options)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(node int) int {
		return int(query(t, nodes.On(node), "SELECT count() FROM telemetry.visits")[0][0].(uint64))
	}
	b := block(1, []visit{{day: 1, user: "ann"}, {day: 1, user: "bob"}, {day: 1, user: "cleo"}})
	token := sinks.NewID()
	nodes.Stop(1)
	if err := c.Insert(t.Context(), b, token); !errors.Is(err, sinks.ErrUnavailable) || !strings.Contains(err.Error(), "shard 1.2") {
		t.Errorf("an insert without a replica: %v", err)
	}
	nodes.Start(1)
	if c, err = opened(t, nodes.Options); err != nil {
		t.Fatal(err)
	}
	first, last := day(0).Day, day(2).Day
	if known, err := c.Known(t.Context(), "visits", b.Records, first, last); err != nil || len(known) > 0 {
		t.Errorf("%d records count as stored although a replica does not have them: %v", len(known), err)
	}
	if _, err := c.StoredRows(t.Context(), "visits", 1, first, last); !errors.Is(err, sinks.ErrVerification) {
		t.Errorf("replicas that differ: %v", err)
	}
	for range 2 {
		if err := c.Insert(t.Context(), b, token); err != nil {
			t.Fatal(err)
		}
		if rows(0) != 3 || rows(1) != 3 {
			t.Errorf("the replicas have %d and %d rows, want 3", rows(0), rows(1))
		}
	}
	stored, err := c.StoredRows(t.Context(), "visits", 1, first, last)
	if err != nil || stored[day(1).Day] != 3 {
		t.Errorf("%v rows are stored: %v", stored, err)
	}
	stats, err := c.Partitions(t.Context(), "visits", sinks.MaxDay)
	if err != nil || len(stats) != 2 || stats[0].Node() == stats[1].Node() {
		t.Fatalf("%v, %v; want a partition on each replica", stats, err)
	}
	for i, of := range stats {
		left, err := c.Drop(t.Context(), "visits", []sinks.Partition{of.Partition})
		if a, looked := left[of.Partition]; err != nil || !looked || !a.Proven() || rows(i) != 0 {
			t.Errorf("after the drop replica %s has %d rows: %v, %v", of.Node(), rows(i), left, err)
		}
		if i == 0 && rows(1) != 3 {
			t.Error("the drop on one replica has touched the other")
		}
	}
}

// A server that is being started again is waited for, but not for ever.
func TestLostConnectionIsLookedForAgain(t *testing.T) {
	t.Parallel()
	nodes := sinktest.StartNodes(t, sinktest.Policy(t, []byte(visits)), 1)
	o := nodes.Options
	o.Patience = 30 * time.Second
	patient, err := opened(t, o)
	if err != nil {
		t.Fatal(err)
	}
	impatient, err := opened(t, nodes.Options)
	if err != nil {
		t.Fatal(err)
	}
	insertOne := func(s *clickhouse.Cluster, source uint64) error {
		return s.Insert(t.Context(), block(source, []visit{{day: 1, user: fmt.Sprint("user", source)}}), sinks.NewID())
	}
	if err := errors.Join(insertOne(patient, 1), insertOne(impatient, 2)); err != nil {
		t.Fatal(err)
	}
	nodes.Stop(0)
	began := time.Now()
	_, err = impatient.Partitions(t.Context(), "visits", sinks.MaxDay)
	if took := time.Since(began); !errors.Is(err, sinks.ErrUnavailable) || took > 10*time.Second {
		t.Errorf("without a server: %v, after %s", err, took)
	}
	ended := make(chan error, 3)
	statements := []func() error{
		func() error { _, err := patient.Partitions(t.Context(), "visits", sinks.MaxDay); return err },
		func() error { return insertOne(patient, 3) },
		func() error {
			return patient.Seal(context.WithoutCancel(t.Context()), "visits", []sinks.Partition{day(9)})
		},
	}
	for _, statement := range statements {
		go func() { ended <- statement() }()
	}
	nodes.Start(0)
	for range statements {
		if err := <-ended; err != nil {
			t.Errorf("a statement while the server was started again: %v", err)
		}
	}
	if n := query(t, nodes.On(0), "SELECT count() FROM telemetry.visits")[0][0]; fmt.Sprint(n) != "3" {
		t.Errorf("%v rows, want 3", n)
	}
}

// What is deleted from one replica may live on in another that ClickHouse feeds by itself.
func TestTablesOfOtherEnginesAreRefused(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	execute(t, o, fmt.Sprintf("DROP TABLE `%[1]s`.visits SYNC", o.Databases.Telemetry))
	columns := "at DateTime64(3, 'UTC'), user String, visitor String, path String, country String, ms Nullable(UInt32), lapse_record UUID, lapse_source UInt64, lapse_position UInt64, lapse_batch UInt32"
	execute(t, o, fmt.Sprintf("CREATE TABLE `%s`.visits (%s) ENGINE = ReplacingMergeTree PARTITION BY (toDate(at, 'UTC'), lapse_batch) ORDER BY at", o.Databases.Telemetry, columns))
	if err := s.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "visits is a ReplacingMergeTree, and Lapse needs a MergeTree there") {
		t.Errorf("%v", err)
	}
}

// What the policy gains is added on every node, and in the tables over all of them; what
// somebody adds on one node is found there.
func TestSchemaIsThatOfThePolicyOnEveryNode(t *testing.T) {
	t.Parallel()
	nodes := sinktest.StartNodes(t, sinktest.Policy(t, []byte(visits)), 1, 1)
	if _, err := opened(t, nodes.Options); err != nil {
		t.Fatal(err)
	}
	more := nodes.Options
	grown := strings.Replace(visits, "    publish:\n", "      - {name: scrolled, type: Nullable(UInt32), from: scrolled, field: c.f, identifies: nobody}\n    publish:\n", 1)
	grown = strings.Replace(grown, "      chain:", "        - {name: scrolled, from: scrolled, measure: true}\n      chain:", 1)
	more.Policy = sinktest.Policy(t, []byte(grown))
	if _, err := opened(t, more); err != nil {
		t.Fatal(err)
	}
	for node := range 2 {
		for _, table := range []string{"telemetry.visits", "lapse.all_visits", "analytics.visits_local", "analytics.visits"} {
			query(t, nodes.On(node), "SELECT scrolled FROM "+table)
		}
	}
	execute(t, nodes.On(1), "ALTER TABLE telemetry.visits ADD COLUMN email String")
	if _, err := opened(t, more); err == nil || !strings.Contains(err.Error(), "shard 2") || !strings.Contains(err.Error(), "telemetry.visits.email is not registered") {
		t.Errorf("a column that somebody has added on a node: %v", err)
	}
}
