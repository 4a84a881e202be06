package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks/engine"
)

// holdVariable turns the test binary into a process that starts an engine on
// the folder it names, stores a row, says so and waits to be killed.
const holdVariable = "LAPSE_TEST_HOLD_ENGINE"

func TestMain(m *testing.M) {
	engine.RunIfKeeper()
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	ctx := context.Background()
	e, err := engine.Start(ctx, engine.Options{Dir: dir, AnalystDatabase: "analytics"})
	if err != nil {
		panic(err)
	}
	conn := must(open(e, e.User, e.Password))
	for _, sql := range []string{
		"CREATE DATABASE IF NOT EXISTS analytics",
		"CREATE TABLE IF NOT EXISTS analytics.t (x UInt64) ENGINE = MergeTree ORDER BY x",
		"INSERT INTO analytics.t SELECT number FROM numbers(1000)",
	} {
		if err := conn.Exec(ctx, sql); err != nil {
			panic(err)
		}
	}
	fmt.Println(e.EnginePID)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func open(e *engine.Engine, user, password string) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{
		Addr: []string{e.Address},
		Auth: clickhouse.Auth{Username: user, Password: password},
	})
}

func start(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	if library, err := engine.InstalledLibrary(); err != nil {
		t.Skip(err)
	} else if _, err := os.Stat(library); err != nil {
		t.Skipf("the engine is not installed: %v; run make engine", err)
	}
	e, err := engine.Start(t.Context(), engine.Options{Dir: dir, AnalystDatabase: "analytics"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// holdIn starts another process that holds the engine on dir, and returns it
// with the engine's process id.
func holdIn(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	cmd.Stderr = os.Stderr
	stdin := must(cmd.StdinPipe())
	stdout := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var pid int
	if _, err := fmt.Fscanln(bufio.NewReader(stdout), &pid); err != nil {
		t.Fatal(err)
	}
	return cmd, pid
}

func count(t *testing.T, e *engine.Engine) (n uint64) {
	t.Helper()
	conn := must(open(e, e.User, e.Password))
	defer conn.Close() //nolint:errcheck // read only
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM analytics.t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitEnd waits until the process has ended, for at most limit.
func awaitEnd(t *testing.T, pid int, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			return time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("process %d is still there after %s", pid, limit)
		}
	}
}

// awaitAnswer waits until an engine that crashed answers again.
func awaitAnswer(t *testing.T, conn driver.Conn) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); conn.Exec(t.Context(), "SELECT 1") != nil; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the engine did not come back")
		}
	}
}

func TestEngineEndsWithItsParentAndKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, t.TempDir()) // skips without an engine
	cmd, pid := holdIn(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %s", awaitEnd(t, pid, 2*time.Second))
	if n := count(t, start(t, dir)); n != 1000 {
		t.Errorf("%d rows after the parent was killed, want 1000", n)
	}
}

func TestEngineKilledItselfKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, t.TempDir())
	_, pid := holdIn(t, dir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pid, 2*time.Second)
	e := start(t, dir)
	awaitAnswer(t, must(open(e, e.User, e.Password)))
	if n := count(t, e); n != 1000 {
		t.Errorf("%d rows after the engine was killed, want 1000", n)
	}
}

func TestSecondProcessAttachesAndOutlivesTheFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, t.TempDir())
	first, pid := holdIn(t, dir)
	second := start(t, dir)
	if second.EnginePID != pid {
		t.Fatalf("attached to process %d, want %d", second.EnginePID, pid)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if n := count(t, second); n != 1000 {
		t.Errorf("%d rows, want 1000", n)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pid, 2*time.Second)
}

// TestUserLeavesAtOnceWhileOthersStay has the one leave first that started the engine.
func TestUserLeavesAtOnceWhileOthersStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := start(t, dir), start(t, dir)
	begun := time.Now()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if conn, err := open(second, second.User, second.Password); err != nil || conn.Ping(t.Context()) != nil {
		t.Errorf("the other cannot use it any more: %v", err)
	}
}

func TestConcurrentStartsShareOneEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, t.TempDir())
	engines := make(chan *engine.Engine)
	for range 4 {
		go func() {
			e, err := engine.Start(t.Context(), engine.Options{Dir: dir, AnalystDatabase: "analytics"})
			if err != nil {
				t.Error(err)
			}
			engines <- e
		}()
	}
	pids := map[int]bool{}
	for range 4 {
		e := <-engines
		pids[e.PID] = true
		defer e.Close() //nolint:errcheck // the last one may meet a stopped engine
	}
	if len(pids) != 1 {
		t.Errorf("%d engines run on one folder", len(pids))
	}
}

func TestOnlyThePasswordOpensTheEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, dir)
	lapse := must(open(e, e.User, e.Password))
	for _, sql := range []string{
		"CREATE DATABASE analytics", "CREATE DATABASE telemetry",
		"CREATE TABLE analytics.t (x UInt64) ENGINE = MergeTree ORDER BY x",
		"CREATE TABLE telemetry.t (x UInt64) ENGINE = MergeTree ORDER BY x",
	} {
		if err := lapse.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		user, password, sql string
		allowed             bool
	}{
		{"default", "", "SELECT * FROM telemetry.t", false},
		{"default", "", "SELECT * FROM analytics.t", false},
		{"default", "", "CREATE TABLE analytics.u (x UInt64) ENGINE = Memory", false},
		{"lapse", e.Password, "SELECT * FROM telemetry.t", true},
		{"lapse", e.Password, "SELECT * FROM file('/etc/passwd', 'LineAsString')", false},
		{"lapse", e.Password, "CREATE USER eve", false},
		{"analyst", e.AnalystPassword, "SELECT * FROM analytics.t", true},
		{"analyst", e.AnalystPassword, "SELECT * FROM telemetry.t", false},
		{"analyst", e.AnalystPassword, "INSERT INTO analytics.t SELECT 1", false},
		{"analyst", e.AnalystPassword, "DROP TABLE analytics.t", false},
		{"analyst", e.AnalystPassword, "SELECT * FROM file('/etc/passwd', 'LineAsString')", false},
	} {
		conn := must(open(e, c.user, c.password))
		if err := conn.Exec(t.Context(), c.sql); (err == nil) != c.allowed {
			t.Errorf("%s as %s: allowed %v, want %v (%v)", c.sql, c.user, err == nil, c.allowed, err)
		}
		_ = conn.Close()
	}
	info := must(os.Stat(filepath.Join(dir, "connection.json")))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the connection file's mode is %v", info.Mode())
	}
}

// A wrong password over the native protocol makes this engine abort.
func TestWrongPasswordIsRefusedAndTheEngineComesBack(t *testing.T) {
	t.Parallel()
	e := start(t, t.TempDir())
	lapse := must(open(e, e.User, e.Password))
	if err := lapse.Exec(t.Context(), "CREATE DATABASE analytics"); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "wrong"} {
		if err := must(open(e, e.User, password)).Ping(t.Context()); err == nil {
			t.Errorf("signed in with %q", password)
		}
		awaitAnswer(t, lapse)
	}
}

// Between the end of an engine and its next start somebody may be given its port.
func TestEngineComesBackOnceItsPortIsFree(t *testing.T) {
	t.Parallel()
	e := start(t, t.TempDir())
	conn := must(open(e, e.User, e.Password))
	awaitAnswer(t, conn)
	if err := syscall.Kill(e.EnginePID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, e.EnginePID, 2*time.Second)
	port, err := net.Listen("tcp", e.Address)
	if err != nil {
		t.Fatal(err)
	}
	starts := func() int {
		ended := must(os.ReadFile(filepath.Join(filepath.Dir(e.ConnectionFile()), "engine.log")))
		return strings.Count(string(ended), "Address already in use")
	}
	for deadline := time.Now().Add(20 * time.Second); starts() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not started again")
		}
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, conn)
}

// The function file() asks for no right: not even the user without a password may
// reach a file by it, least of all the connection file with the passwords.
func TestNobodyReadsFilesThroughTheEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, dir)
	secret := e.ConnectionFile()
	statements := []string{
		"SELECT file('" + secret + "', NULL)", "SELECT file('" + secret + "', 'none')", "SELECT file(arrayJoin(['" + secret + "', 'gate']))",
	}
	for _, file := range []string{"/etc/passwd", "/proc/self/environ", secret, filepath.Join(dir, "users.xml"), "gate", "../connection.json", "."} {
		statements = append(statements, "SELECT file('"+file+"')")
	}
	try := func(user, password, sql string) {
		conn := must(open(e, user, password))
		defer conn.Close() //nolint:errcheck // read only
		var content *string
		if err := conn.QueryRow(t.Context(), sql).Scan(&content); err == nil {
			t.Errorf("as %s, %s: gave an answer", user, sql)
		}
	}
	for _, sql := range statements {
		try("default", "", sql)
	}
	try(e.AnalystUser, e.AnalystPassword, statements[0])
	try(e.User, e.Password, statements[0])
	// An engine that was started again is no different.
	lapse := must(open(e, e.User, e.Password))
	_ = must(open(e, e.User, "wrong")).Ping(t.Context())
	awaitAnswer(t, lapse)
	try("default", "", "SELECT file('"+secret+"')")
}

func TestEngineOfAnotherAnalystDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	_, err := engine.Start(t.Context(), engine.Options{Dir: dir, AnalystDatabase: "other"})
	if err == nil || !strings.Contains(err.Error(), "another analyst database") {
		t.Errorf("err = %v", err)
	}
}

func TestMissingLibraryNamesTheCure(t *testing.T) {
	t.Parallel()
	_, err := engine.Start(t.Context(), engine.Options{Dir: t.TempDir(), Library: "/nonexistent/libchdb.so"})
	if err == nil || !strings.Contains(err.Error(), "lapse engine install") {
		t.Errorf("err = %v", err)
	}
}

func TestEngineKeepsMemoryForHalfAMinute(t *testing.T) {
	t.Parallel()
	e := start(t, t.TempDir())
	conn := must(open(e, e.User, e.Password))
	defer conn.Close() //nolint:errcheck // read only
	var decay string
	if err := conn.QueryRow(t.Context(), "SELECT extract(stats, 'opt.dirty_decay_ms: ([0-9]+)') FROM system.jemalloc_stats").Scan(&decay); err != nil {
		t.Fatal(err)
	}
	if decay != "30000" {
		t.Errorf("memory is given back after %s ms", decay)
	}
}
