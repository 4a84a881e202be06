package engine

import (
	"net"
	"testing"
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
