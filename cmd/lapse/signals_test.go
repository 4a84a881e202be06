package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTerminatedRunEndsInTimeAndTheNextGoesOn asks a run to end at several moments of
// its work: it ends within 20 seconds, says so, and the next run leaves the same as one
// that nobody disturbed.
func TestTerminatedRunEndsInTimeAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	undisturbed := newWorld(t)
	disturbed := undisturbed.copy(t)
	undisturbed.must(jobCommand("ingest")...)
	undisturbed.must(jobCommand("anonymise")...)
	interrupted := 0
	for _, job := range []string{"ingest", "anonymise"} {
		for after := 200 * time.Millisecond; ; after += 200 * time.Millisecond {
			code := disturbed.terminated(after, jobCommand(job)...)
			if code == exitSuccess {
				break
			}
			if code != exitInterrupted {
				t.Fatalf("%s ended with %d", job, code)
			}
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Error("no run was interrupted")
	}
	if got, want := disturbed.state(), undisturbed.state(); got != want {
		t.Errorf("in pieces:\n%s\nat once:\n%s", got, want)
	}
}

// terminated runs a command line, asks it to end after a time, and returns its exit
// code.
func (w *world) terminated(after time.Duration, args ...string) int {
	w.t.Helper()
	c := w.command(args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // its state says how
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(after):
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			w.t.Fatalf("%v does not end\n%s", args, out.String())
		}
	}
	if code := c.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	w.t.Fatalf("%v ended by %s\n%s", args, c.ProcessState, out.String())
	return -1
}

// TestSignalEndsARunThatWaits holds a run up by the lock of another.
func TestSignalEndsARunThatWaits(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	i, err := w.opener().open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // a test's
	unlock, err := i.locks.Lock(t.Context(), "purge")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	c := w.command("run", "purge")
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for waits := false; !waits; waits = strings.Contains(lines.Text(), "another run of the job has to end first") {
		if !lines.Scan() {
			t.Fatal("it ended and did not say that it waits")
		}
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait() // its state says how
		close(ended)
	}()
	_ = c.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
		if code := c.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("it ended with %d", code)
		}
	case <-time.After(10 * time.Second):
		_ = c.Process.Kill()
		t.Error("it goes on waiting")
	}
}

// TestSecondSignalEndsAtOnce lets work go on that heeds no signal.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	if os.Getenv("LAPSE_TEST_STUBBORN") != "" {
		ctx, release := untilSignal()
		defer release()
		fmt.Println("working")
		<-ctx.Done()
		fmt.Println("asked to end")
		time.Sleep(time.Hour)
	}
	c := exec.Command(os.Args[0], "-test.run", "^TestSecondSignalEndsAtOnce$")
	c.Env = append(os.Environ(), "LAPSE_TEST_STUBBORN=1")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill() //nolint:errcheck // in case it still runs
	lines := bufio.NewScanner(out)
	for _, said := range []string{"working", "asked to end"} {
		if !lines.Scan() || lines.Text() != said {
			t.Fatalf("it says %q, want %q", lines.Text(), said)
		}
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	again := time.NewTicker(100 * time.Millisecond) // one that came while the first was handled was one with it
	defer again.Stop()
	for waiting := true; waiting; {
		select {
		case err = <-ended:
			waiting = false
		case <-again.C:
			_ = c.Process.Signal(syscall.SIGTERM)
		}
	}
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", err)
	}
}
