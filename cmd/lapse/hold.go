package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) holdCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hold",
		Short: "Place and release legal holds: what is held is neither published nor deleted",
		Long: `A legal hold keeps what it names as it is, past its window, until it is released or
ends by itself. The jobs leave out what is held: single rows of a day, if need be.
The run after its end takes them up by itself.

A hold can name a subject, an organisation, a dataset and a time, and applies to
what meets all of these. Subjects and organisations are kept as keyed hashes.`,
		Example: `  lapse hold add --subject - --reason "claim 2024-17" --until 2026-01-01 < subject.txt
  lapse hold add --dataset events --from 2024-03-01 --to 2024-03-08 --reason "incident 9"
  lapse hold list
  lapse hold release 5f0c…`,
	}
	c.AddCommand(a.holdAddCommand(), a.holdReleaseCommand(), a.holdListCommand())
	return c
}

// holdFlags are those of `lapse hold add`.
type holdFlags struct {
	subject, organisation, dataset string
	from, to, until                string
	reason, by                     string
}

func (a *app) holdAddCommand() *cobra.Command {
	var f holdFlags
	c := &cobra.Command{
		Use:   "add",
		Short: "Place a legal hold",
		Long: `Places a legal hold on what meets all restrictions given; without any, on everything.

A subject is given as its records have it: a user id, an anonymous id, an address.
With "-" it is read from the standard input, so that it stands in no list of
processes and no history of a shell. Times are those of the events.`,
		Example: `  lapse hold add --subject - --reason "claim 2024-17" < subject.txt
  lapse hold add --organisation acme --until 2026-01-01 --reason "audit by the authority"`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.holdAdd(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.subject, "subject", "", "the person, as the records have it; - for the standard input")
	flags.StringVar(&f.organisation, "organisation", "", "the organisation, as the records have it; - for the standard input")
	flags.StringVar(&f.dataset, "dataset", "", "one dataset of the policy, or training, or quarantine")
	flags.StringVar(&f.from, "from", "", "first time of events: YYYY-MM-DD or RFC 3339")
	flags.StringVar(&f.to, "to", "", "end of the time of events, not included")
	flags.StringVar(&f.until, "until", "", "when the hold ends by itself (default: when it is released)")
	flags.StringVar(&f.reason, "reason", "", "why; put no personal data here")
	flags.StringVar(&f.by, "by", "", "who orders it (default: you, as the system knows you)")
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) holdReleaseCommand() *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:     "release ID",
		Short:   "Release a legal hold; the next runs take up what was held",
		Example: "  lapse hold release 5f0c6dd1a3a84e16b8f0a1c2d3e4f506",
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			var id sinks.ID
			if err := id.UnmarshalText([]byte(args[0])); err != nil {
				return usageError{fmt.Errorf("%q is no id of a hold: %w; 'lapse hold list' shows them", args[0], err)}
			}
			return a.changeHold(c.Context(), func(*config.Policy, time.Time) (*jobs.HoldChange, error) {
				return &jobs.HoldChange{Release: id, By: orUser(by)}, nil
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "who releases it (default: you, as the system knows you)")
	return c
}

func (a *app) holdListCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the legal holds in force",
		Example: "  lapse hold list --all --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.holdList(c.Context(), all) },
	}
	c.Flags().BoolVar(&all, "all", false, "also those that have ended")
	return c
}

func (a *app) holdAdd(ctx context.Context, f holdFlags) error {
	if f.subject == "-" && f.organisation == "-" {
		return usageError{errors.New("only one of --subject and --organisation can be read from the standard input")}
	}
	for _, text := range []*string{&f.subject, &f.organisation} {
		if *text != "-" {
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(a.in, 64<<10))
		if err != nil {
			return fmt.Errorf("read the standard input: %w", err)
		}
		if *text = strings.TrimSpace(string(raw)); *text == "" {
			return usageError{errors.New("the standard input names nobody")}
		}
	}
	return a.changeHold(ctx, func(p *config.Policy, now time.Time) (*jobs.HoldChange, error) {
		h := &sinks.Hold{
			ID: sinks.NewID(), Dataset: f.dataset, BySubject: f.subject != "", ByOrganisation: f.organisation != "",
			Reason: f.reason, PlacedBy: orUser(f.by), PlacedAt: now,
		}
		for _, t := range []struct {
			text, flag string
			into       *time.Time
		}{{f.from, "from", &h.From}, {f.to, "to", &h.To}, {f.until, "until", &h.Until}} {
			if t.text == "" {
				continue
			}
			var err error
			if *t.into, err = parseMoment("--"+t.flag, t.text, p); err != nil {
				return nil, err
			}
		}
		return &jobs.HoldChange{Place: h, Subject: f.subject, Organisation: f.organisation}, nil
	})
}

// changeHold places or releases a hold, with an entry in the audit log before and
// after.
func (a *app) changeHold(ctx context.Context, change func(*config.Policy, time.Time) (*jobs.HoldChange, error)) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	now := time.Now().UTC().Truncate(time.Millisecond)
	job, err := change(i.policy, now)
	if err != nil {
		return err
	}
	job.Policy, job.Register = i.policy, i.store
	if _, err := job.Plan(ctx, now); err != nil {
		return usageError{err}
	}
	if err := i.openLog(ctx); err != nil {
		return err
	}
	if _, err := i.runner(sinks.ActorOperator, nil).Run(ctx, job, now); err != nil {
		return err
	}
	if job.Place == nil {
		return a.tell(map[string]sinks.ID{"hold": job.Release}, "hold %s is released; the next runs take up what it held", job.Release)
	}
	return a.tell(map[string]sinks.ID{"hold": job.Place.ID}, "hold %s is placed", job.Place.ID)
}

func (a *app) holdList(ctx context.Context, all bool) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	found, err := i.store.Holds(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	holds := []sinks.Hold{}
	for _, h := range found {
		if all || h.InForce(now) {
			holds = append(holds, h)
		}
	}
	if a.output == "json" {
		return a.printJSON(holds)
	}
	if len(holds) == 0 {
		a.say("no hold is in force")
		return nil
	}
	var rows [][]any
	for _, h := range holds {
		rows = append(rows, []any{h.ID.String(), heldText(h), h.From, h.To, h.Reason, h.PlacedBy, h.PlacedAt, h.Until, h.ReleasedBy, h.ReleasedAt})
	}
	a.printTable([]string{"hold", "on", "events from (UTC)", "to (UTC)", "reason", "by", "placed (UTC)", "until (UTC)", "released by", "released (UTC)"}, rows)
	return nil
}

// heldText says what a hold restricts itself to.
func heldText(h sinks.Hold) string {
	var parts []string
	if h.BySubject {
		parts = append(parts, "one subject")
	}
	if h.ByOrganisation {
		parts = append(parts, "one organisation")
	}
	if h.Dataset != "" {
		parts = append(parts, h.Dataset)
	}
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

func orUser(name string) string {
	if name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
