package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) consentCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "consent",
		Short: "What people have consented to, and no longer",
		Long: `Keeps the ledger of decisions about consent, by category of purposes (C8). It is
filled by records that carry a decision (context.consent.categoryPreferences), and
by hand with these commands. Ingest refuses records that rest on consent which is
not given; the latest decision wins, wherever it was made.

People stand in the ledger as keyed hashes of their identifiers.`,
	}
	c.AddCommand(a.consentDecisionCommand(true), a.consentDecisionCommand(false), a.consentShowCommand())
	return c
}

// consentFlags are those of a decision.
type consentFlags struct {
	subjectFlags
	categories []string
	at         string
	dryRun     bool
}

func (a *app) consentDecisionCommand(granted bool) *cobra.Command {
	var f consentFlags
	c := &cobra.Command{
		Use:   "record --subject COLUMN=VALUE --category CATEGORY",
		Short: "Enter that somebody has consented",
		Long: `Enters in the consent ledger that somebody has consented to a category of
purposes. It holds for records that arrive from now on.`,
		Example: `  lapse consent record --subject user_id=u-17 --category analytics
  lapse consent record --subjects-file - --category marketing --at 2026-03-01T09:30:00Z < people.txt`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.recordConsent(c.Context(), f, granted) },
	}
	if !granted {
		c.Use = "withdraw --subject COLUMN=VALUE [--category CATEGORY]"
		c.Short = "Enter that somebody has withdrawn consent"
		c.Long = `Enters in the consent ledger that somebody does not consent, or no longer, to a
category of purposes, or to any. Records that arrive from now on are refused where
they rest on that consent alone, also those from before that come late. What is
held already stays.`
		c.Example = `  lapse consent withdraw --subject user_id=u-17
  lapse consent withdraw --subject anonymous_id=a-4 --category analytics`
	}
	f.register(c)
	c.Flags().StringSliceVar(&f.categories, "category", nil, "category of purposes, as the policy names it; several with commas")
	c.Flags().StringVar(&f.at, "at", "", "when it was decided: YYYY-MM-DD (UTC) or RFC 3339 (default: now)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be entered, and enter nothing")
	if granted {
		_ = c.MarkFlagRequired("category")
	}
	return c
}

func (a *app) recordConsent(ctx context.Context, f consentFlags, granted bool) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	decisions, err := i.consentDecisions(f, granted)
	if err != nil {
		return err
	}
	job := &jobs.Consent{Ledger: i.store, Decisions: decisions, Clause: i.policy.Consent.Clause}
	if f.dryRun {
		a.say("%d decisions would be entered", len(decisions))
		return nil
	}
	if err := i.openLog(ctx); err != nil {
		return err
	}
	report, err := i.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now())
	if report == nil {
		return err
	}
	if a.output == "json" {
		return errors.Join(a.printJSON(report), verdict(report, err))
	}
	if err == nil {
		a.say("%d decisions entered; they hold for records that arrive from now on", len(decisions))
	}
	return verdict(report, err)
}

// checkCategories refuses categories of consent on which no purpose rests.
func checkCategories(p *config.Policy, names []string) error {
	known := p.ConsentCategories()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no purpose rests on %q; the categories are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// consentDecisions are the decisions that the flags tell.
func (i *installation) consentDecisions(f consentFlags, granted bool) ([]sinks.ConsentDecision, error) {
	known := i.policy.ConsentCategories()
	if len(known) == 0 {
		return nil, usageError{errors.New("no purpose of the policy rests on a category of consent; name one with the purpose (consent: analytics)")}
	}
	if err := checkCategories(i.policy, f.categories); err != nil {
		return nil, usageError{fmt.Errorf("--category: %w", err)}
	}
	if len(f.categories) == 0 {
		f.categories = known
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	at, err := parseInstant("at", f.at)
	switch {
	case err != nil:
		return nil, usageError{err}
	case at.IsZero():
		at = now
	case at.After(now):
		return nil, usageError{errors.New("--at: the time lies ahead; a decision can be entered once it is made")}
	}
	people, err := f.parse(i.app.in, i.policy)
	if err != nil {
		return nil, err
	}
	keys, err := i.consentKeys()
	if err != nil {
		return nil, err
	}
	var decisions []sinks.ConsentDecision
	for _, p := range people {
		for _, c := range f.categories {
			decisions = append(decisions, sinks.ConsentDecision{
				Subject: keys.Of(p.column, []byte(p.text)), Category: c, Granted: granted, At: at.UTC(), Origin: sinks.ConsentByOperator,
			})
		}
	}
	return decisions, nil
}

// consentKeys makes the keys of the consent ledger.
func (i *installation) consentKeys() (*jobs.SubjectKeys, error) {
	secret, err := i.keys.Secret(jobs.ConsentLedgerName)
	if err != nil {
		return nil, err
	}
	return jobs.NewSubjectKeys(secret), nil
}

func (a *app) consentShowCommand() *cobra.Command {
	var f subjectFlags
	c := &cobra.Command{
		Use:     "show --subject COLUMN=VALUE",
		Short:   "Show what somebody has decided, and when",
		Example: "  lapse consent show --subject user_id=u-17\n  lapse consent show --subject user_id=u-17 --subject anonymous_id=a-4 --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.showConsents(c.Context(), f) },
	}
	f.register(c)
	return c
}

// shownConsent is a decision as it is shown.
type shownConsent struct {
	Subject    string              `json:"subject"` // column and identifier, as they were asked for
	Category   string              `json:"category"`
	Granted    bool                `json:"granted"`
	DecidedAt  time.Time           `json:"decided_at"`
	Origin     sinks.ConsentOrigin `json:"origin"`
	RecordedAt time.Time           `json:"recorded_at"`
}

func (a *app) showConsents(ctx context.Context, f subjectFlags) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	people, err := f.parse(a.in, i.policy)
	if err != nil {
		return err
	}
	keys, err := i.consentKeys()
	if err != nil {
		return err
	}
	shown := []shownConsent{}
	for _, p := range people {
		decisions, err := i.store.ConsentsOf(ctx, []sinks.SubjectKey{keys.Of(p.column, []byte(p.text))})
		if err != nil {
			return err
		}
		for _, d := range decisions {
			shown = append(shown, shownConsent{p.column + "=" + p.text, d.Category, d.Granted, d.At, d.Origin, d.RecordedAt})
		}
	}
	if a.output == "json" {
		return a.printJSON(shown)
	}
	rows := make([][]any, len(shown))
	for n, d := range shown {
		decision := "withdrawn or refused"
		if d.Granted {
			decision = "granted"
		}
		rows[n] = []any{d.Subject, d.Category, decision, d.DecidedAt, string(d.Origin), d.RecordedAt}
	}
	a.printTable([]string{"subject", "category", "decision", "decided at (UTC)", "origin", "recorded at (UTC)"}, rows)
	return nil
}
