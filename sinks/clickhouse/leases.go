package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// Leases let one process run a job at a time, over all machines that use a ClickHouse
// with Keeper, by rows of a KeeperMap table. A row is written only by who has read its
// newest version, and when it runs out is told by the server's clock alone. As with
// every lease, nothing may rest on there being one holder.
type Leases struct {
	*sinks.RenewedLease
	store *Store // with connections of its own: a run uses those of its store
	table leaseTable
}

var _ sinks.Lease = (*Leases)(nil)

// leaseTable is the table of the leases, and where Keeper has its rows. Two
// installations that share a Keeper need two prefixes or two database prefixes.
type leaseTable struct {
	Databases
	Path string
}

// leaseSlack is by how much the clocks of a cluster's servers may differ before a lease
// is taken that still lasts.
const leaseSlack = 2 * time.Second

// ErrNoKeeper means that the server keeps no KeeperMap tables.
var ErrNoKeeper = errors.New("this ClickHouse has no Keeper for leases: configure <zookeeper> and <keeper_map_path_prefix> there, or set lease.kind to file or kubernetes")

// OpenLeases connects to the ClickHouse of a store that has been prepared, and makes the
// table of the leases where it is missing.
func OpenLeases(ctx context.Context, o Options, prefix string) (*Leases, error) {
	store, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	l := &Leases{store: store, table: leaseTable{o.Databases, "/" + prefix + "/" + o.Databases.Control}}
	l.RenewedLease = sinks.NewRenewedLease(l.take)
	if err := store.exec(ctx, "create_leases", l.table, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("open leases: %w", unmade(err, o.User)), store.Close())
	}
	return l, nil
}

// unmade says what to do where the table could not be made.
func unmade(err error, user string) error {
	const codeBadArguments = 36 // keeper_map_path_prefix is not set
	switch {
	case refusedWith(err, codeBadArguments):
		return ErrNoKeeper
	case refusedWith(err, codeAccessDenied):
		return fmt.Errorf("%w: GRANT TABLE ENGINE ON KeeperMap TO %s", err, quote(user))
	}
	return asKeepers(err)
}

// Close closes the connections.
func (l *Leases) Close() error { return l.store.Close() }

// take takes the lease if it is free, or its holder has let it run out. Who has it in
// the end is read back: a write whose answer is lost may have happened.
func (l *Leases) take(ctx context.Context, name string) (sinks.Tenure, error) {
	host, _ := os.Hostname()
	t := &keptRow{l, name, host + "_" + sinks.NewID().String()[:8]}
	err := l.write(ctx, "insert_lease", t.parameters())
	if refusedWith(err, codeKeeper) { // there is a row
		err = l.write(ctx, "take_lease", t.parameters())
	}
	return t, t.check(ctx, err)
}

// keptRow is a lease that this process has.
type keptRow struct {
	leases       *Leases
	name, holder string
}

// Renew implements sinks.Tenure.
func (t *keptRow) Renew(ctx context.Context) error {
	return t.check(ctx, t.leases.write(ctx, "renew_lease", t.parameters()))
}

// GiveBack implements sinks.Tenure.
func (t *keptRow) GiveBack(ctx context.Context) {
	_ = t.leases.write(ctx, "give_back_lease", t.parameters())
}

func (t *keptRow) parameters() parameters {
	return parameters{
		"name": t.name, "holder": t.holder,
		"lasts": strconv.FormatInt(t.leases.Duration.Milliseconds(), 10), "slack": strconv.FormatInt(leaseSlack.Milliseconds(), 10),
	}
}

// check judges a write by what the row says after it.
func (t *keptRow) check(ctx context.Context, written error) error {
	if written != nil && !refusedWith(written, codeKeeper) {
		return asKeepers(written)
	}
	var holders []string
	err := t.leases.store.query(ctx, "lease_holder", t.leases.table, parameters{"name": t.name}, func(r driver.Rows) error {
		var holder string
		err := r.Scan(&holder)
		holders = append(holders, holder)
		return err
	})
	switch {
	case err != nil:
		return asKeepers(err)
	case len(holders) == 1 && holders[0] == t.holder:
		return nil
	case len(holders) == 0 && written != nil: // Keeper, and not another holder, refused it
		return asKeepers(written)
	}
	return sinks.ErrHeld
}

// write changes the row only if nobody else has done so since it was read.
func (l *Leases) write(ctx context.Context, statement string, p parameters) error {
	strict := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"keeper_map_strict_mode": 1}))
	return l.store.exec(strict, statement, l.table, p)
}

// codeKeeper is that of what Keeper refuses, or does not answer.
const codeKeeper = 999

// refusedWith reports whether the server has refused with a code.
func refusedWith(err error, code int32) bool {
	var refused *ServerError
	return errors.As(err, &refused) && refused.Code == code
}

// asKeepers marks what Keeper did not answer, so that it is tried again.
func asKeepers(err error) error {
	if refusedWith(err, codeKeeper) {
		return fmt.Errorf("%w: %w", sinks.ErrUnavailable, err)
	}
	return err
}
