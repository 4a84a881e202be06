package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// These environment variables turn this program into the keeper of an engine
// (the value holds the Options as JSON) or into the engine itself (the value is
// the path of the library, the arguments are the engine's); the last is for the
// engine, too: its Options.Files.
const (
	keeperVariable = "LAPSE_ENGINE_KEEPER"
	engineVariable = "LAPSE_ENGINE_LIBRARY_TO_RUN"
	filesVariable  = "LAPSE_ENGINE_FILES"
)

// The keeper's first and only word to the process that spawned it; anything
// else is an error message.
const (
	wordReady = "ready"
	wordBusy  = "busy"
)

const (
	leaseGranted = "granted\n"
	tokenLength  = 32
	readyTimeout = 55 * time.Second
	// A killed engine is gone in some milliseconds. Past this it is left to itself,
	// so that its keeper is gone within 2 s of its last user.
	shutdownTimeout = 1500 * time.Millisecond
	// An engine that ends by itself is started again, but not for ever: one
	// that ran for less than soon counts as failing, and failures in a row end it.
	soon              = 10 * time.Second
	failuresTolerated = 10
	pauseAfterFailure = 500 * time.Millisecond
	// An engine that does not even start is tried on other ports.
	startsTolerated = 3
)

// RunIfKeeper turns the process into the keeper of an engine, or into the
// engine, and does not return, if it was started as one. Call it first thing in
// main.
func RunIfKeeper() {
	if library, ok := os.LookupEnv(engineVariable); ok {
		runEngine(library)
	}
	raw, ok := os.LookupEnv(keeperVariable)
	if !ok {
		return
	}
	_ = os.Unsetenv(keeperVariable)
	syscall.CloseOnExec(3) // else the engine keeps it open for as long as it runs
	status := os.NewFile(3, "status")
	var o Options
	err := json.Unmarshal([]byte(raw), &o)
	if err == nil {
		err = keep(o, status)
	}
	if err != nil {
		_, _ = fmt.Fprint(status, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keeper owns one running engine and counts who uses it. It is a process of its
// own, apart from the engine, so that an engine that crashes is started again
// on the same ports with the same passwords: this one aborts when a native
// client signs in with a wrong password.
type keeper struct {
	options    Options
	files      configurationFiles
	connection Connection
	listener   net.Listener
	engine     *os.Process

	mu      sync.Mutex
	users   int
	closing bool
	idle    chan struct{} // closed when the last user has gone
}

// keep runs an engine on o.Dir until its last user has gone.
func keep(o Options, status io.WriteCloser) error {
	lock := flock.New(lockFile(o.Dir))
	if locked, err := lock.TryLock(); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	} else if !locked {
		_, err := io.WriteString(status, wordBusy)
		return errors.Join(err, status.Close())
	}
	defer lock.Unlock()                    //nolint:errcheck // the process ends; until then nothing else keeps the lock from being collected
	defer os.Remove(connectionFile(o.Dir)) //nolint:errcheck // a stale one is refused by its port
	k, err := newKeeper(o)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that spawned us
		if last := k.release(); !last {
			_ = status.Close()
		}
	}()
	if err := awaitPredecessor(o.Dir); err != nil {
		return err
	}
	ended, err := k.startFirst()
	if err != nil {
		return err
	}
	go k.serveLeases()
	if _, err := io.WriteString(status, wordReady); err != nil {
		return err
	}
	return k.supervise(ended)
}

// awaitPredecessor waits until the engine of an earlier keeper is gone, which was killed
// but on a busy machine takes its time.
func awaitPredecessor(dir string) error {
	status := flock.New(filepath.Join(storeDir(dir), "status"))
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if _, err := status.TryLockContext(ctx, attachInterval); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // there was none
			return nil
		}
		return fmt.Errorf("the engine that ran before is still there: lock %s: %w", status.Path(), err)
	}
	return status.Unlock()
}

// startFirst starts the engine. If it ends before it is ready, somebody may have taken
// one of its ports, so it is given others.
func (k *keeper) startFirst() (ended <-chan struct{}, err error) {
	for range startsTolerated {
		if ended, err = k.startEngine(); !errors.Is(err, errEnded) {
			return ended, err
		}
		ports, err := freePorts(2)
		if err != nil {
			return nil, err
		}
		if k.connection.HTTPAddress = ports[1]; k.options.Cluster == nil {
			k.connection.Address = ports[0]
		}
	}
	return nil, err
}

// supervise starts the engine again when it ends by itself, and stops it when
// its last user has gone.
func (k *keeper) supervise(ended <-chan struct{}) error {
	for failures := 0; failures < failuresTolerated; failures++ {
		began := time.Now()
		select {
		case <-k.idle:
			k.stopEngine(ended)
			return nil
		case <-ended:
		}
		if time.Since(began) >= soon {
			failures = 0
		}
		again, err := k.startEngine()
		switch {
		case err == nil:
			ended = again
		case !errors.Is(err, errEnded):
			return err
		default: // its port was given away meanwhile, perhaps, and may be free again
			time.Sleep(pauseAfterFailure)
		}
	}
	return fmt.Errorf("the engine ended %d times in a row; see %s", failuresTolerated, logFile(k.options.Dir))
}

func newKeeper(o Options) (*keeper, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &keeper{
		options:  o,
		listener: listener,
		users:    1, // the process that spawned us, through standard input
		idle:     make(chan struct{}),
		connection: Connection{
			PID:             os.Getpid(),
			Address:         ports[0],
			HTTPAddress:     ports[1],
			User:            "lapse",
			Password:        randomToken(),
			AnalystUser:     "analyst",
			AnalystPassword: randomToken(),
			AnalystDatabase: o.AnalystDatabase,
			ReaderUser:      "reader",
			ReaderPassword:  randomToken(),
			ReaderDatabase:  o.ReaderDatabase,
			LeaseAddress:    listener.Addr().String(),
			LeaseToken:      randomToken(),
		},
	}
	if c := o.Cluster; c != nil {
		k.connection.Address, k.connection.Password, k.connection.AnalystPassword = c.Address, c.Password, c.AnalystPassword
	}
	_ = os.Remove(outputFile(o.Dir)) // of an earlier keeper's engines
	k.files, err = writeConfiguration(o, k.connection)
	return k, err
}

// release takes one user away, and reports whether none is left.
func (k *keeper) release() (last bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users--
	if k.users == 0 {
		k.closing = true
		close(k.idle)
	}
	return k.closing
}

// acquire adds a user, unless the engine is being stopped.
func (k *keeper) acquire() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing {
		return false
	}
	k.users++
	return true
}

func (k *keeper) serveLeases() {
	for {
		conn, err := k.listener.Accept()
		if err != nil {
			return
		}
		go k.lease(conn)
	}
}

// lease holds one user's share until the user hangs up or dies.
func (k *keeper) lease(conn net.Conn) {
	token := make([]byte, tokenLength)
	if _, err := io.ReadFull(conn, token); err != nil ||
		subtle.ConstantTimeCompare(token, []byte(k.connection.LeaseToken)) != 1 || !k.acquire() {
		_ = conn.Close()
		return
	}
	if _, err := io.WriteString(conn, leaseGranted); err == nil {
		_, _ = io.Copy(io.Discard, conn)
	}
	if last := k.release(); !last {
		_ = conn.Close()
	}
	// The last user's connection closes with this process: it waits for that.
}

// announce writes the connection file in one step, for its owner alone.
func (k *keeper) announce() error {
	raw, err := json.MarshalIndent(k.connection, "", "  ")
	if err != nil {
		return err
	}
	path := connectionFile(k.options.Dir)
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// freePorts returns n loopback addresses that were free a moment ago. If one is
// taken before the engine listens, the engine ends, and is started with others.
func freePorts(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // held only so that all n differ
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}

// randomToken returns 32 characters of base32: 160 random bits.
func randomToken() string { return (rand.Text() + rand.Text())[:tokenLength] }
