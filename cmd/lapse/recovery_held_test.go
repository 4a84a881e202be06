//go:build failpoints

package main

import "testing"

// TestKilledWhileSeparating kills the jobs where they move rows under a legal hold out of
// the way of those that are due.
func TestKilledWhileSeparating(t *testing.T) {
	t.Parallel()
	before := newBusyDays(t)
	before.must(jobCommand("ingest")...)
	held := before.somePeople()[:3]
	for _, id := range held {
		before.must("hold", "add", "--subject", id, "--reason", "a claim", "--by", "dpo")
	}
	before = killedEverywhere(t, before, "anonymise", []string{"separate.exchanged", "anonymise.separated"}, (*world).state)
	after := killedEverywhere(t, before, "purge", []string{"purge.separated"}, (*world).state)
	if after.rowsOf(held) == 0 {
		t.Error("no row is left of those under hold")
	}
}
