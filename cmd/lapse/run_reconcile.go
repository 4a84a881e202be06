package main

import (
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) reconcileCommand(f *runFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare the buckets with the training register, both ways",
		Long: `Lists every bucket of the settings beside the training register, and tells which
objects are in the bucket and not in the register; in the register and not in the
bucket; of another size than registered (with --contents, of another SHA-256, for which
they are read); and left of an item that is gone itself.

What the register does not know is noted, and deleted by a later run when it has not
been registered within the policy's time (training.strays.keep); never when it is first
seen. If that were more than training.strays.max_share of a bucket, nothing is deleted:
then the register is more likely to be incomplete. All else is left to you.`,
		Example: "  lapse run reconcile --dry-run\n  lapse run reconcile --contents --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runNamed(c.Context(), *f, sinks.JobReconcile, nil) },
	}
	c.Flags().BoolVar(&f.contents, "contents", false, "read the objects whose digest is registered, and compare it")
	return c
}

func reconcileRows(r *jobs.Report) ([]string, [][]any) {
	var rows [][]any
	for _, o := range r.Outcomes {
		c := o.Counts
		if o.Step.Action != sinks.ActionReconcile {
			continue
		}
		rows = append(rows, []any{o.Step.Bucket, c[sinks.CountRead], c[sinks.CountStrays], uint64(0), c[sinks.CountMissing], c[sinks.CountDiffering], c[sinks.CountOrphans], string(o.Result)})
	}
	for _, s := range r.Sums { // beside the bucket they were in
		for _, row := range rows {
			if s.Action == sinks.ActionPurgeStray && row[0] == s.Bucket {
				row[3] = row[3].(uint64) + s.Counts[sinks.CountObjects]
			}
		}
	}
	return []string{"bucket", "objects", "unregistered", "of these deleted", "missing", "differing", "without their item", "result"}, rows
}

// printDiscrepancies says what a reconciliation found.
func (a *app) printDiscrepancies(r *jobs.Report) {
	if len(r.Findings) == 0 {
		return
	}
	a.say("")
	out := a.longTable("bucket", "what", "key", "item", "first seen (UTC)")
	for _, f := range r.Findings {
		item := ""
		if !f.Item.IsZero() {
			item = f.Item.String()
		}
		out.add(f.Bucket, f.What, f.Key, item, f.Since)
	}
	out.end()
}
