package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/facesoft/lapse/sinks"
)

// The system calls by which a writer touches its files. A writer that dies at one
// of the others leaves what it leaves at the next of the changing.
var (
	changingCalls = []string{"openat", "write", "renameat", "mkdirat", "unlinkat"}
	syncingCalls  = []string{"fsync", "flock"}
	lookingCalls  = []string{"read", "close", "fstat", "newfstatat", "getdents64"}
)

const failing = "error=EIO"

func faults() []fault {
	kill, fail := changingCalls, slices.Concat(changingCalls, syncingCalls)
	if soak() {
		kill = slices.Concat(changingCalls, syncingCalls, lookingCalls)
		fail = kill
	}
	var all []fault
	for _, call := range kill {
		all = append(all, fault{call, "signal=KILL"})
	}
	for _, call := range fail {
		all = append(all, fault{call, failing})
	}
	return all
}

// TestNoFaultOfTheFileSystemLosesAnAcknowledgedEntry kills a writer, and in a
// second round lets the call fail, at each call of each kind that it makes.
// Afterwards the log must verify as it lies, hold every entry whose Append had
// returned, and after the next Append have nothing left to settle.
func TestNoFaultOfTheFileSystemLosesAnAcknowledgedEntry(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	if out, err := exec.Command(strace, "-f", "-e", "trace=openat", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v: %.100s", err, out)
	}
	keys := []*PrivateKey{testKey(t), testKey(t)}
	base := memoryDir(t)
	var runs atomic.Int64
	work := make(chan fault)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for f := range work {
				f.run(t, base, strace, keys, &runs)
			}
		})
	}
	for _, f := range faults() {
		work <- f
	}
	close(work)
	wg.Wait()
	t.Logf("%d faults injected", runs.Load())
}

// fault is what is injected into a kind of call.
type fault struct{ call, effect string }

// run injects the fault at the first call, the second, and so on, until the
// writer finishes without having met it. A writer is killed at each. In a short run
// every second call fails: one kind takes those that are odd, the next the others.
func (f fault) run(t *testing.T, base, strace string, keys []*PrivateKey, runs *atomic.Int64) {
	first, step := 1, 1
	if !soak() && f.effect == failing {
		first, step = 1+slices.Index(slices.Concat(changingCalls, syncingCalls), f.call)%2, 2
	}
	for n := first; !t.Failed(); n += step {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Error(err)
			return
		}
		trace := filepath.Join(dir, "trace")
		log := filepath.Join(dir, "log")
		inject := fmt.Sprintf("inject=%s:%s:when=%d", f.call, f.effect, n)
		cmd := helper("script", log, keys, 0, strace, "-f", "-o", trace, "-e", "trace="+f.call, "-e", inject)
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
		var acknowledged, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &acknowledged, &stderr
		exit := cmd.Run()
		if !f.met(t, trace, exit) {
			return
		}
		runs.Add(1)
		if err := checkAfterFault(log, keys, strings.FieldsFunc(acknowledged.String(), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })); err != nil {
			t.Errorf("%s, %s, call %d: %v\nwriter: %s", f.call, f.effect, n, err, &stderr)
			return
		}
		_ = os.RemoveAll(dir)
	}
}

// memoryDir is a directory in memory, if there is one: what a dead process leaves
// does not depend on the disk, and the tests are done sooner.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "lapse")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (f fault) met(t *testing.T, trace string, exit error) bool {
	if strings.HasPrefix(f.effect, "signal") {
		return exit != nil
	}
	out, err := os.ReadFile(trace)
	if err != nil {
		t.Error(err)
	}
	return bytes.Contains(out, []byte("(INJECTED)"))
}

// checkAfterFault looks at the log as the dead writer left it, and again after
// the next one.
func checkAfterFault(dir string, keys []*PrivateKey, acknowledged []string) error {
	ctx := context.Background()
	first, err := ParseVerifier(keys[0].VerifierKey())
	if err != nil {
		return err
	}
	files := ReadFolder(dir)
	_, err = Verify(ctx, files, first, VerifyOptions{})
	if err != nil && !(errors.Is(err, ErrNoLog) && len(acknowledged) == 0) {
		return fmt.Errorf("as it lies: %w", err)
	}
	if err := holds(files, acknowledged); err != nil {
		return fmt.Errorf("as it lies: %w", err)
	}
	clock := &clock{t: start}
	w := &writer{now: clock.now}
	for _, k := range keys {
		if err = w.begin(dir, k); err == nil || !isKeyError(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	request, err := newRequest([]*sinks.Entry{intent(sinks.NewID())})
	if err != nil {
		return err
	}
	if err := w.attempt(ctx, request.batch, func(time.Time) {}); err != nil {
		return fmt.Errorf("append again: %w", err)
	}
	if err := w.finish(ctx); err != nil {
		return fmt.Errorf("append again: %w", err)
	}
	r, err := Verify(ctx, files, first, VerifyOptions{})
	if err != nil {
		return fmt.Errorf("after the next append: %w", err)
	}
	if r.Staged != 0 {
		return fmt.Errorf("after the next append %d entries are not settled", r.Staged)
	}
	return holds(files, append(acknowledged, request.ids[0].String()))
}

func holds(files Files, acknowledged []string) error {
	ids := map[string]int{}
	for e, err := range Backwards(context.Background(), files) {
		if err != nil {
			return err
		}
		ids[e.ID.String()]++
	}
	for _, id := range acknowledged {
		if ids[id] != 1 {
			return fmt.Errorf("an acknowledged entry is there %d times", ids[id])
		}
	}
	return nil
}
