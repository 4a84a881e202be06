package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// shownItem is what `lapse training show` says.
type shownItem struct {
	sinks.TrainingEntry
	Clause      string    `json:"clause,omitempty"` // of the rule by which it is due
	Due         time.Time `json:"due,omitzero"`     // since when it is
	DeletedFrom time.Time `json:"deleted_from,omitzero"`
	// Under is how the keys begin of what goes with it without being registered.
	Under   []string             `json:"derivatives_under,omitempty"`
	History []sinks.TrainingNote `json:"history,omitempty"`
}

func (a *app) trainingShowCommand() *cobra.Command {
	var asOf string
	c := &cobra.Command{
		Use:   "show ITEM",
		Short: "Show one item: its history, its purposes, and which rule makes it due",
		Long: `ITEM is an id, as 'lapse training list' shows it. Of a purged item the tombstone is shown,
which is all that is left.`,
		Example: "  lapse training show 4be0643f1d98573b97cdca98a65347dd",
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := parseItem(args[0])
			if err != nil {
				return err
			}
			return a.showItem(c.Context(), id, asOf)
		},
	}
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	return c
}

func (a *app) showItem(ctx context.Context, id sinks.ID, at string) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	asOf, err := parseAsOf(at, i.policy)
	if err != nil {
		return err
	}
	var s shownItem
	if s.TrainingEntry, err = i.itemOf(ctx, sinks.TrainingFilter{Item: id}, asOf); err != nil {
		return err
	}
	if s.History, err = i.store.Notes(ctx, id, asOf); err != nil {
		return err
	}
	if t := i.policy.Training; t != nil && s.Key != "" {
		for _, rule := range t.Derivatives {
			s.Under = append(s.Under, rule.Prefix(s.Key))
		}
	}
	if w, ok := windowOf(i.policy, s.Rule); ok {
		s.Clause = w.Clause
		if zone := i.policy.TimeZone.Location(); s.State != sinks.TrainingPurged {
			s.Due = w.Keep.After(s.Since, zone).UTC()
			s.DeletedFrom = jobs.DeletedFrom(i.policy.Training, s.Marked, asOf, zone).UTC()
		}
	}
	if a.output == "json" {
		return a.printJSON(s)
	}
	a.printItem(&s)
	return nil
}

func windowOf(p *config.Policy, rule sinks.Rule) (*config.Window, bool) {
	if p.Training == nil || rule == "" {
		return nil, false
	}
	return p.Training.Window(config.Trigger(rule))
}

func (a *app) printItem(s *shownItem) {
	line := func(name string, value any) {
		if text := fmt.Sprint(show(value)); text != "" && text != "-" {
			a.say("%-18s %s", name, text)
		}
	}
	line("item", s.Item.String())
	line("state", string(s.State))
	line("bucket", s.Bucket)
	line("key", s.Key)
	line("organisation", s.Organisation)
	line("people", strings.Join(s.Subjects, ", "))
	line("consent", s.ConsentReference)
	if s.Age != nil {
		line("declared age", int(*s.Age))
	}
	line("media type", s.MediaType)
	line("bytes", byteCount(s.Bytes))
	line("uploaded (UTC)", s.Uploaded)
	line("purposes", strings.Join(s.Purposes, ", "))
	line("of these open", strings.Join(s.Open, ", "))
	line("derivatives", strings.Join(s.Derivatives, ", "))
	line("and all under", strings.Join(s.Under, ", "))
	switch s.State {
	case sinks.TrainingPurged:
		line("purged (UTC)", s.Purged)
		line("objects", s.Objects)
		line("models", strings.Join(s.Models, ", "))
		line("by", fmt.Sprintf("%s (%s)", s.Rule, s.Clause))
	case sinks.TrainingDue, sinks.TrainingMarked:
		line("due by", fmt.Sprintf("%s (%s)", s.Rule, s.Clause))
		line("due since (UTC)", s.Due)
		line("hidden (UTC)", s.Marked)
		line("deleted from (UTC)", s.DeletedFrom)
	}
	if len(s.History) == 0 {
		return
	}
	a.say("")
	var rows [][]any
	for _, n := range s.History {
		rows = append(rows, []any{n.At, n.What, n.About, n.By, n.Purpose, n.Model})
	}
	a.printTable([]string{"at (UTC)", "what", "by way of", "by", "purpose", "model"}, rows)
}
