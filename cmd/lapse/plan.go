package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) planCommand() *cobra.Command {
	var asOf string
	var sql bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what is due: what would be anonymised and purged, by which rule",
		Long: `Shows what the jobs anonymise and purge would do as of now, or of another time, and
changes nothing. With --sql it shows the statements that would publish the
partitions, as they are compiled from the policy.`,
		Example: "  lapse plan\n  lapse plan --as-of 2027-01-01 --output json\n  lapse plan --sql",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.plan(c.Context(), asOf, sql)
		},
	}
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	c.Flags().BoolVar(&sql, "sql", false, "show the SQL of the first partition of each dataset")
	return c
}

func (a *app) plan(ctx context.Context, at string, sql bool) error {
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
	if sql {
		return a.printSQL(i, steps)
	}
	return a.printPlan(asOf, i.policy, steps)
}

// plannedSteps is the plan as programs read it.
type plannedSteps struct {
	AsOf   time.Time       `json:"as_of"`
	Policy sinks.PolicyRef `json:"policy"`
	Steps  []jobs.Step     `json:"steps"`
}

func (a *app) printPlan(asOf time.Time, p *config.Policy, steps []jobs.Step) error {
	if a.output == "json" {
		return a.printJSON(plannedSteps{asOf, jobs.PolicyRef(p), steps})
	}
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
