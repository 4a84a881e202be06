package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options say which engine to start and where.
type Options struct {
	// Dir holds the engine's data. It is made if it does not exist (mode 0700).
	Dir string
	// Library is the engine's shared library; empty means the one that Install
	// put into the cache.
	Library string
	// AnalystDatabase is the only database the analyst user may read.
	AnalystDatabase string
	// ReaderDatabase is the only database the reader user may read: personal data, as those
	// may see them who have to. Without it there is no such user.
	ReaderDatabase string
	// Files is a folder that Lapse's own user may read and write through the engine,
	// for a measurement. It opens every file of this process to whoever signs in
	// (see passGate), so leave it out everywhere else.
	Files string
	// Grants are the rights of Lapse's own user in place of the usual ones, each a GRANT
	// without the user's name, for tests of what servers give.
	Grants []string
	// Keeper is the host:port of a ZooKeeper or a ClickHouse Keeper on which KeeperMap
	// tables are kept, for tests of what servers have; none if empty.
	Keeper string
	// Cluster makes the engine a node among others. Leave it out for an engine that stands
	// alone.
	Cluster *Cluster
}

// Cluster says how engines on one machine know each other, as <remote_servers> says it to
// servers.
type Cluster struct {
	Address         string // host:port on loopback at which this engine listens: fixed, for the others know it
	Password        string // of Lapse's user, the same on all nodes
	AnalystPassword string
	// Secret is what nodes show each other, so that each asks the others as the user who
	// has asked it.
	Secret string
	// Servers are the addresses of the replicas of the shards of each cluster.
	Servers map[string][][]string
}

// Connection says how to reach a running engine. It is stored in the data
// folder, mode 0600, while the engine runs.
type Connection struct {
	PID             int    `json:"pid"`          // the keeper's process id
	EnginePID       int    `json:"engine_pid"`   // the engine's process id; it changes if the engine is started again
	Address         string `json:"address"`      // native protocol, host:port on loopback
	HTTPAddress     string `json:"http_address"` // HTTP interface, host:port on loopback
	User            string `json:"user"`
	Password        string `json:"password"`
	AnalystUser     string `json:"analyst_user"`
	AnalystPassword string `json:"analyst_password"`
	AnalystDatabase string `json:"analyst_database"`
	ReaderUser      string `json:"reader_user,omitempty"`
	ReaderPassword  string `json:"reader_password,omitempty"`
	ReaderDatabase  string `json:"reader_database,omitempty"`
	LeaseAddress    string `json:"lease_address"` // where users of the engine register
	LeaseToken      string `json:"lease_token"`
}

// Engine is this process's share in a running engine.
type Engine struct {
	Connection
	dir   string
	share *share
}

// share is what a process holds while it uses an engine. The keeper notices
// when letGo is called or the process dies; it closes answer at once if others
// still use the engine, and when the engine has ended if not.
type share struct {
	letGo  func() error
	answer io.ReadCloser
}

const (
	startTimeout   = 60 * time.Second // a large data folder takes time to load
	stopTimeout    = 10 * time.Second
	attachInterval = 20 * time.Millisecond
)

// Start attaches to the engine that runs on o.Dir, or starts one. Close gives
// up this process's share; the engine ends with the last share.
func Start(ctx context.Context, o Options) (*Engine, error) {
	if err := prepare(&o); err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if e, err := attach(ctx, o); err == nil || errors.Is(err, errMismatch) {
			return e, err
		}
		if e, err := spawn(ctx, o); !errors.Is(err, errBusy) {
			return e, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("start engine: %w", context.Cause(ctx))
		case <-time.After(attachInterval):
		}
	}
}

func prepare(o *Options) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	if o.Library == "" {
		if o.Library, err = InstalledLibrary(); err != nil {
			return err
		}
	}
	if o.Library, err = filepath.Abs(o.Library); err != nil { // the engine stands in another folder
		return err
	}
	if _, err := os.Stat(o.Library); err != nil {
		return fmt.Errorf("%w; install it with 'lapse engine install' (or 'make engine'), or set clickhouse.dsn to use a server", err)
	}
	return os.MkdirAll(o.Dir, 0o700)
}

var (
	errMismatch = errors.New("start engine: the engine that runs on this folder was started for another analyst database")
	errBusy     = errors.New("start engine: another process is starting or stopping it")
)

// attach takes a share in the engine that runs on o.Dir.
func attach(ctx context.Context, o Options) (*Engine, error) {
	c, err := readConnection(o.Dir)
	if err != nil {
		return nil, err
	}
	if c.AnalystDatabase != o.AnalystDatabase {
		return nil, errMismatch
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.LeaseAddress)
	if err != nil {
		return nil, err
	}
	if err := register(conn, c.LeaseToken); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Engine{c, o.Dir, &share{letGo: conn.(*net.TCPConn).CloseWrite, answer: conn}}, nil
}

// register shows the token and waits for the keeper's word that this process
// now holds a share.
func register(conn net.Conn, token string) error {
	_ = conn.SetDeadline(time.Now().Add(stopTimeout))
	if _, err := io.WriteString(conn, token); err != nil {
		return err
	}
	answer := make([]byte, len(leaseGranted))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

func readConnection(dir string) (c Connection, err error) {
	raw, err := os.ReadFile(connectionFile(dir))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, &c)
}

// spawn executes this program again as the keeper of an engine, with the first
// share held through its standard input, and waits until the engine answers.
func spawn(ctx context.Context, o Options) (*Engine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	arguments, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	answer, status, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	defer status.Close() //nolint:errcheck // the keeper has its own copy
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), keeperVariable+"="+string(arguments))
	cmd.ExtraFiles = []*os.File{status}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is ours to handle
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), answer.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), answer.Close())
	}
	_ = status.Close()
	go cmd.Wait() //nolint:errcheck // reaps the child; its word comes through the pipe
	s := &share{letGo: alive.Close, answer: answer}
	if err := awaitReady(ctx, o, answer); err != nil {
		return nil, errors.Join(err, s.letGo(), answer.Close())
	}
	c, err := readConnection(o.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), s.letGo(), answer.Close())
	}
	return &Engine{c, o.Dir, s}, nil
}

// awaitReady waits for the keeper's first word.
func awaitReady(ctx context.Context, o Options, answer io.Reader) error {
	word := make(chan string, 1)
	go func() {
		line := make([]byte, 1024)
		n, _ := answer.Read(line) // the keeper writes it in one piece
		word <- string(line[:n])
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("start engine: %w", context.Cause(ctx))
	case w := <-word:
		switch w {
		case wordReady:
			return nil
		case wordBusy:
			return errBusy
		case "":
			return fmt.Errorf("start engine: it ended before it was ready; see %s", logFile(o.Dir))
		default:
			return fmt.Errorf("start engine: %s", w)
		}
	}
}

// ConnectionFile returns the path of the file that holds the Connection.
func (e *Engine) ConnectionFile() string { return connectionFile(e.dir) }

// StartedAgain returns what an engine that ended by itself since Start has left behind:
// the last of its log and of what it printed. It is empty while the first one runs.
func (e *Engine) StartedAgain() string {
	now, err := readConnection(e.dir)
	if err == nil && now.EnginePID == e.EnginePID {
		return ""
	}
	const last = 8 << 10 // bytes
	var b strings.Builder
	fmt.Fprintf(&b, "the engine ended by itself: process %d is now %d (%v)\n", e.EnginePID, now.EnginePID, err)
	for _, path := range []string{logFile(e.dir), outputFile(e.dir)} {
		raw, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s (%v):\n%s\n", path, err, raw[max(0, len(raw)-last):])
	}
	return b.String()
}

// Close gives up this process's share. If it was the last one, Close returns
// when the engine has shut down.
func (e *Engine) Close() error {
	if e.share == nil {
		return nil
	}
	s := e.share
	e.share = nil
	if err := s.letGo(); err != nil {
		return errors.Join(fmt.Errorf("stop engine: %w", err), s.answer.Close())
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, s.answer)
		close(ended)
	}()
	select {
	case <-ended:
		return s.answer.Close()
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("stop engine: it did not end within %s", stopTimeout), s.answer.Close())
	}
}
