package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/country"
	"github.com/facesoft/lapse/sinks/engine"
	"github.com/facesoft/lapse/sinks/filelock"
	"github.com/facesoft/lapse/sinks/keyring"
	"github.com/facesoft/lapse/sinks/kubelease"
	"github.com/facesoft/lapse/sinks/spool"
)

// installation is everything a job needs, opened. This file is the only place
// that names concrete sinks.
type installation struct {
	app      *app
	settings *config.Settings
	policy   *config.Policy
	engine   *engine.Engine // nil where a server is used
	store    *clickhouse.Cluster
	log      *auditlog.Log // nil where a command only reads
	copier   *jobs.AuditCopier
	locks    filelock.Locks
	lease    sinks.Lease
	buckets  map[string]sinks.Bucket
	readable map[string]sinks.ReadableBucket // the same
	keys     *keyring.Folder
	country  *country.Database // nil where none is set
	stdin    string            // the file that holds the standard input; empty if it is not read
	closers  []func() error
}

// loadPolicy loads the policy that the settings name.
func (a *app) loadPolicy() (*config.Policy, error) {
	p, err := config.LoadPolicy(a.settings.Policy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%w; name a policy with --policy, or start an installation with 'lapse init'", err)}
	}
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// open opens the stores. Nothing runs if one of them lies in a region that the
// policy does not allow, or holds personal data the policy does not know.
func (a *app) open(ctx context.Context) (*installation, error) {
	p, err := a.loadPolicy()
	if err != nil {
		return nil, err
	}
	return a.openFor(ctx, p)
}

// openFor opens the stores for a policy that has been loaded.
func (a *app) openFor(ctx context.Context, p *config.Policy) (*installation, error) {
	if err := a.settings.CheckRegions(p); err != nil {
		return nil, usageError{err}
	}
	i := &installation{settings: a.settings, policy: p, app: a, buckets: map[string]sinks.Bucket{}, readable: map[string]sinks.ReadableBucket{}}
	if err := i.openAll(ctx); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

func (i *installation) openAll(ctx context.Context) (err error) {
	if i.locks, err = filelock.Open(filepath.Join(i.settings.DataDir, "locks")); err != nil {
		return err
	}
	for _, b := range i.settings.Buckets {
		opened, err := bucket.Open(b)
		if err != nil {
			return err
		}
		i.closers = append(i.closers, opened.Close)
		i.buckets[b.Name], i.readable[b.Name] = opened, opened
	}
	if err := i.openDecoding(); err != nil {
		return err
	}
	options, err := i.clickhouseOptions(ctx)
	if err != nil {
		return err
	}
	if i.store, err = clickhouse.OpenCluster(ctx, options); err != nil {
		return clusterError(err)
	}
	i.closers = append(i.closers, i.store.Close)
	unlock, err := i.locks.Lock(ctx, "schema")
	if err != nil {
		return err
	}
	defer unlock()
	if err := i.store.Prepare(ctx); err != nil {
		return clusterError(err)
	}
	if err := i.openLease(ctx, i.store.First()); err != nil {
		return err
	}
	return i.store.SweepStages(ctx)
}

// openLease opens what keeps two runs of a job apart: over machines too, where the
// settings say so.
func (i *installation) openLease(ctx context.Context, o clickhouse.Options) error {
	i.lease = i.locks
	shared, err := sharedLease(ctx, i.settings, o)
	if err != nil || shared == nil {
		return err
	}
	i.closers = append(i.closers, shared.Close)
	i.lease = sinks.Leases{i.locks, shared}
	return nil
}

// closingLease is a lease that has connections of its own.
type closingLease interface {
	sinks.Lease
	Close() error
}

// sharedLease opens the lease that holds over machines; it is nil where there is none.
func sharedLease(ctx context.Context, s *config.Settings, o clickhouse.Options) (closingLease, error) {
	switch s.Lease.Kind {
	case config.LeaseKubernetes:
		leases, err := kubelease.InPod(s.Lease.Prefix)
		if err != nil {
			return nil, usageError{err}
		}
		return leases, nil
	case config.LeaseKeeper:
		if s.ClickHouse.DSN == "" {
			return nil, usageError{errors.New("lease.kind is keeper, and the embedded engine has none: set clickhouse.dsn, or lease.kind to file")}
		}
		leases, err := clickhouse.OpenLeases(ctx, o, s.Lease.Prefix)
		if errors.Is(err, clickhouse.ErrNoKeeper) {
			return nil, usageError{err}
		}
		if err != nil {
			return nil, err
		}
		return leases, nil
	}
	return nil, nil
}

// openDecoding opens what ingest uses beside the policy.
func (i *installation) openDecoding() (err error) {
	if i.keys, err = keyring.Open(filepath.Join(i.settings.DataDir, "keys")); err != nil {
		return err
	}
	if i.settings.CountryDatabase == "" {
		return nil
	}
	if i.country, err = country.Open(i.settings.CountryDatabase); err != nil {
		return usageError{err}
	}
	i.closers = append(i.closers, i.country.Close)
	return nil
}

// reserve is how many bytes of ClickHouse's disk a run leaves free when it copies partitions.
const reserve = 256 << 20

// clickhouseOptions says how to reach ClickHouse: the server that the settings
// name, or the embedded engine, which is started if it does not run.
func (i *installation) clickhouseOptions(ctx context.Context) (clickhouse.Options, error) {
	o := clickhouse.Options{Databases: clickhouse.DatabasesWithPrefix(i.settings.ClickHouse.DatabasePrefix), Policy: i.policy, Reserve: reserve, Trace: i.trace}
	if i.settings.ClickHouse.DSN != "" {
		if err := fromDSN(&o, i.settings.ClickHouse, i.settings.ClickHouse.DSN, i.settings.ClickHouse.PasswordFile); err != nil {
			return o, err
		}
		o.Cluster = i.settings.ClickHouse.Cluster
		return o, oneServer(o)
	}
	if i.settings.ClickHouse.Cluster != "" {
		return o, usageError{errors.New("clickhouse.cluster needs clickhouse.dsn: the embedded engine stands alone")}
	}
	if err := i.startEngine(ctx); err != nil {
		return o, err
	}
	o.Addresses, o.User, o.Password, o.Sync = []string{i.engine.Address}, i.engine.User, i.engine.Password, i.engine.Sync
	return o, nil
}

// trace logs how long a statement took.
func (i *installation) trace(statement string, took time.Duration) {
	i.app.log.Debug("statement", "name", statement, "ms", float64(took.Microseconds())/1000)
}

func (i *installation) startEngine(ctx context.Context) (err error) {
	if i.engine != nil {
		return nil
	}
	databases := clickhouse.DatabasesWithPrefix(i.settings.ClickHouse.DatabasePrefix)
	i.engine, err = engine.Start(ctx, engine.Options{
		Dir:             filepath.Join(i.settings.DataDir, "clickhouse"),
		Library:         i.settings.Engine.Library,
		AnalystDatabase: databases.Analytics,
		ReaderDatabase:  databases.Readable,
	})
	if err == nil {
		i.closers = append(i.closers, i.engine.Close)
	}
	return err
}

// fromDSN reads a server's address. The password comes from a file rather than
// from the DSN where there is one, and certificates from the settings.
func fromDSN(o *clickhouse.Options, s config.ClickHouseSettings, dsn, passwordFile string) error {
	parsed, err := driver.ParseDSN(dsn)
	if err != nil {
		return usageError{errors.New("clickhouse.dsn cannot be read; write clickhouse://user@host:9000?secure=true")} // the text may hold a password
	}
	o.Addresses, o.User, o.Password = parsed.Addr, parsed.Auth.Username, parsed.Auth.Password
	if o.TLS, err = secured(parsed.TLS, s); err != nil {
		return usageError{err}
	}
	if passwordFile == "" {
		return nil
	}
	secret, err := os.ReadFile(passwordFile)
	if err != nil {
		return usageError{fmt.Errorf("clickhouse.password_file: %w", err)}
	}
	o.Password = strings.TrimRight(string(secret), "\r\n")
	return nil
}

// oneServer refuses a list of servers that are no nodes of a cluster. The tables are local
// to one: of what is gone from it, another that answers in its place may still hold rows.
func oneServer(o clickhouse.Options) error {
	if len(o.Addresses) == 1 || o.Cluster != "" {
		return nil
	}
	return usageError{fmt.Errorf("clickhouse.dsn names %d servers; name one, or set clickhouse.cluster to have the tables spread over all nodes of a cluster", len(o.Addresses))}
}

// clusterError tells a cluster that is not set up as it should be from other failures.
func clusterError(err error) error {
	if errors.Is(err, clickhouse.ErrCluster) {
		return usageError{err}
	}
	return err
}

// openSpool opens a folder that requests are written to.
func (a *app) openSpool(dir string) (*spool.Spool, error) {
	s := a.settings
	return spool.Open(spool.Options{
		Dir: dir, SegmentBytes: int64(s.Spool.Segment), SegmentAge: s.Spool.Age(), MaxBytes: int64(s.Spool.MaxSize),
		Warn: func(err error) { a.log.Warn("the spool is not in order", "error", err) },
	}, time.Now)
}

// openLog opens the audit log for writing.
func (i *installation) openLog(ctx context.Context) error {
	files, err := i.app.auditFiles("")
	if err != nil {
		return err
	}
	if i.log, err = i.app.openAuditLog(ctx); err != nil {
		return err
	}
	i.closers = append(i.closers, i.log.Close)
	i.copier = i.auditCopier(files)
	return nil
}

// auditCopier keeps the copy of the audit log in ClickHouse.
func (i *installation) auditCopier(files auditlog.Files) *jobs.AuditCopier {
	return &jobs.AuditCopier{
		Entries: func(ctx context.Context, year int, index int64) iter.Seq2[sinks.AuditRecord, error] {
			return auditlog.Encoded(ctx, files, year, index)
		},
		Copy: i.store,
		Warn: func(err error) { i.app.log.Warn("the audit log's copy for search is behind", "error", err) },
	}
}

// Close closes what was opened, the last first.
func (i *installation) Close() error {
	var errs error
	for n := len(i.closers) - 1; n >= 0; n-- {
		errs = errors.Join(errs, i.closers[n]())
	}
	i.closers = nil
	return errs
}

// runner returns the runner for this installation's jobs.
func (i *installation) runner(actor sinks.Actor, observe func(jobs.Event)) *jobs.Runner {
	return &jobs.Runner{
		Policy: i.policy, Log: i.log, Copy: i.copier, Locks: i.locks, Lease: i.lease, History: i.store, KeepRuns: i.settings.History.Keep, Activations: i.store,
		Actor: actor, Program: version(), Observe: observe,
	}
}

// ingest returns the job that reads the given paths.
func (i *installation) ingest(ctx context.Context, paths []string, progress func(int64)) (*jobs.Ingest, error) {
	gate, err := i.gate(ctx)
	if err != nil {
		return nil, err
	}
	job := &jobs.Ingest{
		Policy: i.policy, Inputs: i.collected(paths), Intake: i.store, Ledger: i.store,
		Locks: i.locks, Progress: progress, Keys: i.keys, Gate: gate,
	}
	if i.country != nil {
		job.Country = i.country.Country
	}
	return job, nil
}

// dispose returns the job that gets rid of the files at the given paths.
func (i *installation) dispose(paths []string) *jobs.Dispose {
	return &jobs.Dispose{Policy: i.policy, Inputs: i.collected(paths), Ledger: i.store}
}

// gate returns what decides about records by what people have decided. It lives as
// long as ctx.
func (i *installation) gate(ctx context.Context) (*jobs.Gate, error) {
	var keys jobs.GateKeys
	var err error
	if keys.Consents, err = i.keys.Secret(jobs.ConsentLedgerName); err != nil {
		return nil, err
	}
	if keys.Erasures, err = i.erasureKeys(); err != nil {
		return nil, err
	}
	erasures, err := i.erasures()
	if err != nil {
		return nil, err
	}
	if _, err := erasures.RestoreIfBehind(ctx); err != nil { // a backup was restored, and no sweep has run
		return nil, err
	}
	return jobs.NewGate(ctx, i.policy, i.store, erasures, keys)
}

func (i *installation) anonymise() *jobs.Anonymise {
	return &jobs.Anonymise{Policy: i.policy, Personal: i.store, Publish: i.store, Locks: i.locks}
}

func (i *installation) purge() *jobs.Purge {
	return &jobs.Purge{Policy: i.policy, Personal: i.store, Subjects: i.store, Register: i.store, Inventory: i.store, Holds: i.store, Buckets: i.buckets, Locks: i.locks, Keys: i.keys, Ledgers: i.keys, Consents: i.store}
}

func (i *installation) reconcile(contents bool) *jobs.Reconcile {
	return &jobs.Reconcile{Policy: i.policy, Inventory: i.store, Buckets: i.buckets, Holds: i.store, Contents: contents}
}

// version returns the version that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			revision = s.Value[:12]
		}
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	if revision != "" {
		return "devel-" + revision
	}
	return "devel"
}
