package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// What Lapse is tested with, and how far a server's clock may be off: times of events
// are held against it.
const (
	testedVersion = "26.7"
	oldestVersion = "25.8" // of a long-term support
	clockSlack    = 5 * time.Second

	doctorPatience = 2 * time.Second // with a server that does not answer
)

// lookAtClickHouse checks the server, or the embedded engine, and what is due in it.
func (e *examination) lookAtClickHouse(ctx context.Context) {
	if e.policy == nil {
		return // it says which tables there should be
	}
	i := &installation{settings: e.settings, policy: e.policy, app: e.app}
	defer i.Close() //nolint:errcheck // nothing was written
	options, err := i.clickhouseOptions(ctx)
	options.Patience = doctorPatience
	if err != nil {
		cure := "mend clickhouse.dsn and clickhouse.password_file"
		if e.settings.ClickHouse.DSN == "" {
			cure = "run 'lapse engine install', or set clickhouse.dsn to use a server"
		}
		e.fault("clickhouse", cure, "%v", err)
		return
	}
	if i.store, err = clickhouse.OpenCluster(ctx, options); err != nil {
		if errors.Is(err, clickhouse.ErrCluster) {
			e.fault("clickhouse cluster", "mend <remote_servers> or clickhouse.cluster; the README has an example", "%v", err)
		} else {
			e.unreachable(err)
		}
		return
	}
	i.closers = append(i.closers, i.store.Close)
	usable := true
	i.store.InspectNodes(ctx, func(node string, found *clickhouse.Inspection, err error) {
		e.where = node
		if err != nil {
			e.unreachable(err)
		} else {
			e.judge(found)
		}
		usable = usable && err == nil && found.Prepared && found.Schema == nil && len(found.Missing) == 0
	})
	e.where = ""
	e.lookAtAnalyst(ctx, options)
	if usable {
		e.lookAtKeeper(ctx, i.store.First())
		e.lookAtRuns(ctx, i)
	}
}

// unreachable tells apart why the server cannot be asked.
func (e *examination) unreachable(err error) {
	var refused *clickhouse.ServerError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		e.fault("clickhouse", "name the certificate of who has signed the server's in clickhouse.ca_file, and the server in clickhouse.dsn as its certificate does", "it is not trusted: %v", err)
	case strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"):
		e.fault("clickhouse", "name the certificate that the server asks for in clickhouse.cert_file, and its key in clickhouse.key_file", "it asks for a certificate: %v", err)
	case errors.Is(err, sinks.ErrUnavailable), strings.Contains(err.Error(), "connection refused"), strings.Contains(err.Error(), "no such host"), strings.Contains(err.Error(), "timeout"):
		e.fault("clickhouse", "check that the server runs, that clickhouse.dsn names its native port (9000, or 9440 with TLS and ?secure=true), and that no firewall is between", "it does not answer: %v", err)
	case errors.As(err, &refused), strings.Contains(err.Error(), "code: 516"):
		e.fault("clickhouse", "check the user in clickhouse.dsn and the password in clickhouse.password_file", "it does not let Lapse in: %v", clickhouse.Redact(err))
	default:
		e.fault("clickhouse", "check clickhouse.dsn: address, user, TLS", "%v", clickhouse.Redact(err))
	}
}

// judge says what an inspection means for a run.
func (e *examination) judge(i *clickhouse.Inspection) {
	switch {
	case olderThan(i.Version, oldestVersion):
		e.fault("clickhouse version", "update the server to "+oldestVersion+" or later; "+testedVersion+" is what Lapse is tested with", "%s is too old", i.Version)
	case olderThan(i.Version, testedVersion):
		e.warn("clickhouse version", "try it on a copy first, or update to "+testedVersion, "Lapse is tested with %s, this is %s", testedVersion, i.Version)
	default:
		e.well("clickhouse version", "%s", i.Version)
	}
	for _, grant := range i.Missing {
		e.fault("clickhouse rights", grant, "the user %s lacks rights", i.User)
	}
	if i.ReadOnly {
		e.fault("clickhouse rights", "give the user a settings profile with readonly = 0", "the profile of %s allows no changes", i.User)
	}
	if !i.CanGrants {
		e.warn("clickhouse rights", "compare the user's rights with what 'lapse policy grants --own' prints", "this server does not tell about them")
	} else if len(i.Missing) == 0 && !i.ReadOnly {
		e.well("clickhouse rights", "%s has what runs need", i.User)
	}
	if off := e.now().Sub(i.Now); off.Abs() > clockSlack {
		e.fault("clock", "have both machines follow a time server (chrony, systemd-timesyncd)", "the server's clock is %s off this machine's", off.Abs().Round(time.Second))
	} else {
		e.well("clock", "the server's agrees with this machine's")
	}
	for _, d := range i.Disks {
		if d.Free < leastFree || d.Free < d.Total/20 {
			e.fault("clickhouse disk", "make room on the disk "+d.Name+" of the server", "%s of %s are free", humanize.IBytes(d.Free), humanize.IBytes(d.Total))
		} else {
			e.well("clickhouse disk", "%s: %s of %s are free", d.Name, humanize.IBytes(d.Free), humanize.IBytes(d.Total))
		}
	}
	e.judgeTables(i)
}

func (e *examination) judgeTables(i *clickhouse.Inspection) {
	for _, table := range i.Mutations {
		e.fault("mutations", fmt.Sprintf("look at latest_fail_reason in system.mutations, then KILL MUTATION for %s, and run the job again", table), "one of %s fails again and again", table)
	}
	if i.Detached > 0 {
		e.fault("detached parts", "look at system.detached_parts, then ALTER TABLE … DROP DETACHED PART: what lies there is not absent", "%d parts with personal data are detached", i.Detached)
	}
	switch {
	case !i.Prepared:
		e.well("schema", "the tables are made by the first run")
	case i.Schema != nil:
		e.fault("schema", "register what is named in the policy, or drop it from ClickHouse", "%v", i.Schema)
	default:
		e.well("schema", "all personal data in it is registered in the policy")
	}
}

// lookAtAnalyst checks that an analyst meets no personal data.
func (e *examination) lookAtAnalyst(ctx context.Context, o clickhouse.Options) {
	c := e.settings.ClickHouse
	if c.DSN != "" {
		if c.AnalystDSN == "" {
			e.warn("analyst", "set clickhouse.analyst_dsn to a user with SELECT on the anonymised database alone", "'lapse query' has no user of its own")
			return
		}
		if err := fromDSN(&o, c, c.AnalystDSN, ""); err != nil {
			e.fault("analyst", "mend clickhouse.analyst_dsn", "%v", err)
			return
		}
	} else {
		return // the engine's own analyst can read nothing else
	}
	s, err := clickhouse.Open(ctx, o)
	if err != nil {
		e.fault("analyst", "check clickhouse.analyst_dsn", "%v", clickhouse.Redact(err))
		return
	}
	defer s.Close() //nolint:errcheck // read only
	if personal, err := s.Reads(ctx); err == nil && personal {
		e.fault("analyst", fmt.Sprintf("REVOKE ALL ON `%s`.* FROM `%s`", o.Databases.Telemetry, o.User), "the analyst %s can read personal data", o.User)
	} else if err == nil {
		e.well("analyst", "%s cannot read personal data", o.User)
	}
}

// lookAtRuns checks how the last runs ended, and what is overdue.
func (e *examination) lookAtRuns(ctx context.Context, i *installation) {
	runs, err := i.store.LastRuns(ctx)
	if err != nil {
		e.warn("runs", "run 'lapse status'", "the run history cannot be read: %v", err)
		return
	}
	for _, r := range runs {
		if r.Result == sinks.ResultFailed || r.Result == sinks.ResultPartial {
			e.warn("runs", "run 'lapse run "+string(r.Job)+"' and read what it says", "the last run of %s ended as %s (%s)", r.Job, r.Result, r.Error)
		}
	}
	purge := i.purge()
	purge.Keys, purge.Ledgers = nil, nil // they are not looked into
	for _, job := range []jobs.Job{i.anonymise(), purge} {
		steps, err := job.Plan(ctx, e.now())
		if err != nil {
			e.warn("due", "run 'lapse plan'", "%v", err)
			continue
		}
		oldest := time.Time{}
		for _, s := range steps {
			if !s.Due.IsZero() && (oldest.IsZero() || s.Due.Before(oldest)) {
				oldest = s.Due
			}
		}
		if late := e.now().Sub(oldest); !oldest.IsZero() && late > 48*time.Hour {
			e.warn("due", "run 'lapse run "+string(job.Kind())+"', and schedule it", "%d steps of %s are due, the oldest for %d days", len(steps), job.Kind(), int(late.Hours()/24))
		}
	}
}

// lookAtSchedule checks that something runs the jobs.
func (e *examination) lookAtSchedule(context.Context) {
	scheduled := map[string]config.JobSchedule{}
	for _, j := range e.settings.Schedule {
		scheduled[j.Job] = j
	}
	if len(scheduled) == 0 {
		e.warn("schedule", "set schedule for 'lapse serve', or run 'lapse run all' from cron or a CronJob", "the settings schedule no job")
		return
	}
	for _, kind := range []string{"ingest", "anonymise", "purge"} {
		j, ok := scheduled[kind]
		switch next := (jobs.Schedule{JobSchedule: j}).Next(e.now()); {
		case !ok:
			e.warn("schedule", "add "+kind+" to schedule, unless something else runs it", "%s is not scheduled", kind)
		case next.After(e.now().AddDate(0, 0, 32)):
			e.warn("schedule", "give "+kind+" a spec that comes at least once a day", "%s runs next at %s", kind, next.Format(time.RFC3339))
		default:
			e.well("schedule", "%s runs next at %s", kind, next.Format(time.RFC3339))
		}
	}
	if _, ok := scheduled["ingest"]; ok && !e.app.collects() && len(e.settings.Inputs) == 0 {
		e.warn("schedule", "set inputs, or write keys so that events are collected", "ingest is scheduled and there is nothing that it reads")
	}
}

// olderThan compares versions such as 26.7.3.1.
func olderThan(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range b {
		x, y := 0, 0
		if i < len(a) {
			x, _ = strconv.Atoi(a[i])
		}
		y, _ = strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}
