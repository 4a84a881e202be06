package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
)

func (a *app) policyDiffCommand() *cobra.Command {
	var affected bool
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say in words what changes between two versions of the policy, and for whom",
		Long: `Compares two versions of the policy: longer and shorter windows, new purposes and
columns, where data may lie, to whom they may be disclosed. With --affected it counts,
in the tables of this installation, the rows that a changed window makes due, or no
longer due, on the day on which the new version takes effect.

A version does nothing before that day (effective_from): 'lapse run anonymise' and
'lapse run purge' wait for it.`,
		Example: "  lapse policy diff policy.yaml policy-2027.yaml\n  lapse policy diff policy.yaml policy-2027.yaml --affected --output json",
		Args:    exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			before, err := a.policyFrom(args[:1])
			if err != nil {
				return err
			}
			after, err := a.policyFrom(args[1:])
			if err != nil {
				return err
			}
			return a.diffPolicies(c.Context(), before, after, affected)
		},
	}
	c.Flags().BoolVar(&affected, "affected", false, "count the rows that are concerned, in this installation")
	return c
}

// policyDiff is what changes between two versions.
type policyDiff struct {
	From          string          `json:"from"`
	To            string          `json:"to"`
	EffectiveFrom string          `json:"effective_from"`
	Changes       []policyChanged `json:"changes"`
}

type policyChanged struct {
	config.Change
	Rows   *uint64 `json:"rows,omitempty"`
	People *uint64 `json:"people_days,omitempty"` // each once for each day
}

func (a *app) diffPolicies(ctx context.Context, before, after *config.Policy, affected bool) error {
	d := policyDiff{From: before.Version, To: after.Version, EffectiveFrom: after.EffectiveFrom.String(), Changes: []policyChanged{}}
	for _, c := range config.Diff(before, after) {
		d.Changes = append(d.Changes, policyChanged{Change: c})
	}
	if affected {
		if err := a.addAffected(ctx, before, after, d.Changes); err != nil {
			return err
		}
	}
	if a.output == "json" {
		return a.printJSON(d)
	}
	a.say("%s %s, and from %s on %s", before.Name, d.From, d.EffectiveFrom, d.To)
	if len(d.Changes) == 0 {
		a.say("nothing changes for anybody")
		return nil
	}
	var rows [][]any
	for _, c := range d.Changes {
		row := []any{c.Concerns, string(c.Effect), c.Words}
		if affected {
			row = append(row, counted(c.Rows), counted(c.People))
		}
		rows = append(rows, row)
	}
	headings := []string{"concerns", "effect", "what changes"}
	if affected {
		headings = append(headings, "rows", "people (by day)")
	}
	a.printTable(headings, rows)
	return nil
}

func counted(n *uint64) any {
	if n == nil {
		return "-"
	}
	return *n
}

// addAffected counts what the changed windows concern on the day of the new version, or
// today if that has passed.
func (a *app) addAffected(ctx context.Context, before, after *config.Policy, changes []policyChanged) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	at := after.EffectiveFrom.Start(after.TimeZone.Location())
	if now := time.Now(); now.After(at) {
		at = now
	}
	for n := range changes {
		c := &changes[n]
		if c.Trigger != config.EventTime || c.Dataset == "" {
			continue
		}
		rows, people, err := jobs.Affected(ctx, i.store, before, after, c.Dataset, at)
		if err != nil {
			return err
		}
		c.Rows, c.People = &rows, &people
	}
	return nil
}
