package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) runsCommand() *cobra.Command {
	var job, since string
	var limit int
	c := &cobra.Command{
		Use:   "runs",
		Short: "Show the runs of the jobs: for when they were scheduled, how they ended, what they did",
		Long: `Shows the run history, the newest first. Runs are forgotten after the window that
history.keep names; the audit log keeps what they did.`,
		Example: `  lapse runs
  lapse runs --job anonymise --since 2027-01-01
  lapse runs --limit 1 --output json`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.runs(c.Context(), job, since, limit) },
	}
	c.Flags().StringVar(&job, "job", "", "only this job: "+strings.Join(config.ScheduledJobs, ", "))
	c.Flags().StringVar(&since, "since", "", "only runs that started at this time or later: YYYY-MM-DD or RFC 3339")
	c.Flags().IntVar(&limit, "limit", 20, "how many; 0 for all")
	_ = c.RegisterFlagCompletionFunc("job", cobra.FixedCompletions(config.ScheduledJobs, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runs(ctx context.Context, job, since string, limit int) error {
	if job != "" && !slices.Contains(config.ScheduledJobs, job) {
		return usageError{fmt.Errorf("--job is one of %s, not %q", strings.Join(config.ScheduledJobs, ", "), job)}
	}
	if limit < 0 {
		return usageError{fmt.Errorf("--limit is a number of runs, or 0 for all")}
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	filter := sinks.RunFilter{Job: sinks.JobKind(job), Limit: limit}
	if since != "" {
		if filter.Since, err = parseMoment("--since", since, i.policy); err != nil {
			return err
		}
	}
	runs, err := i.store.Runs(ctx, filter)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(append([]sinks.RunRecord{}, runs...))
	}
	rows := make([][]any, len(runs))
	for n, r := range runs {
		rows[n] = []any{string(r.Job), string(r.Actor), r.ScheduledFor, r.StartedAt, r.EndedAt.Sub(r.StartedAt).Round(time.Millisecond), r.Steps, r.Failed, string(r.Result), string(r.Error), r.PolicyVersion, r.Program, r.Run.String()}
	}
	a.printTable([]string{"job", "by", "scheduled for (UTC)", "started (UTC)", "took", "steps", "failed", "result", "error", "policy", "program", "run"}, rows)
	return nil
}
