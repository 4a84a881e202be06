package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// exportFlags are those of `lapse export`.
type exportFlags struct {
	to, format         string
	recipient, reason  string
	region, safeguard  string
	fromDay, toDay, by string
	personal, dryRun   bool
}

func (a *app) exportCommand() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export DATASET --to FILE --recipient CLASS --region REGION --reason TEXT",
		Short: "Give data to a class of recipients that the policy names, and remember it",
		Long: `Writes a dataset's anonymised table, or with --personal the dataset itself, to a file, as
a JSON object or a line of CSV for each row, and enters that in the register of
disclosures (C11). It is refused if the policy names no such class of recipients, or if
the data would go outside its regions without one of its safeguards (C10). Of personal
data, those of people who have asked for restriction are left out.`,
		Example: `  lapse export events --to events.ndjson --recipient analytics_providers --region EEA --reason "report 7"
  lapse export enquiries --personal --to e.csv --format csv --recipient professional_advisers --region US --safeguard standard_contractual_clauses --reason "claim 9"`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error { return a.export(c.Context(), args[0], f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.to, "to", "", "file to write")
	flags.StringVar(&f.format, "format", string(sinks.RowsAsJSON), "json or csv")
	flags.StringVar(&f.recipient, "recipient", "", "class of recipients, as the policy names it")
	flags.StringVar(&f.region, "region", "", "where the data go, in the policy's words")
	flags.StringVar(&f.safeguard, "safeguard", "", "safeguard of the policy under which they leave its regions")
	flags.StringVar(&f.reason, "reason", "", "why; put no personal data here")
	flags.StringVar(&f.by, "by", "", "who orders it (default: you, as the system knows you)")
	flags.StringVar(&f.fromDay, "from", "", "first day of events, YYYY-MM-DD (UTC)")
	flags.StringVar(&f.toDay, "until", "", "end of the days of events, not included")
	flags.BoolVar(&f.personal, "personal", false, "the dataset itself, not what is anonymised of it")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say whether the policy allows it, and write nothing")
	for _, name := range []string{"to", "recipient", "region", "reason"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

func (a *app) export(ctx context.Context, dataset string, f exportFlags) error {
	if f.format != string(sinks.RowsAsJSON) && f.format != string(sinks.RowsAsCSV) {
		return usageError{fmt.Errorf("--format is json or csv, not %q", f.format)}
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	first, last := sinks.Day(0), sinks.MaxDay
	d := sinks.Disclosure{
		ID: sinks.NewID(), Dataset: dataset, Personal: f.personal, Recipient: f.recipient, Region: f.region, Safeguard: f.safeguard,
		Reason: f.reason, By: orUser(f.by), PolicyHash: sinks.Digest(i.policy.Hash),
	}
	if f.fromDay != "" {
		if err := first.UnmarshalText([]byte(f.fromDay)); err != nil {
			return usageError{fmt.Errorf("--from: %w", err)}
		}
		d.From = first.Start()
	}
	if f.toDay != "" {
		if err := last.UnmarshalText([]byte(f.toDay)); err != nil {
			return usageError{fmt.Errorf("--until: %w", err)}
		}
		d.To = last.Start()
		last--
	}
	columns, err := i.store.ExportColumns(dataset, f.personal)
	if err == nil {
		err = jobs.CheckDisclosure(i.policy, &d)
	}
	if err != nil {
		return usageError{err}
	}
	if f.dryRun {
		return a.tell(d, "the policy allows it")
	}
	job := &jobs.Disclose{Policy: i.policy, Register: i.store, Disclosure: d, Write: func(ctx context.Context) (uint64, error) {
		return i.writeExport(ctx, f, dataset, columns, first, last)
	}}
	if err := i.openLog(ctx); err != nil {
		return err
	}
	if _, err := i.runner(sinks.ActorOperator, nil).Run(ctx, job, time.Now()); err != nil {
		return err
	}
	return a.tell(job.Disclosure, "%d rows of %s are in %s; the disclosure is %s", job.Disclosure.Rows, dataset, f.to, d.ID)
}

// writeExport writes a file, which is there when all of it is durable and not before.
func (i *installation) writeExport(ctx context.Context, f exportFlags, dataset string, columns []string, first, last sinks.Day) (rows uint64, err error) {
	file, err := os.CreateTemp(filepath.Dir(f.to), ".lapse-export-")
	if err != nil {
		return 0, fmt.Errorf("write export: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // after the renaming there is nothing
	w := bufio.NewWriterSize(file, 1<<20)
	if f.format == string(sinks.RowsAsCSV) {
		_, _ = w.WriteString(strings.Join(columns, ",") + "\n") // its error comes with that of Flush
	}
	err = i.store.EachRow(ctx, dataset, f.personal, first, last, sinks.RowFormat(f.format), func(row string) error {
		rows++
		_, err := w.WriteString(row + "\n")
		return err
	})
	if err = errors.Join(err, w.Flush(), file.Sync(), file.Close()); err != nil {
		return 0, fmt.Errorf("write export: %w", err)
	}
	if err := os.Rename(file.Name(), f.to); err != nil {
		return 0, fmt.Errorf("write export: %w", err)
	}
	return rows, nil
}

func (a *app) disclosuresCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "disclosures",
		Short:   "List to whom data were given, when and where",
		Example: "  lapse disclosures --output json",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.listDisclosures(c.Context()) },
	}
}

func (a *app) listDisclosures(ctx context.Context) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // read only
	all, err := i.store.Disclosures(ctx)
	if err != nil {
		return err
	}
	if a.output == "json" {
		if all == nil {
			all = []sinks.Disclosure{}
		}
		return a.printJSON(all)
	}
	if len(all) == 0 {
		a.say("nothing was disclosed")
		return nil
	}
	var rows [][]any
	for _, d := range all {
		what := "anonymised"
		if d.Personal {
			what = "personal"
		}
		rows = append(rows, []any{d.Disclosed, d.Dataset, what, d.Rows, d.Recipient, d.Region, d.Safeguard, d.Reason, d.By, d.ID.String()})
	}
	a.printTable([]string{"disclosed (UTC)", "dataset", "data", "rows", "recipient", "region", "safeguard", "reason", "by", "disclosure"}, rows)
	return nil
}
