package spool

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test binary runs itself again as the process that a test kills.
const (
	helperDir   = "LAPSE_TEST_SPOOL"
	helperRound = "LAPSE_TEST_ROUND"
	senders     = 4
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		if err := appendForEver(dir, os.Getenv(helperRound)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killed has small segments, so that kills also meet their closing.
var killed = Options{SegmentBytes: 20 << 10, SegmentAge: time.Hour, MaxBytes: 1 << 30}

// appendForEver appends numbered lines from several senders, and prints the last
// line of each call after it was acknowledged.
func appendForEver(dir, round string) error {
	s, err := Open(in(dir, killed), time.Now)
	if err != nil {
		return err
	}
	var out sync.Mutex
	failed := make(chan error)
	for sender := range senders {
		go func() {
			for n := 0; ; n += 3 {
				var lines []byte
				for i := range 3 {
					lines = append(lines, line(round, sender, n+i)...)
				}
				if err := s.Append(context.Background(), lines); err != nil {
					failed <- err
					return
				}
				out.Lock()
				fmt.Printf("%d %d\n", sender, n+2)
				out.Unlock()
			}
		}()
	}
	return <-failed
}

func line(round string, sender, n int) string {
	return fmt.Sprintf(`{"round":%q,"sender":%d,"n":%d,"filler":%q}`+"\n", round, sender, n, strings.Repeat("x", 200))
}

// TestKilledProcessLosesNothingAcknowledged kills a process that appends, as kill
// -9 does, at random moments: each line that was acknowledged is there exactly
// once, each sender's in order, and no line is torn.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rounds := 8
	if os.Getenv("LAPSE_SOAK") != "" {
		rounds = 100
	}
	acknowledged := make([][senders]int, rounds) // lines, by round and sender
	for round := range rounds {
		acknowledged[round] = killOnce(t, dir, fmt.Sprint(round))
	}
	mustOpen(t, in(dir, killed)) // closes what the last kill has left
	stored := map[string][senders]int{}
	for _, segment := range closedSegments(t, dir) {
		for l := range strings.Lines(segment) {
			var round string
			var sender, n int
			if _, err := fmt.Sscanf(l, `{"round":%q,"sender":%d,"n":%d,`, &round, &sender, &n); err != nil || l != line(round, sender, n) {
				t.Fatalf("a line is torn: %q", l)
			}
			count := stored[round]
			if n != count[sender] {
				t.Fatalf("round %s, sender %d: line %d follows %d lines", round, sender, n, count[sender])
			}
			count[sender]++
			stored[round] = count
		}
	}
	for round, counts := range acknowledged {
		for sender, n := range counts {
			if got := stored[fmt.Sprint(round)][sender]; got < n || got > n+3 {
				t.Errorf("round %d, sender %d: %d lines acknowledged, %d stored", round, sender, n, got)
			}
		}
	}
}

// killOnce kills a process after a random number of acknowledgements and returns
// how many lines of each sender it acknowledged.
func killOnce(t *testing.T, dir, round string) (lines [senders]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir, helperRound+"="+round)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(out)
	for wait := 1 + rand.IntN(400); ; wait-- {
		if wait == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		text, err := from.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break // a kill may cut the last word short
		}
		var sender, n int
		if _, err := fmt.Sscanf(text, "%d %d\n", &sender, &n); err != nil {
			t.Fatal(err)
		}
		lines[sender] = n + 1
	}
	_ = cmd.Wait() // it was killed
	return lines
}
