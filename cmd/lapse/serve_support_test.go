package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const writeKey = "0123456789abcdef0123456789abcdef"

// served is a process that serves.
type served struct {
	t       testing.TB
	cmd     *exec.Cmd
	log     bytes.Buffer // to be read once the process has ended
	Address string
	ended   chan error
}

// serveIn starts `lapse serve` on a free port, for the installation in dir.
func serveIn(t testing.TB, dir string, env ...string) *served {
	t.Helper()
	return serveWith(t, "lapse", dir, env...)
}

// serveWith does so with a program.
func serveWith(t testing.TB, program, dir string, env ...string) *served {
	t.Helper()
	s := &served{t: t, ended: make(chan error, 1)}
	s.cmd = exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--output", "json")
	s.cmd.Dir = dir
	s.cmd.Env = append(append(os.Environ(), "LAPSE_COLLECTOR_WRITE_KEYS="+writeKey, "LAPSE_LOG_LEVEL=debug"), env...)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told struct{ Address string }
	err = json.NewDecoder(out).Decode(&told)
	s.Address = told.Address
	go func() { s.ended <- s.cmd.Wait() }()
	if err != nil {
		t.Fatalf("lapse serve: %v: %v\n%s", err, <-s.ended, s.log.String())
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// end asks the process to end, and fails the test if it does not do so in time and
// in good order. It returns what was logged.
func (s *served) end() string {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Fatalf("lapse serve ended with %v\n%s", err, s.log.String())
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("lapse serve does not end")
	}
	return s.log.String()
}

// kill ends the process as kill -9 does.
func (s *served) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	if err := <-s.ended; err == nil {
		s.t.Error("lapse serve ended by itself before it was killed")
	}
}

// newInstallation makes an installation without input.
func newInstallation(t *testing.T) *world {
	t.Helper()
	installedLibrary(t)
	w := &world{t: t, dir: t.TempDir()}
	w.must("init", w.dir)
	return w
}

// read runs a query as Lapse itself and gives each row's values to scan.
func (w *world) read(query string, into func(scan func(...any) error) error) {
	w.t.Helper()
	a := &app{settings: w.settings()}
	a.settings.Policy = filepath.Join(w.dir, "policy.yaml")
	i := &installation{app: a, settings: a.settings}
	if err := i.startEngine(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // nothing was written
	rows, err := connect(w.t, i).Query(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // read only
	for rows.Next() {
		err = errors.Join(err, into(rows.Scan))
	}
	if err := errors.Join(err, rows.Err()); err != nil {
		w.t.Fatal(err)
	}
}

// peakMemory returns the most memory the process has had, in MiB. It skips the test
// where the system does not tell.
func (s *served) peakMemory() (mib float64) {
	s.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, ok := strings.Cut(string(raw), "VmHWM:")
	if err != nil || !ok {
		s.t.Skip("the system does not tell a process's memory")
	}
	if _, err := fmt.Sscan(rest, &mib); err != nil {
		s.t.Fatal(err)
	}
	return mib / 1024
}
