package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Databases are the names of the databases.
type Databases struct {
	Telemetry string // personal
	Analytics string // anonymised: the only one that analysts may read
	Control   string // runs, accounts of ingest, training register, tombstones
	Readable  string // views of the personal tables, without people who have asked for restriction
}

// DatabasesWithPrefix returns the default names with a prefix before each.
func DatabasesWithPrefix(prefix string) Databases {
	return Databases{prefix + "telemetry", prefix + "analytics", prefix + "lapse", prefix + "readable"}
}

// Options say which ClickHouse to use and for which policy.
type Options struct {
	Addresses []string // host:port of the native protocol
	User      string
	Password  string
	TLS       *tls.Config // nil: none, for loopback
	Databases Databases
	Policy    *config.Policy
	// Cluster is the cluster of the servers' configuration that Lapse is spread over; none
	// if it is empty. Addresses are asked for its nodes then.
	Cluster string
	// Patience is for how long a statement waits for a server that takes no connection;
	// defaultPatience if it is zero.
	Patience time.Duration
	// Sync makes what ClickHouse has written durable. Where it is nil, as with a
	// server, the tables are made so that every part is synced when it is written.
	Sync func() error
	// Reserve is how many bytes of a disk are left free when partitions are copied on it.
	Reserve uint64
	// Trace is told how long each statement took. It may be nil.
	Trace func(statement string, took time.Duration)

	node sinks.Node // that the server is in Cluster
}

// Store is one server on which the tables of one policy live. It is safe for
// use by several goroutines at once.
type Store struct {
	conn   driver.Conn
	line   line
	policy *config.Policy
	db     Databases
	tables map[string]*table // personal tables by dataset, and Lapse's own
	sync   func() error
	trace  func(statement string, took time.Duration)

	cluster string // that the server is a node of; empty where it stands alone
	node    sinks.Node

	reserve uint64 // bytes

	// Blocks go over connections of their own, without the row-wise client's copies.
	natives struct {
		sync.Mutex
		options ch.Options
		idle    []*ch.Client
	}
	sortings sortings
	kept     keptSearches

	// What was met with of each dataset the last time, by which it is guessed what takes
	// the least time now.
	named sync.Map // whether a text named somebody
	ample sync.Map // whether the smallest class of a partition held more than k people
}

// settings are those that correctness rests on, but for the last. With async_insert, on by
// default since 26.x, an acknowledged row may not be stored yet.
var settings = map[string]any{
	"async_insert":                    0,
	"max_partitions_per_insert_block": 0,
	"mutations_sync":                  2,
	"alter_sync":                      2,
	"lightweight_deletes_sync":        2,
	"optimize_throw_if_noop":          1,
	"max_execution_time":              3600,
	"optimize_and_compare_chain":      0, // looking for more conditions is a third of what long statements take
}

// clusterSettings are those for statements that concern several nodes: what one has found
// travels to the others, and one that does not answer is an error.
var clusterSettings = map[string]any{
	"prefer_global_in_and_join": 1,
	"skip_unavailable_shards":   0,
}

// Open connects to ClickHouse. It changes nothing there; see Prepare.
func Open(ctx context.Context, o Options) (*Store, error) {
	used := maps.Clone(settings)
	if o.Cluster != "" {
		maps.Copy(used, clusterSettings)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:        o.Addresses,
		Auth:        clickhouse.Auth{Username: o.User, Password: o.Password},
		TLS:         o.TLS,
		Settings:    clickhouse.Settings(used),
		DialTimeout: 10 * time.Second,
		ReadTimeout: time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("open clickhouse: %w", err)
	}
	s := &Store{conn: conn, policy: o.Policy, db: o.Databases, sync: o.Sync, trace: o.Trace, reserve: o.Reserve, cluster: o.Cluster, node: o.node}
	s.kept.of, s.kept.lifetime = map[string]*search{}, keptFor
	s.line.patience = cmp.Or(o.Patience, defaultPatience)
	if err := s.line.hold(ctx, unavailable, func() error { return conn.Ping(ctx) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open clickhouse at %v: %w", o.Addresses, err), conn.Close())
	}
	if s.trace == nil {
		s.trace = func(string, time.Duration) {}
	}
	s.tables = personalTables(o.Policy, o.Databases)
	s.natives.options = ch.Options{
		Address:  o.Addresses[0],
		User:     o.User,
		Password: o.Password,
		TLS:      o.TLS,
		Settings: []ch.Setting{
			ch.SettingInt("async_insert", 0), ch.SettingInt("max_partitions_per_insert_block", 0),
			ch.SettingInt("materialize_skip_indexes_on_insert", 0), // merges make them
		},
	}
	return s, nil
}

// Ping reports whether ClickHouse answers.
func (s *Store) Ping(ctx context.Context) error { return Redact(s.conn.Ping(ctx)) }

// MemoryUse returns how many bytes of memory ClickHouse has tracked.
func (s *Store) MemoryUse(ctx context.Context) (bytes uint64, err error) {
	var tracked int64
	err = s.queryRow(ctx, "memory_use", nil, nil, &tracked)
	return uint64(max(tracked, 0)), err
}

// Close removes what searches have left, and closes the connections.
func (s *Store) Close() error {
	err := s.kept.close()
	s.natives.Lock()
	defer s.natives.Unlock()
	err = errors.Join(err, s.conn.Close())
	for _, client := range s.natives.idle {
		err = errors.Join(err, client.Close())
	}
	s.natives.idle = nil
	return err
}

// durable returns when everything that ClickHouse has acknowledged is durable.
func (s *Store) durable() error {
	if s.sync == nil {
		return nil
	}
	return s.sync()
}

// Databases returns the names of the databases.
func (s *Store) Databases() Databases { return s.db }

// unavailable reports whether err means that ClickHouse did not answer, so that
// trying again later may help.
func unavailable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, clickhouse.ErrAcquireConnTimeout) || isEOF(err)
}
