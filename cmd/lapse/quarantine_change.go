package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// selectionFlags say which quarantined records are meant.
type selectionFlags struct {
	record, reason, before string
	dryRun                 bool
}

func (f *selectionFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.record, "record", "", "only this record, by its 32 hexadecimal digits")
	c.Flags().StringVar(&f.reason, "reason", "", "only those that were set aside for this reason")
	c.Flags().StringVar(&f.before, "before", "", "only those first seen before then: YYYY-MM-DD (in the policy's time zone) or RFC 3339")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
}

func (f *selectionFlags) selection(p *config.Policy) (which sinks.QuarantineSelection, err error) {
	which.Reason = f.reason
	if f.record != "" {
		if err := which.Record.UnmarshalText([]byte(f.record)); err != nil || which.Record.IsZero() {
			return which, usageError{errors.New("--record: name a record by its 32 hexadecimal digits, as 'lapse quarantine list --reason REASON' shows them")}
		}
	}
	if f.before != "" {
		which.Before, err = parseMoment("--before", f.before, p)
	}
	return which, err
}

func (a *app) quarantineReplayCommand() *cobra.Command {
	var f selectionFlags
	c := &cobra.Command{
		Use:   "replay",
		Short: "Read quarantined records again, after the policy or the program has been mended",
		Long: `Reads quarantined records again, with their place in the files they came from, the
batch they stood in, and the time they were first read. Those that can be read now
are stored, refused or recognised as duplicates; they leave the quarantine, and the
accounts of their files say so. The others stay as they are.

Records that were cut (over 64 KiB), and those under legal hold, are left out.`,
		Example: `  lapse quarantine replay --dry-run
  lapse quarantine replay --reason wrong_type`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.changeQuarantine(c.Context(), f, func(i *installation, which sinks.QuarantineSelection) (jobs.Job, error) {
				ingest, err := i.ingest(c.Context(), nil, nil)
				if err != nil {
					return nil, err
				}
				return &jobs.Replay{Ingest: ingest, Quarantine: i.store, Personal: i.store, Which: which}, nil
			})
		},
	}
	f.register(c)
	return c
}

func (a *app) quarantineDropCommand() *cobra.Command {
	var f selectionFlags
	var all bool
	c := &cobra.Command{
		Use:   "drop",
		Short: "Delete quarantined records before their window has passed",
		Long: `Deletes quarantined records that nobody needs, and makes sure that they are gone.
Those under legal hold stay. They are gone for good: the files they came from are not
read again.`,
		Example: `  lapse quarantine drop --reason not_json --dry-run
  lapse quarantine drop --before 2026-03-01
  lapse quarantine drop --all`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if selects := f.record != "" || f.reason != "" || f.before != ""; selects == all {
				return usageError{errors.New("say which records: --record, --reason or --before, or --all of them")}
			}
			return a.changeQuarantine(c.Context(), f, func(i *installation, which sinks.QuarantineSelection) (jobs.Job, error) {
				return &jobs.Drop{Policy: i.policy, Quarantine: i.store, Personal: i.store, Locks: i.locks, Which: which}, nil
			})
		},
	}
	f.register(c)
	c.Flags().BoolVar(&all, "all", false, "all records")
	return c
}

// changeQuarantine runs a job over the quarantined records that are selected.
func (a *app) changeQuarantine(ctx context.Context, f selectionFlags, make func(*installation, sinks.QuarantineSelection) (jobs.Job, error)) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	which, err := f.selection(i.policy)
	if err != nil {
		return err
	}
	job, err := make(i, which)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if f.dryRun {
		steps, err := job.Plan(ctx, now)
		if err != nil {
			return err
		}
		p, err := jobs.NewPlan(i.policy, now, steps)
		if err != nil {
			return err
		}
		return a.printPlan(p)
	}
	if err := i.openLog(ctx); err != nil {
		return err
	}
	m := newMeter(a.errors, a.log, a.output == "json")
	defer m.stop()
	report, err := i.runner(sinks.ActorOperator, m.observe(job.Kind())).Run(ctx, job, now)
	m.stop()
	if report == nil {
		return err
	}
	return errors.Join(a.printReport(report), verdict(report, err))
}
