package engine

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
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
	if err := runLibrary(library, os.Args); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startEngine starts the engine's process and returns when it answers; ended is
// closed when the process has ended.
func (k *keeper) startEngine() (ended <-chan struct{}, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	output, err := os.OpenFile(outputFile(k.options.Dir), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // the engine has its own copy
	cmd := exec.Command(self)
	cmd.Args = arguments(k.options, k.connection, k.files)
	cmd.Env = append(os.Environ(), engineVariable+"="+k.options.Library)
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
	k.connection.EnginePID = cmd.Process.Pid
	return done, k.announce()
}

// stopEngine ends the engine in good order if it can, and within
// shutdownTimeout in any case: the caller ends, and the engine with it.
func (k *keeper) stopEngine(ended <-chan struct{}) {
	_ = os.Remove(connectionFile(k.options.Dir))
	_ = k.query("KILL QUERY WHERE query_id = '" + mainQueryID + "' ASYNC")
	select {
	case <-ended:
	case <-time.After(shutdownTimeout):
	}
}

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
			return fmt.Errorf("the engine ended before it was ready; see %s and %s", logFile(k.options.Dir), outputFile(k.options.Dir))
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
