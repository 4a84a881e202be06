package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) subjectRectifyCommand() *cobra.Command {
	var f requestFlags
	var set []string
	c := &cobra.Command{
		Use:   "rectify --subject COLUMN=VALUE --set COLUMN=VALUE",
		Short: "Put right what is held of somebody",
		Long: `Gives the columns their right values in every row of the person that has one, in every
dataset that has the column: accounts, and events into which the field was copied. What
is under a legal hold stays. Values stand in no statement and in no log.`,
		Example: "  lapse subject rectify --subject user_id=u-17 --set email=ann@example.org --set full_name='Ann Example'",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			values := map[string]string{}
			for n, text := range set { // errors do not quote it: it is about a person
				column, value, ok := strings.Cut(text, "=")
				if !ok || value == "" {
					return usageError{fmt.Errorf("--set %d: write COLUMN=VALUE", n+1)}
				}
				values[column] = value
			}
			policy, err := a.loadPolicy()
			if err != nil {
				return err
			}
			if err := jobs.CheckRectifiable(policy, values); err != nil {
				return usageError{err}
			}
			var terms []sinks.Term
			for column, value := range values {
				terms = append(terms, sinks.Term{Name: sinks.TermSet + column, Value: value})
			}
			return a.handle(c.Context(), sinks.RightRectification, f, terms)
		},
	}
	f.register(c)
	c.Flags().StringArrayVar(&set, "set", nil, "the right value: COLUMN=VALUE; can be repeated")
	_ = c.MarkFlagRequired("set")
	return c
}

func (a *app) subjectRestrictCommand() *cobra.Command {
	var f requestFlags
	c := &cobra.Command{
		Use:   "restrict --subject COLUMN=VALUE",
		Short: "Keep what is held of somebody, and use it no more",
		Long: `Keeps what is held of the person as it is: it is not anonymised and published, and not
deleted when its window passes. At once readers of personal data see it no more (the
database readable, 'lapse query --personal'), 'lapse export' leaves it out, and it is not
listed any more as what models may be trained on. It is lifted with 'lapse subject
unrestrict'.`,
		Example: "  lapse subject restrict --subject user_id=u-17",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.handle(c.Context(), sinks.RightRestriction, f, nil)
		},
	}
	f.register(c)
	return c
}

func (a *app) subjectUnrestrictCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "unrestrict ID...",
		Short:   "Lift restrictions, by the ids of their requests",
		Example: "  lapse subject unrestrict 5f0c6dd1a3a84e16b8f0a1c2d3e4f506",
		Args:    atLeast(1),
		RunE:    func(c *cobra.Command, args []string) error { return a.unrestrict(c.Context(), args) },
	}
}

func (a *app) unrestrict(ctx context.Context, args []string) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	holds, err := i.store.Holds(ctx)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	released := 0
	for _, text := range args {
		id, err := parseRequest(text)
		if err != nil {
			return err
		}
		mine := slices.DeleteFunc(slices.Clone(holds), func(h sinks.Hold) bool {
			return h.Reason != sinks.RestrictionReason+id.String() || !h.InForce(now)
		})
		if len(mine) == 0 {
			return usageError{fmt.Errorf("%s restricts nothing, or no more", id)}
		}
		if err := i.openLogOnce(ctx); err != nil {
			return err
		}
		for _, h := range mine {
			job := &jobs.HoldChange{Policy: i.policy, Register: i.store, Release: h.ID, By: orUser("")}
			if _, err := i.runner(sinks.ActorOperator, nil).Run(ctx, job, now); err != nil {
				return err
			}
			released++
		}
	}
	return a.tell(map[string]int{"released": released}, "lifted; the next runs take up what waited")
}

// subjectDecideForCommand is the command of a decision that goes into the consent ledger.
func (a *app) subjectDecideForCommand(right sinks.Right) *cobra.Command {
	var f requestFlags
	var categories []string
	c := &cobra.Command{
		Use:   "withdraw --subject COLUMN=VALUE",
		Short: "Stop what rests on somebody's consent, and no more",
		Long: `Enters in the consent ledger, for every identifier of the person, that consent is
withdrawn to a category of purposes, or to any: records that rest on it are refused from
now on. Training items that show the person are deleted by the register's rule
(consent_withdrawn).`,
		Example: "  lapse subject withdraw --subject user_id=u-17\n  lapse subject withdraw --subject email=ann@example.org --category marketing",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			var terms []sinks.Term
			for _, category := range categories {
				terms = append(terms, sinks.Term{Name: sinks.TermCategory, Value: category})
			}
			return a.handle(c.Context(), right, f, terms)
		},
	}
	f.register(c)
	if right == sinks.RightObjection {
		c.Use = "object --subject COLUMN=VALUE"
		c.Short = "Stop what rests on legitimate interests"
		c.Long = `Enters in the consent ledger, for every identifier of the person, that they object to
what rests on legitimate interests (Article 21 GDPR): records of datasets whose purposes
all do are refused from now on. What is held already stays until its window passes, or
until it is erased.`
		c.Example = "  lapse subject object --subject user_id=u-17"
		return c
	}
	c.Flags().StringSliceVar(&categories, "category", nil, "category of purposes (default: all, and the content used for training)")
	return c
}

// withdrawTraining notes in the training register that a person's consent is withdrawn.
func (i *installation) withdrawTraining(ctx context.Context, p sinks.Person, at time.Time) error {
	var notes []trainingNote
	for _, id := range p.Identifiers {
		notes = append(notes, trainingNote{Type: noteConsent, At: at, Decision: "withdrawn", Subject: id.Text})
	}
	lines, err := noteLines(notes...)
	if err != nil {
		return err
	}
	_, err = i.app.takeNotes(ctx, i, func(w io.Writer) error { return i.app.copyNotes(w, lines, "the request") })
	return err
}

func (a *app) subjectExplainCommand() *cobra.Command {
	var f requestFlags
	c := &cobra.Command{
		Use:   "explain --subject COLUMN=VALUE",
		Short: "Answer which decisions were made about somebody without a person",
		Long: `Answers a request about automated decisions (Articles 15(1)(h) and 22 GDPR) from the
policy: for each purpose that decides without a person, by what logic, with which
consequences, and who can be asked to decide instead; or that none does.`,
		Example: "  lapse subject explain --subject user_id=u-17 --output json",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.handle(c.Context(), sinks.RightExplanation, f, nil)
		},
	}
	f.register(c)
	return c
}
