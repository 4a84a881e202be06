package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// allStates is how a flag asks for items whatever has become of them.
const allStates = "all"

// listFlags are those of `lapse training list`.
type listFlags struct {
	filter      sinks.TrainingFilter
	state, asOf string
}

func (a *app) trainingListCommand() *cobra.Command {
	var f listFlags
	states := []string{allStates}
	for _, s := range sinks.TrainingStates {
		states = append(states, string(s))
	}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the items that may be trained on, or others",
		Long: `Lists the items in the order of their keys. Without --state, those that may be trained on
(active): what is due for deletion is left out at once. The others are due; marked,
hidden until their grace has passed; and purged, of which a tombstone is left.

With --output json, one object a line.`,
		Example: `  lapse training list --purpose face-detection --output json > to-train-on.ndjson
  lapse training list --state marked
  lapse training list --organisation o1 --state all`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(states, f.state) {
				return usageError{fmt.Errorf("--state is one of %s, not %q", strings.Join(states, ", "), f.state)}
			}
			if f.state != allStates {
				f.filter.State = sinks.TrainingState(f.state)
			}
			return a.listItems(c.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.filter.Organisation, "organisation", "", "only what this organisation uploaded")
	flags.StringVar(&f.filter.Purpose, "purpose", "", "only what serves this purpose")
	flags.StringVar(&f.filter.Bucket, "bucket", "", "only what is in this bucket")
	flags.StringVar(&f.filter.Key, "key", "", "only the object of this key")
	flags.StringVar(&f.state, "state", string(sinks.TrainingActive), "which items: "+strings.Join(states, ", "))
	flags.StringVar(&f.asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) listItems(ctx context.Context, f listFlags) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	asOf, err := parseAsOf(f.asOf, i.policy)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(a.out)
	out := a.longTable("item", "state", "organisation", "key", "bytes", "uploaded (UTC)", "open purposes", "due by", "since (UTC)")
	err = i.store.EachItem(ctx, asOf, jobs.TrainingCutoffs(i.policy, asOf), f.filter, func(e sinks.TrainingEntry) error {
		if a.output == "json" {
			return lines.Encode(e)
		}
		key := e.Key
		if len(i.settings.Buckets) > 1 && key != "" {
			key = e.Bucket + ": " + key
		}
		out.add(e.Item.String(), string(e.State), e.Organisation, key, byteCount(e.Bytes), e.Uploaded, strings.Join(e.Open, ", "), string(e.Rule), laterOf(e.Since, e.Purged))
		return nil
	})
	if err == nil && a.output != "json" {
		out.end()
	}
	return err
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// longTable is a table that is laid out piece by piece, for it can be long.
type longTable struct {
	app      *app
	headings []string
	rows     [][]any
}

func (a *app) longTable(headings ...string) *longTable { return &longTable{app: a, headings: headings} }

func (t *longTable) add(row ...any) {
	if t.rows = append(t.rows, row); len(t.rows) == entriesAtOnce {
		t.app.printTable(t.headings, t.rows)
		t.headings, t.rows = nil, t.rows[:0]
	}
}

func (t *longTable) end() {
	if len(t.rows) > 0 || t.headings != nil {
		t.app.printTable(t.headings, t.rows)
	}
}

func (a *app) trainingWithdrawnCommand() *cobra.Command {
	var since, asOf string
	c := &cobra.Command{
		Use:   "withdrawn [--since TIME]",
		Short: "List the items that may be used no more, for those who hold copies",
		Long: `Writes a line of JSON for each item that was hidden or deleted at or after a time: its id, as
'lapse training list' told it, when, by which rule, and whether it is gone. Whoever has
copied items deletes those. An item that was hidden and then deleted comes twice.`,
		Example: "  lapse training withdrawn --since 2027-01-01T06:00:00Z",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			from, err := parseInstant("since", since)
			if err != nil {
				return usageError{err}
			}
			i, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer i.Close() //nolint:errcheck // nothing was written
			now, err := parseAsOf(asOf, i.policy)
			if err != nil {
				return err
			}
			lines := json.NewEncoder(a.out)
			return i.store.EachWithdrawn(c.Context(), from, now, jobs.TrainingCutoffs(i.policy, now), func(w sinks.Withdrawal) error { return lines.Encode(w) })
		},
	}
	c.Flags().StringVar(&since, "since", "", "only what was hidden or deleted at or after this time: YYYY-MM-DD (UTC) or RFC 3339")
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	return c
}
