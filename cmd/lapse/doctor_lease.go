package main

import (
	"context"
	"errors"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// lookAtKubernetes checks leases that need no ClickHouse.
func (e *examination) lookAtKubernetes(ctx context.Context) {
	if e.settings.Lease.Kind == config.LeaseKubernetes {
		e.lookAtLease(ctx, clickhouse.Options{}, "run in a pod with a service account, and apply config/kubernetes: its Role lets that get, create and update leases; or set lease.kind to file")
	}
}

// lookAtKeeper checks leases in ClickHouse, once its tables have been made.
func (e *examination) lookAtKeeper(ctx context.Context, o clickhouse.Options) {
	if e.settings.Lease.Kind == config.LeaseKeeper {
		e.lookAtLease(ctx, o, "configure <zookeeper> and <keeper_map_path_prefix> on the server, GRANT TABLE ENGINE ON KeeperMap TO the user; or set lease.kind to file")
	}
}

// lookAtLease takes a lease that holds over machines, and gives it back.
func (e *examination) lookAtLease(ctx context.Context, o clickhouse.Options, cure string) {
	leases, err := sharedLease(ctx, e.settings, o)
	if err != nil {
		e.fault("lease", cure, "%v", err)
		return
	}
	defer leases.Close() //nolint:errcheck // only connections
	_, release, err := leases.Hold(ctx, "doctor", false)
	switch {
	case err == nil:
		release()
	case !errors.Is(err, sinks.ErrHeld):
		e.fault("lease", cure, "%v", err)
		return
	}
	e.well("lease", "leases of kind %s can be held", e.settings.Lease.Kind)
}
