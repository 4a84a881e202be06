package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) planCommand() *cobra.Command {
	var asOf, file string
	var sql bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what is due: what would be anonymised and purged, by which rule",
		Long: `Shows what the jobs anonymise and purge would do as of now, or of another time, and
changes nothing. With --sql it shows the statements that would publish the
partitions, as they are compiled from the policy.

With --to-file the plan is also written to a file, with a hash over all of it. Once
somebody has looked at it, 'lapse run anonymise --plan FILE' and 'lapse run purge
--plan FILE' do what it says and nothing else, and refuse if it, the policy, or the
rows it concerns have changed.`,
		Example: "  lapse plan\n  lapse plan --as-of 2027-01-01 --output json\n  lapse plan --sql\n  lapse plan --to-file plan.json && lapse run anonymise --plan plan.json",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.plan(c.Context(), asOf, file, sql)
		},
	}
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	c.Flags().StringVar(&file, "to-file", "", "write the plan to this file as well, to be approved")
	c.Flags().BoolVar(&sql, "sql", false, "show the SQL of the first partition of each dataset")
	return c
}

func (a *app) plan(ctx context.Context, at, file string, sql bool) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	asOf, err := parseAsOf(at, i.policy)
	if err != nil {
		return err
	}
	var steps []jobs.Step
	for _, job := range []jobs.Job{i.anonymise(), i.purge()} {
		more, err := job.Plan(ctx, asOf)
		if err != nil {
			return err
		}
		steps = append(steps, more...)
	}
	jobs.AwaitEffect(i.policy, asOf, steps)
	if sql {
		return a.printSQL(i, steps)
	}
	p, err := jobs.NewPlan(i.policy, asOf, steps)
	if err != nil {
		return err
	}
	if file != "" {
		if err := writePlan(file, p); err != nil {
			return err
		}
	}
	return errors.Join(a.printPlan(p), a.printRoom(ctx, i, steps))
}

// printRoom says how much of the disk the largest batch of an anonymisation takes for a
// while.
func (a *app) printRoom(ctx context.Context, i *installation, steps []jobs.Step) error {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s jobs.Step) bool { return s.Action != sinks.ActionAnonymise || s.Blocked != "" })
	var largest uint64
	for job := i.anonymise(); len(steps) > 0; {
		n, bytes := job.Batch(steps), uint64(0)
		for _, s := range steps[:n] {
			bytes += s.Bytes
		}
		largest, steps = max(largest, bytes), steps[n:]
	}
	if largest == 0 {
		return nil
	}
	room, err := i.store.Room(ctx, largest)
	switch {
	case err != nil || !room.Known:
		return err
	case !room.Enough():
		_, _ = fmt.Fprintf(a.errors, "warning: anonymising takes up to %s of ClickHouse's disk for a while, and %s are free: make room first\n", humanize.IBytes(room.Needed), humanize.IBytes(room.Free))
	case a.output != "json":
		a.say("anonymising takes up to %s of ClickHouse's disk for a while; %s are free", humanize.IBytes(room.Needed), humanize.IBytes(room.Free))
	}
	return nil
}

// writePlan writes a plan for readPlan.
func writePlan(file string, p *jobs.Plan) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(raw, '\n'), 0o644); err != nil {
		return usageError{fmt.Errorf("write plan: %w", err)}
	}
	return nil
}

// readPlan reads an approved plan.
func readPlan(file string) (*jobs.Plan, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("%w; write one with 'lapse plan --to-file FILE'", err)}
	}
	p, err := jobs.ParsePlan(raw)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", file, err)}
	}
	return p, nil
}

func (a *app) printPlan(p *jobs.Plan) error {
	if a.output == "json" {
		return a.printJSON(p)
	}
	asOf, steps := p.AsOf, p.Steps
	if len(steps) == 0 {
		a.say("nothing is due as of %s", show(asOf))
		return nil
	}
	rows := make([][]any, len(steps))
	for i, s := range steps {
		what := ""
		switch {
		case s.Partition != nil:
			what = s.Partition.String()
		case !s.Item.IsZero():
			what = s.Item.String()[:16]
		case !s.Source.IsZero():
			what = s.Source.String()[:16]
		}
		reason := s.Reason
		if s.Blocked != "" {
			reason = "waits: " + s.Blocked
		}
		rows[i] = []any{string(s.Action), s.Dataset + s.Bucket, what, string(s.Rule), s.Clause, s.Rows, s.Subjects, byteCount(s.Bytes), s.Due, reason}
	}
	a.printTable([]string{"action", "dataset", "partition or item", "rule", "clause", "rows", "people", "bytes", "due since (UTC)", "reason"}, rows)
	a.say("\nplan %s", p.Hash)
	return nil
}

// printSQL shows the statements for the first partition of each dataset.
func (a *app) printSQL(i *installation, steps []jobs.Step) error {
	shown := map[string][]string{}
	for _, s := range steps {
		if s.Action != sinks.ActionAnonymise || shown[s.Dataset] != nil {
			continue
		}
		sql, err := i.store.SQL(s.Dataset, *s.Partition)
		if err != nil {
			return err
		}
		shown[s.Dataset] = sql
		if a.output == "json" {
			continue
		}
		a.say("-- %s, partition %s", s.Dataset, s.Partition)
		for _, statement := range sql {
			a.say("%s;\n", statement)
		}
	}
	if a.output == "json" {
		return a.printJSON(shown)
	}
	if len(shown) == 0 {
		return fmt.Errorf("nothing is due to be anonymised; give a later --as-of")
	}
	return nil
}
