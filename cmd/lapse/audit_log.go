package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// filterFlags are the texts of an auditlog.Filter.
type filterFlags struct{ since, until, run, action, dataset string }

func (a *app) auditLogCommand() *cobra.Command {
	var f auditFlags
	var filter filterFlags
	c := &cobra.Command{
		Use:   "log",
		Short: "Show the entries of the audit log",
		Long: `Shows entries, the oldest first, as they stand in the log; 'lapse audit verify' says
whether they are to be trusted. With --output json, one entry a line, in its
canonical form.`,
		Example: `  lapse audit log --action anonymise --dataset events
  lapse audit log --since 2027-01-01 --until 2027-02-01 --output json
  lapse audit log --run 0f7a1c20d6b4417cbd1b6a7a3f1e9c55`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			selected, err := filter.parse()
			if err != nil {
				return usageError{err}
			}
			files, err := a.auditFiles(f.dir)
			if err != nil {
				return err
			}
			return a.printEntries(c.Context(), files, selected)
		},
	}
	f.registerDir(c)
	c.Flags().StringVar(&filter.since, "since", "", "only entries written at or after this time: YYYY-MM-DD (UTC) or RFC 3339")
	c.Flags().StringVar(&filter.until, "until", "", "only entries written before this time")
	c.Flags().StringVar(&filter.run, "run", "", "only entries of this run")
	c.Flags().StringVar(&filter.action, "action", "", "only entries of this action: "+strings.Join(auditlog.Actions(), ", "))
	c.Flags().StringVar(&filter.dataset, "dataset", "", "only entries about this dataset")
	_ = c.RegisterFlagCompletionFunc("action", cobra.FixedCompletions(auditlog.Actions(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (t filterFlags) parse() (f auditlog.Filter, err error) {
	if f.From, err = parseInstant("since", t.since); err != nil {
		return f, err
	}
	if f.Until, err = parseInstant("until", t.until); err != nil {
		return f, err
	}
	if t.run != "" {
		if err := f.Run.UnmarshalText([]byte(t.run)); err != nil {
			return f, fmt.Errorf("--run: %w", err)
		}
	}
	if t.dataset != "" {
		if f.Dataset, err = sinks.ParseName(t.dataset); err != nil {
			return f, fmt.Errorf("--dataset: %w", err)
		}
	}
	if t.action != "" && !slices.Contains(auditlog.Actions(), t.action) {
		return f, fmt.Errorf("--action: there is no %q; the actions are %s", t.action, strings.Join(auditlog.Actions(), ", "))
	}
	f.Action = sinks.Action(t.action)
	return f, nil
}

// parseInstant reads the time that a flag gives, the zero time if it gives none.
func parseInstant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s: %q is neither YYYY-MM-DD nor RFC 3339", flag, text)
}

// entriesAtOnce is how many entries a table is laid out for: a log can be long.
const entriesAtOnce = 1000

func (a *app) printEntries(ctx context.Context, files auditlog.Files, filter auditlog.Filter) error {
	headings := []string{"entry", "time (UTC)", "as of", "job", "action", "phase", "about", "rule", "result", "counts"}
	var rows [][]any
	for r, err := range auditlog.Entries(ctx, files, filter) {
		if err != nil {
			return err
		}
		if a.output == "json" {
			raw, err := auditlog.Encode(r.Entry)
			if err != nil {
				return err
			}
			a.say("%s", raw)
			continue
		}
		if rows = append(rows, entryRow(r)); len(rows) == entriesAtOnce {
			a.printTable(headings, rows)
			headings, rows = nil, rows[:0]
		}
	}
	if a.output != "json" && (len(rows) > 0 || headings != nil) {
		a.printTable(headings, rows)
	}
	return nil
}

func entryRow(r auditlog.Record) []any {
	e := r.Entry
	about := e.Dataset.String()
	switch {
	case e.Partition != nil:
		about += " " + e.Partition.String()
	case !e.Item.IsZero():
		about = e.Item.String()[:16]
	case !e.Source.IsZero():
		about = e.Source.String()[:16]
	}
	result := string(e.Result)
	if e.Error != "" {
		result += " (" + string(e.Error) + ")"
	}
	if !e.Locked.IsZero() {
		result += ", locked until " + e.Locked.Format(time.RFC3339)
	}
	return []any{r.Position.String(), e.Time, e.AsOf, string(e.Job), string(e.Action), string(e.Phase), about, string(e.Rule), result, countText(e.Counts)}
}
