package engine

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// A port that somebody takes before the engine listens costs a start, and no more.
func TestEngineStartsOnOtherPorts(t *testing.T) {
	library, err := InstalledLibrary()
	if err != nil {
		t.Skip(err)
	}
	o := Options{Dir: t.TempDir(), Library: library, AnalystDatabase: "analytics"}
	if err := prepare(&o); err != nil {
		t.Fatal(err)
	}
	k, err := newKeeper(o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.listener.Close() //nolint:errcheck // nothing was sent
	taken, err := net.Listen("tcp", k.connection.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing was sent
	ended, err := k.startFirst()
	if err != nil {
		t.Fatal(err)
	}
	defer k.stopEngine(ended)
	if k.connection.Address == taken.Addr().String() {
		t.Error("the engine is said to listen where somebody else does")
	}
}

// An engine that was killed a moment ago may still hold the folder on a busy machine: its
// successor waits for it.
func TestEngineWaitsForItsPredecessor(t *testing.T) {
	library, err := InstalledLibrary()
	if err != nil {
		t.Skip(err)
	}
	o := Options{Dir: t.TempDir(), Library: library, AnalystDatabase: "analytics"}
	first, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	held := flock.New(filepath.Join(storeDir(o.Dir), "status"))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	var released atomic.Bool
	time.AfterFunc(500*time.Millisecond, func() {
		released.Store(true)
		_ = held.Unlock()
	})
	second, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !released.Load() {
		t.Error("it did not wait")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
