package filelock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestMain lets this binary be another process that takes a lock.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "hold" {
		if err := hold(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// hold takes the lock, says so, and keeps it until standard input ends.
func hold(dir, name string) error {
	locks, err := Open(dir)
	if err != nil {
		return err
	}
	unlock, err := locks.Lock(context.Background(), name)
	if err != nil {
		return err
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	unlock()
	return err
}

// holder is another process that holds a lock.
type holder struct {
	cmd     *exec.Cmd
	release func() error
}

func startHolder(t *testing.T, dir, name string) *holder {
	t.Helper()
	cmd := exec.Command(os.Args[0], "hold", dir, name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return &holder{cmd, in.Close}
}

func open(t *testing.T, dir string) Locks {
	t.Helper()
	locks, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return locks
}

// soon is a time in which a free lock is had, and a held one is not.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestLockKeepsOtherProcessesOut(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "locks")
	other := startHolder(t, dir, "purge")
	locks := open(t, dir)
	for name, lock := range map[string]func(context.Context, string) (func(), error){"alone": locks.Lock, "as a reader": locks.RLock} {
		_, err := lock(soon(t), "purge")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"purge"`) {
			t.Errorf("%s: %v, want %v and the lock's name", name, err, context.DeadlineExceeded)
		}
	}
	unlock, err := locks.Lock(soon(t), "ingest")
	if err != nil {
		t.Errorf("another lock: %v", err)
	} else {
		unlock()
	}
	if err := other.release(); err != nil {
		t.Fatal(err)
	}
	unlock, err = locks.Lock(t.Context(), "purge") // waits
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestLockEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := startHolder(t, dir, "purge")
	got := make(chan error, 1)
	go func() {
		_, err := open(t, dir).Lock(t.Context(), "purge")
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("the lock of a living process was had: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := other.cmd.Process.Kill(); err != nil { // as kill -9 does
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the lock of a dead process is not to be had")
	}
}

func TestLockIsHeldByOneGoroutineAtATime(t *testing.T) {
	t.Parallel()
	locks := open(t, t.TempDir())
	var inside atomic.Int32
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 5 {
				unlock, err := locks.Lock(t.Context(), "one")
				if err != nil {
					return err
				}
				if n := inside.Add(1); n != 1 {
					return fmt.Errorf("%d hold the lock", n)
				}
				inside.Add(-1)
				unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

func TestReadersHoldALockTogetherAndKeepWritersOut(t *testing.T) {
	t.Parallel()
	locks := open(t, t.TempDir())
	first, err := locks.RLock(t.Context(), "seal")
	if err != nil {
		t.Fatal(err)
	}
	second, err := locks.RLock(soon(t), "seal")
	if err != nil {
		t.Fatal(err)
	}
	first()
	if _, err := locks.Lock(soon(t), "seal"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a writer beside a reader: %v", err)
	}
	second()
	unlock, err := locks.Lock(t.Context(), "seal")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locks.RLock(soon(t), "seal"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a reader beside a writer: %v", err)
	}
	unlock()
}

func TestFolderOfLocksIsMadeForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "locks")
	open(t, dir)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil {
		t.Error("a file was accepted as a folder of locks")
	}
}

func TestLeaseOfAnotherProcessIsRefusedAtOnceOrWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := startHolder(t, dir, "purge")
	locks := open(t, dir)
	if _, _, err := locks.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("%v, want %v", err, sinks.ErrHeld)
	}
	if err := other.release(); err != nil {
		t.Fatal(err)
	}
	held, release, err := locks.Hold(t.Context(), "purge", true)
	if err != nil || held.Err() != nil {
		t.Fatal(err)
	}
	if _, _, err := locks.Hold(t.Context(), "purge", false); !errors.Is(err, sinks.ErrHeld) {
		t.Errorf("%v, want %v", err, sinks.ErrHeld)
	}
	release()
	_, release, err = locks.Hold(t.Context(), "purge", false)
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestFileLocksAreLeases(t *testing.T) {
	t.Parallel()
	sinktest.TestLease(t, func(t *testing.T) func() sinks.Lease {
		dir := t.TempDir()
		return func() sinks.Lease { return open(t, dir) }
	})
}
