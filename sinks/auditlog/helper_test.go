package auditlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// The test binary runs itself again as the processes that a test kills, or lets
// race. What to do stands in the environment.
const (
	helperTask = "LAPSE_TEST_HELPER"
	helperDir  = "LAPSE_TEST_DIR"
	helperKeys = "LAPSE_TEST_KEYS" // private keys, separated by spaces
	helperSize = "LAPSE_TEST_SIZE"
)

func init() {
	if os.Getenv(helperTask) != "" {
		// Fault injection counts system calls by thread: everything must happen
		// on one.
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(helperTask) {
	case "":
		os.Exit(m.Run())
	case "script":
		err = runScript(os.Getenv(helperDir), strings.Fields(os.Getenv(helperKeys)))
	case "append":
		err = runAppender(os.Getenv(helperDir), os.Getenv(helperKeys), os.Getenv(helperSize))
	case "verify":
		err = runVerifier(os.Getenv(helperDir), os.Getenv(helperKeys))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helper returns a command that runs the test binary as a helper, behind the
// words of a command such as strace.
func helper(task, dir string, keys []*PrivateKey, size int, before ...string) *exec.Cmd {
	words := append(before, os.Args[0])
	cmd := exec.Command(words[0], words[1:]...)
	var secrets []string
	for _, k := range keys {
		secrets = append(secrets, k.secret)
	}
	cmd.Env = append(os.Environ(), helperTask+"="+task, helperDir+"="+dir,
		helperKeys+"="+strings.Join(secrets, " "), helperSize+"="+strconv.Itoa(size))
	return cmd
}

// runScript does everything a writer does: first entry, batches that are settled
// and batches that are not, a bundle that becomes full, a key rotation, the turn
// of a year. It prints the ID of each entry that is acknowledged, and goes on
// after errors as a daemon would.
func runScript(dir string, secrets []string) error {
	old, err := ParseKey(secrets[0])
	if err != nil {
		return err
	}
	next, err := ParseKey(secrets[1])
	if err != nil {
		return err
	}
	clock := &clock{t: start}
	w := &writer{now: clock.now}
	for _, key := range []Signer{old, next} { // whichever is the newest
		if err = w.begin(dir, key); err == nil || !isKeyError(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	script := []struct {
		entries int
		busy    bool
		rotate  bool
		year    int
	}{
		{1, false, false, 0}, {2, true, false, 0}, {260, false, false, 0}, {1, true, false, 0},
		{0, true, true, 0}, {1, true, false, 0}, {1, false, false, 1},
	}
	for _, s := range script {
		clock.set(start.AddDate(s.year, 0, 0))
		if s.rotate {
			w.commitRotation(next)
		} else {
			w.commitPairs(s.entries)
		}
		if !s.busy {
			report(w.finish(context.Background()))
		}
	}
	return nil
}

func isKeyError(err error) bool {
	return errors.Is(err, ErrKeyRotated) || errors.Is(err, ErrWrongKey)
}

func (w *writer) begin(dir string, key Signer) error {
	folder, err := OpenFolder(dir)
	if err != nil {
		return err
	}
	w.store = folder
	return errors.Join(w.use(key), w.open(context.Background()))
}

func (w *writer) commitPairs(n int) {
	r, err := newRequest(pairs(n))
	if err != nil {
		panic(err)
	}
	report(w.commit(context.Background(), r.batch, func(time.Time) {
		fmt.Println(r.ids) // in one call
	}))
}

// report is all that a helper does about an error.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (w *writer) commitRotation(next Signer) {
	r, err := (&Log{writer: w}).newRotation(next, sinks.ActorOperator)
	if err != nil {
		panic(err)
	}
	report(w.commit(context.Background(), r.batch, func(time.Time) {}))
}

// runAppender appends entries from 8 goroutines and prints the ID of each.
func runAppender(dir, secret, size string) error {
	n, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	k, err := ParseKey(secret)
	if err != nil {
		return err
	}
	folder, err := OpenFolder(dir)
	if err != nil {
		return err
	}
	l, err := Open(context.Background(), folder, k, time.Now)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	failed := make([]error, 8)
	for g := range failed {
		wg.Go(func() {
			for i := g; i < n; i += len(failed) {
				e := intent(sinks.NewID())
				if failed[g] = l.Append(context.Background(), e); failed[g] != nil {
					return
				}
				fmt.Println(e.ID)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(failed, l.Close())...)
}

// runVerifier verifies a log and prints the most memory the process ever had, in
// KiB.
func runVerifier(dir, secret string) error {
	k, err := ParseKey(secret)
	if err != nil {
		return err
	}
	v, err := ParseVerifier(k.VerifierKey())
	if err != nil {
		return err
	}
	if _, err := Verify(context.Background(), ReadFolder(dir), v, VerifyOptions{}); err != nil {
		return err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	fmt.Println(usage.Maxrss)
	return nil
}

// idsOf returns the IDs of a log's entries with how often each is there.
func idsOf(t testing.TB, files Files) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for e, err := range Backwards(context.Background(), files) {
		if err != nil {
			t.Fatal(err)
		}
		ids[e.ID.String()]++
	}
	return ids
}
