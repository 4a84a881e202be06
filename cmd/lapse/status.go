package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

func (a *app) statusCommand() *cobra.Command {
	var asOf string
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show what is held, what is due and how late, and what was done last",
		Example: "  lapse status\n  lapse status --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.status(c.Context(), asOf) },
	}
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	return c
}

// statusReport is what `lapse status` shows.
type statusReport struct {
	AsOf time.Time `json:"as_of"`
	*sinks.Status
	Due map[string]dueStatus `json:"due"` // by dataset; training items by "training"
	Lag []lagStatus          `json:"lag"` // by dataset and rule, those with none too
	// Blocked is how many of the steps that are due wait, for an approval or a hold.
	Blocked int               `json:"blocked"`
	Holds   int               `json:"holds"` // legal holds in force
	Runs    []sinks.RunRecord `json:"runs"`
	Audit   auditStatus       `json:"audit"`
}

// dueStatus is what should have been done already.
type dueStatus struct {
	Steps  int       `json:"steps"`
	Rows   uint64    `json:"rows"`
	Oldest time.Time `json:"oldest"` // since when the first has been due
}

// lagStatus says how late one rule is carried out for one dataset.
type lagStatus struct {
	Dataset string     `json:"dataset"`
	Rule    sinks.Rule `json:"rule"`
	Steps   int        `json:"steps"`
	Rows    uint64     `json:"rows"`
	Since   time.Time  `json:"since,omitzero"` // when the first was due
	Seconds int64      `json:"seconds"`        // past that, as of the status's time
	// Of the partitions that are due: rows that stay under a legal hold, or because their
	// organisation's window has not passed; and how many steps wait.
	Held       uint64 `json:"held,omitempty"`
	KeptLonger uint64 `json:"kept_longer,omitempty"`
	Blocked    int    `json:"blocked,omitempty"`
}

type auditStatus struct {
	Log     string `json:"log,omitempty"`
	Entries int64  `json:"entries"`
	Root    string `json:"root,omitempty"`
}

func (a *app) status(ctx context.Context, at string) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	asOf, err := parseAsOf(at, i.policy)
	if err != nil {
		return err
	}
	r, err := i.overview(ctx, asOf)
	if r == nil {
		return err
	}
	return errors.Join(a.printStatus(r), err)
}

// overview looks at everything that a status shows. Where some nodes of a cluster cannot
// be asked, what is known of the others comes with the error.
func (i *installation) overview(ctx context.Context, asOf time.Time) (r *statusReport, err error) {
	r = &statusReport{AsOf: asOf, Due: map[string]dueStatus{}}
	var met error
	if r.Status, met = i.store.Status(ctx); r.Status == nil {
		return nil, met
	}
	if err := r.addDue(ctx, i, asOf); err != nil {
		if met == nil {
			return nil, err
		}
		met = errors.Join(met, err)
	}
	if r.Runs, err = i.store.LastRuns(ctx); err != nil {
		return nil, err
	}
	holds, err := i.store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if h.InForce(asOf) {
			r.Holds++
		}
	}
	r.Audit, err = i.app.auditState(ctx)
	return r, errors.Join(met, err)
}

func (r *statusReport) addDue(ctx context.Context, i *installation, asOf time.Time) error {
	r.Lag = rulesOf(i.policy)
	var met error
	for _, job := range []jobs.Job{i.anonymise(), i.purge()} {
		steps, err := job.Plan(ctx, asOf)
		met = errors.Join(met, err)
		for _, s := range steps {
			if s.Action == sinks.ActionPublish { // nothing is past its window
				continue
			}
			name := s.Dataset
			if name == "" {
				name = "training"
			}
			if s.Blocked != "" {
				r.Blocked++
			}
			d := r.Due[name]
			d.Steps += dueOf(&s, i.policy)
			d.Rows += s.Rows
			if d.Oldest.IsZero() || !s.Due.IsZero() && s.Due.Before(d.Oldest) {
				d.Oldest = s.Due
			}
			r.Due[name] = d
			r.addLag(name, &s, asOf)
		}
	}
	return met
}

// dueOf returns how much of what is due a step stands for: one of a dataset's, the items
// that it hides or the one that it deletes. What only tidies up stands for nothing.
func dueOf(s *jobs.Step, p *config.Policy) int {
	switch {
	case s.Dataset != "", s.Action == sinks.ActionPurgeItem:
		return 1
	case s.Action == sinks.ActionMarkItems && !p.Training.Grace.IsZero(): // else they are deleted at once, each by its step
		return int(s.Rows)
	}
	return 0
}

// rulesOf lists the rules of a policy by dataset, without any lag.
func rulesOf(p *config.Policy) (lag []lagStatus) {
	add := func(dataset string, windows []config.Window) {
		for _, w := range windows {
			lag = append(lag, lagStatus{Dataset: dataset, Rule: sinks.Rule(w.Trigger)})
		}
	}
	for _, d := range p.Datasets {
		add(d.Name, d.Retention)
	}
	if p.Training != nil {
		add(sinks.TrainingDataset, p.Training.Retention)
	}
	return append(lag, lagStatus{Dataset: sinks.QuarantineDataset, Rule: sinks.RuleQuarantined})
}

// addLag adds a step that is due. Steps that have no rule only tidy up.
func (r *statusReport) addLag(dataset string, s *jobs.Step, asOf time.Time) {
	i := slices.IndexFunc(r.Lag, func(l lagStatus) bool { return l.Dataset == dataset && l.Rule == s.Rule })
	if i < 0 || s.Due.IsZero() {
		return
	}
	l := &r.Lag[i]
	l.Steps++
	l.Rows += s.Rows
	l.Held += s.Held
	l.KeptLonger += s.KeptLonger
	if s.Blocked != "" {
		l.Blocked++
	}
	if l.Since.IsZero() || s.Due.Before(l.Since) {
		l.Since, l.Seconds = s.Due, int64(asOf.Sub(s.Due)/time.Second)
	}
}

// auditState reads the newest checkpoint; a log that has not begun is no error.
func (a *app) auditState(ctx context.Context) (auditStatus, error) {
	files, err := a.auditFiles("")
	if err != nil {
		return auditStatus{}, err
	}
	_, c, err := auditlog.Newest(ctx, files)
	if errors.Is(err, auditlog.ErrNoLog) {
		return auditStatus{}, nil
	}
	if err != nil {
		return auditStatus{}, err
	}
	return auditStatus{Log: c.Log, Entries: c.Size, Root: c.Root.String()}, nil
}

func (a *app) printStatus(r *statusReport) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	var rows [][]any
	for _, d := range r.Datasets {
		first, last := "-", "-"
		if d.Personal > 0 {
			first, last = d.First.String(), d.Last.String()
		}
		due := r.Due[d.Dataset]
		rows = append(rows, []any{d.Dataset, d.Personal, first, last, due.Rows, due.Oldest, d.Published, d.Suppressed, d.Generalised, fmt.Sprintf("%.1f%%", 100*d.Loss), d.Classes, d.Smallest})
	}
	a.printTable([]string{"dataset", "personal rows", "from", "to", "due rows", "due since (UTC)", "published rows", "suppressed", "generalised", "detail lost", "classes", "smallest class"}, rows)
	rows = nil
	for _, l := range r.Lag {
		if l.Steps > 0 {
			rows = append(rows, []any{l.Dataset, string(l.Rule), uint64(l.Steps), l.Rows, l.Since, uint64(l.Seconds)})
		}
	}
	if len(rows) > 0 {
		a.say("")
		a.printTable([]string{"overdue", "rule", "steps", "rows", "due since (UTC)", "seconds past"}, rows)
	}
	a.say("\nlegal holds in force: %d", r.Holds)
	a.say("training items: %d registered, %d due, %d purged", r.Items, r.Due["training"].Steps, r.Purged)
	a.say("input files: %d ingested, %d interrupted; %d records in quarantine", r.Sources, r.Unfinished, r.Quarantined)
	a.say("audit log: %d entries in this year's, root %s", r.Audit.Entries, r.Audit.Root)
	if len(r.Runs) == 0 {
		return nil
	}
	a.say("")
	rows = nil
	for _, n := range r.Runs {
		rows = append(rows, []any{string(n.Job), n.StartedAt, n.AsOf, n.Steps, n.Failed, string(n.Result)})
	}
	a.printTable([]string{"last run of", "started (UTC)", "as of (UTC)", "steps", "failed", "result"}, rows)
	return nil
}
