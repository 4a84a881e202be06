package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/kanon"
)

// tuneOptions are what the flags of `policy tune` say.
type tuneOptions struct {
	dataset          string
	sample           string
	k                int
	suppressionLimit string
	measure          string
	countSuppressed  bool
	balance          float64
	aggregate        string
	best             int
	maxRows          int
	write            string

	changed func(flag string) bool
}

func (a *app) policyTuneCommand() *cobra.Command {
	o := &tuneOptions{}
	c := &cobra.Command{
		Use:   "tune DATASET",
		Short: "Propose the levels of generalisation that lose the least information",
		Long: `Searches all vectors of levels of a dataset's publication for those that lose the
least information, under its k (over different people), the diversity of its sensitive
columns and a limit to suppression, and shows what the best of them cost, and what the
vectors of the policy's chain would. The search is exact. It changes nothing: levels
are fixed in the policy, because choosing them anew for each day invites downcoding.
Put a proposal into the policy when you have reviewed it.

The rows are those of the personal table, the newest days first, or a sample in a CSV
file, which stays on this machine: it is read by an engine of its own that is removed
afterwards. Its first line names the columns. If none of them tells people apart, every
row counts as a person of its own; if none is the time, all rows count as one day.

Measures of loss (--measure), as in ARX:
  entropy             non-uniform entropy: how unlikely the values are, given the groups
                      that they were generalised to; suppressed rows only count
                      with --count-suppressed
  normalised_entropy  the same, for each column relative to its greatest loss
  discernibility      the squares of the classes' sizes
  average_class_size  rows for each class
  precision           how far up its hierarchy each column is
  granularity         the share of all values that a value stands for (in ARX: loss)
  height              the sum of the levels
  suppression         the share of rows that are suppressed
Of vectors that lose the same, the one with the lower levels is better.`,
		Example: `  lapse policy tune requests
  lapse policy tune requests --k 20 --suppression-limit 2% --write proposal.yaml
  lapse policy tune adult --policy adult.yaml --sample adult.csv --measure discernibility`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.dataset, o.changed = args[0], c.Flags().Changed
			return a.tune(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.sample, "sample", "", "rows in a CSV `file`, in place of the personal table")
	f.IntVar(&o.k, "k", 0, "least number of people in a class, in place of the policy's")
	f.StringVar(&o.suppressionLimit, "suppression-limit", "", "greatest `share` of the rows that may be suppressed, such as 4% (default: the policy's; 0 if it has none)")
	f.StringVar(&o.measure, "measure", string(kanon.NonUniformEntropy), "measure of loss")
	f.BoolVar(&o.countSuppressed, "count-suppressed", false, "let suppressed rows count in the loss (default: true, but for entropy)")
	f.Float64Var(&o.balance, "balance", 0.5, "from 0, suppression costs nothing, to 1, generalisation costs nothing (in ARX: the gs-factor)")
	f.StringVar(&o.aggregate, "aggregate", "", "how columns add up: sum, mean, geometric_mean or maximum (default: as is usual for the measure)")
	f.IntVar(&o.best, "best", 5, "how many vectors to show")
	f.IntVar(&o.maxRows, "max-rows", 1_000_000, "read no more rows than this, some 100 bytes of memory each")
	f.StringVar(&o.write, "write", "", "write the best vector as a proposal to a new `file`")
	_ = c.RegisterFlagCompletionFunc("measure", cobra.FixedCompletions(words(kanon.Measures), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("aggregate", cobra.FixedCompletions(words(kanon.Aggregates), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func words[T ~string](list []T) (texts []string) {
	for _, w := range list {
		texts = append(texts, string(w))
	}
	return texts
}

// tuning is a search and what came of it.
type tuning struct {
	dataset     *config.Dataset
	source      string
	notes       []string
	requirement kanon.Requirement
	loss        kanon.Loss
	problem     *kanon.Problem
	checked     int
	best        []kanon.Solution
	chain       []kanon.Solution // what the vectors of the policy's chain cost
}

func (a *app) tune(ctx context.Context, o *tuneOptions) error {
	if o.best < 1 || o.maxRows < 1 {
		return usageError{errors.New("--best and --max-rows must be at least 1")}
	}
	p, err := a.loadPolicy()
	if err != nil {
		return err
	}
	t := &tuning{}
	var ok bool
	if t.dataset, ok = p.Dataset(o.dataset); !ok || t.dataset.Publish == nil {
		return usageError{fmt.Errorf("the policy %s does not publish a dataset %q", p.File, o.dataset)}
	}
	if err := t.read(o); err != nil {
		return usageError{err}
	}
	table, err := a.tuneTable(ctx, p, t, o)
	if err != nil {
		return err
	}
	if t.problem, err = kanon.New(table, t.requirement, t.loss); err != nil {
		return usageError{fmt.Errorf("tune %s: %w", o.dataset, err)}
	}
	if t.best, err = t.problem.Best(ctx, o.best); err != nil {
		return fmt.Errorf("tune %s: %w", o.dataset, err)
	}
	t.checked = t.problem.Checked()
	for _, vector := range t.dataset.Publish.Vectors() {
		t.chain = append(t.chain, t.problem.At(vector))
	}
	if err := a.printTuning(t); err != nil {
		return err
	}
	if len(t.best) == 0 {
		return errors.New("no vector of levels fulfils this: add coarser levels, allow more suppression, or ask for less")
	}
	if o.write == "" {
		return nil
	}
	return a.writeProposal(t, o.write)
}

// read turns the flags and the policy into a requirement and a measure.
func (t *tuning) read(o *tuneOptions) error {
	t.requirement = jobs.TuneRequirement(t.dataset.Publish)
	if o.changed("k") {
		t.requirement.K = o.k
	}
	if o.suppressionLimit != "" {
		share, err := config.ParseShare(o.suppressionLimit)
		if err != nil {
			return fmt.Errorf("--suppression-limit: %w", err)
		}
		t.requirement.SuppressionLimit = float64(share)
	}
	t.loss = kanon.LossOf(kanon.Measure(o.measure))
	if o.changed("count-suppressed") {
		t.loss.CountSuppressed = o.countSuppressed
	}
	t.loss.Balance = o.balance
	if o.aggregate != "" {
		t.loss.Aggregate = kanon.Aggregate(o.aggregate)
	}
	return nil
}
