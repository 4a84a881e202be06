package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func init() {
	if os.Getenv(engineVariable) != "" {
		// The engine's entry point wants the main thread's large stack.
		runtime.LockOSThread()
	}
}

// runEngine is the engine's process. It ends with its keeper, whatever ends the
// keeper: a killed engine loses nothing that was stored.
func runEngine(library string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	temporary, err := passGate(os.Getenv(filesVariable))
	if err == nil {
		err = runLibrary(library, os.Args)
	}
	_ = os.RemoveAll(temporary)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// passGate sees to it that the engine's process stands in a folder that is gone
// before the engine listens. The function file() of the engine asks nobody for a
// right and keeps to no folder, other than a server's: whoever may sign in, also
// without a password, could read every file that this process may. But it looks
// up the current folder first, and fails where there is none.
//
// The engine itself does not start without a current folder. So its first query
// reads the gate, a pipe: when that is open, the engine has started, and the
// folder is removed before the query, and with it the gate, comes to an end. Where
// files are to be read, their folder is the current one, and stays.
func passGate(files string) (temporary string, err error) {
	folder := files
	if files == "" {
		if temporary, err = os.MkdirTemp("", "lapse-engine-"); err != nil {
			return "", err
		}
		folder = temporary
	}
	if err := errors.Join(os.Chdir(folder), syscall.Mkfifo(gate, 0o600)); err != nil {
		return temporary, err
	}
	go func() {
		open, err := os.OpenFile(gate, os.O_WRONLY, 0) // waits for the engine
		err = errors.Join(err, os.Remove(gate))
		if temporary != "" {
			err = errors.Join(err, os.Remove(temporary))
		}
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = open.Close()
	}()
	return temporary, nil
}

// The engine gives memory back to the system when it has had no use for it for half a
// minute: its default of 5 seconds makes every other statement ask for the same pages
// again, which is a tenth of what large ones take.
const (
	allocatorVariable = "JE_MALLOC_CONF"
	allocatorOptions  = "dirty_decay_ms:30000"
)

// startEngine starts the engine's process and returns when it answers; ended is
// closed when the process has ended.
func (k *keeper) startEngine() (ended <-chan struct{}, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	output, err := os.OpenFile(outputFile(k.options.Dir), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the engine has its own copy
	cmd := exec.Command(self)
	cmd.Args = arguments(k.options, k.connection, k.files)
	cmd.Env = append(os.Environ(), engineVariable+"="+k.options.Library, filesVariable+"="+k.options.Files)
	if _, set := os.LookupEnv(allocatorVariable); !set {
		cmd.Env = append(cmd.Env, allocatorVariable+"="+allocatorOptions)
	}
	cmd.Stdout, cmd.Stderr = output, output
	if _, err := cmd.StdinPipe(); err != nil { // held open as long as this process lives
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	if err := k.awaitEngine(done); err != nil {
		_ = cmd.Process.Kill()
		return nil, err
	}
	k.engine, k.connection.EnginePID = cmd.Process, cmd.Process.Pid
	return done, k.announce()
}

// stopEngine kills the engine, which loses nothing that was stored. It does not end
// in good order: it aborts if it meets no current folder on its way, and to give
// it one would open the way to every file; see passGate. The caller ends next, and
// with it the engine in any case.
func (k *keeper) stopEngine(ended <-chan struct{}) {
	_ = os.Remove(connectionFile(k.options.Dir))
	_ = k.engine.Kill()
	select {
	case <-ended:
	case <-time.After(shutdownTimeout):
	}
}

var errEnded = errors.New("the engine ended before it was ready")

// awaitEngine returns when the engine answers on both ports.
func (k *keeper) awaitEngine(ended <-chan struct{}) error {
	limit := time.After(readyTimeout)
	for {
		err := k.ping()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%w; see %s and %s", errEnded, logFile(k.options.Dir), outputFile(k.options.Dir))
		case <-limit:
			return fmt.Errorf("the engine did not answer within %s: %w", readyTimeout, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (k *keeper) ping() error {
	if err := k.query("SELECT 1"); err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", k.connection.Address, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// query runs sql over HTTP; this package needs no more of a client than that.
func (k *keeper) query(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+k.connection.HTTPAddress+"/", strings.NewReader(sql))
	if err != nil {
		return err
	}
	request.Header.Set("X-ClickHouse-User", k.connection.User)
	request.Header.Set("X-ClickHouse-Key", k.connection.Password)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the engine answered %s", answer.Status)
	}
	return nil
}
