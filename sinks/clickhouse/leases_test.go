package clickhouse_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// keeperServers are servers that share a Keeper.
type keeperServers struct {
	keeper  *sinktest.ZooKeeper
	servers []*engine.Engine
}

func startKeeperServers(t *testing.T, n int) *keeperServers {
	t.Helper()
	sinktest.Engine(t) // skips the test where none is installed
	k := &keeperServers{keeper: sinktest.StartZooKeeper(t)}
	for range n {
		e, err := engine.Start(t.Context(), engine.Options{Dir: t.TempDir(), AnalystDatabase: "analytics", Keeper: k.keeper.Address})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		k.servers = append(k.servers, e)
	}
	return k
}

// options are those of an installation on the nth server.
func (k *keeperServers) options(t *testing.T, n int, prefix string) clickhouse.Options {
	t.Helper()
	e := k.servers[n]
	return clickhouse.Options{
		Addresses: []string{e.Address}, User: e.User, Password: e.Password,
		Databases: clickhouse.DatabasesWithPrefix(prefix), Policy: sinktest.Policy(t, []byte(visits)),
	}
}

// leases are those of one process that uses the nth server.
func (k *keeperServers) leases(t *testing.T, n int, prefix string) *clickhouse.Leases {
	t.Helper()
	o := k.options(t, n, prefix)
	s, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // only connections
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := clickhouse.OpenLeases(t.Context(), o, "lapse")
	if err != nil {
		t.Fatal(err)
	}
	sinktest.Brief(l.RenewedLease)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestKeeperKeepsLeasesOverServers has processes that use two servers with one Keeper.
func TestKeeperKeepsLeasesOverServers(t *testing.T) {
	t.Parallel()
	k := startKeeperServers(t, 2)
	sinktest.TestLease(t, func(t *testing.T) func() sinks.Lease {
		n, prefix := 0, "k"+sinks.NewID().String()[:8]+"_"
		return func() sinks.Lease {
			n++
			return k.leases(t, n%2, prefix)
		}
	})
}

func TestKeeperLeaseOfADeadProcessRunsOut(t *testing.T) {
	t.Parallel()
	k := startKeeperServers(t, 1)
	dead, other := k.leases(t, 0, ""), k.leases(t, 0, "")
	if _, err := dead.Take(t.Context(), "purge"); err != nil { // and never renews it
		t.Fatal(err)
	}
	began := time.Now()
	if _, _, err := other.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("before it has run out: %v", err)
	}
	_, release, err := other.Hold(t.Context(), "purge", true)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if waited := time.Since(began); waited < dead.Duration || waited > 20*time.Second {
		t.Errorf("it was had after %s", waited)
	}
}

func TestKeeperLeaseIsLostToAnotherAndKeptOverAShortSilence(t *testing.T) {
	t.Parallel()
	k := startKeeperServers(t, 1)
	l := k.leases(t, 0, "")
	l.Duration = time.Minute
	held, release, err := l.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	k.keeper.Stop(t)
	if _, _, err := l.Hold(t.Context(), "ingest", false); !errors.Is(err, sinks.ErrUnavailable) {
		t.Errorf("without a Keeper: %v, want %v", err, sinks.ErrUnavailable)
	}
	k.keeper.Start(t)
	if _, _, err := l.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) || held.Err() != nil {
		t.Errorf("a short silence lost the lease: %v, %v", err, held.Err())
	}
	execute(t, k.options(t, 0, ""), "ALTER TABLE lapse.leases UPDATE holder = 'thief' WHERE name = 'purge'")
	select {
	case <-held.Done():
		if cause := context.Cause(held); !errors.Is(cause, sinks.ErrHeld) {
			t.Errorf("%v", cause)
		}
	case <-time.After(20 * time.Second):
		t.Error("the holder does not notice")
	}
	release()
	if rows := query(t, k.options(t, 0, ""), "SELECT holder FROM lapse.leases WHERE name = 'purge'"); len(rows) != 1 || rows[0][0] != "thief" {
		t.Errorf("the lease of another was given back: %v", rows)
	}
}

func TestLeasesWithoutAKeeperAreRefusedWithTheCure(t *testing.T) {
	t.Parallel()
	_, o := store(t)
	_, err := clickhouse.OpenLeases(t.Context(), o, "lapse")
	if !errors.Is(err, clickhouse.ErrNoKeeper) || !strings.Contains(err.Error(), "keeper_map_path_prefix") {
		t.Errorf("%v", err)
	}
}
