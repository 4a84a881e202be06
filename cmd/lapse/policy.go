package main

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
)

func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "policy",
		Short:   "Check and show the policy",
		Example: "  lapse policy check policy.yaml\n  lapse policy show\n  lapse policy tune requests --write proposal.yaml\n  lapse policy schema > policy.schema.json",
	}
	c.AddCommand(
		&cobra.Command{
			Use:   "check [FILE]",
			Short: "Check a policy, and name every fault with its line and cure",
			Args:  atMostOne(),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := a.policyFrom(args)
				if err != nil {
					return err
				}
				a.say("%s: policy %s %s is in order (SHA-256 %x)", p.File, p.Name, p.Version, p.Hash)
				for _, f := range uncovered(p) {
					a.say("note: no column holds %s; the policy mentions it all the same", f)
				}
				return nil
			},
		},
		&cobra.Command{
			Use:   "show [FILE]",
			Short: "Show what is held, why, for how long, and what happens then",
			Args:  atMostOne(),
			RunE: func(_ *cobra.Command, args []string) error {
				p, err := a.policyFrom(args)
				if err != nil {
					return err
				}
				return a.showPolicy(p)
			},
		},
		a.policyTuneCommand(),
		a.policyDictionaryCommand(),
		a.policyGrantsCommand(),
		a.policyDiffCommand(),
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of the policy file, for editors",
			Args:  exactly(0),
			RunE: func(*cobra.Command, []string) error {
				_, err := a.out.Write(config.PolicySchema)
				return err
			},
		},
	)
	return c
}

// policyFrom loads the policy named on the command line, or the settings' one.
func (a *app) policyFrom(args []string) (*config.Policy, error) {
	if len(args) == 0 {
		return a.loadPolicy()
	}
	p, err := config.LoadPolicy(args[0])
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, usageError{err}
	}
	return p, err
}

// uncovered lists the fields that the policy describes and no column holds.
func uncovered(p *config.Policy) []string {
	held := map[string]bool{}
	for _, d := range p.Datasets {
		for _, c := range d.Columns {
			held[c.Field] = true
		}
	}
	if p.Training != nil {
		held[p.Training.Field] = true
	}
	var missing []string
	for _, c := range p.Categories {
		for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
			if f := c.ID + "." + name; !held[f] {
				missing = append(missing, f)
			}
		}
	}
	return missing
}

func (a *app) showPolicy(p *config.Policy) error {
	if a.output == "json" {
		return a.printJSON(p)
	}
	a.say("%s %s of %s, in force from %s (%s)", p.Name, p.Version, p.Controller.Name, p.EffectiveFrom, p.TimeZone)
	a.say("data protection officer: %s, %s", p.DPO.Name, p.DPO.Email)
	a.say("personal data may lie in: %s\n", strings.Join(p.Regions.Allowed, ", "))
	a.printTable([]string{"purpose", "what for", "legal bases"}, purposeRows(p))
	a.say("")
	a.printTable([]string{"dataset", "holds", "columns", "clause", "window from", "kept", "then", "k", "why"}, windowRows(p))
	return nil
}

func purposeRows(p *config.Policy) (rows [][]any) {
	for _, u := range p.Purposes {
		bases := make([]string, len(u.LegalBases))
		for i, b := range u.LegalBases {
			bases[i] = string(b.Basis)
		}
		rows = append(rows, []any{u.ID, u.Description, strings.Join(bases, ", ")})
	}
	return rows
}

func windowRows(p *config.Policy) (rows [][]any) {
	add := func(dataset, holds string, columns, k int, windows []config.Window) {
		for _, w := range windows {
			rows = append(rows, []any{dataset, holds, columns, w.Clause, string(w.Trigger), w.Keep.String(), string(w.Action), k, strings.Join(strings.Fields(w.Rationale), " ")})
		}
	}
	for _, d := range p.Datasets {
		k := 0
		if d.Publish != nil {
			k = d.Publish.K
		}
		add(d.Name, d.Description, len(d.Columns), k, d.Retention)
	}
	if p.Training != nil {
		add("(training items)", p.Training.Description, 0, 0, p.Training.Retention)
	}
	q := p.Quarantine
	add("(quarantine)", "records that could not be read", 0, 0, []config.Window{{Trigger: "quarantined", Keep: q.Keep, Action: config.Erase, Clause: q.Clause, Rationale: q.Rationale}})
	return rows
}
