package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read and verify the audit log",
	}
	c.AddCommand(a.auditLogCommand(), a.auditVerifyCommand())
	return c
}

// auditFlags name a log other than the settings'.
type auditFlags struct{ dir, key string }

func (f *auditFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the log, in place of the settings'")
	c.Flags().StringVar(&f.key, "key", "", "file of the public key, in place of the settings'")
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify the audit log offline, with nothing but its public key",
		Long: `Checks the signature, rebuilds the root hash from the entries, and compares every
file with it; checks that every entry is well formed, that every outcome has its
intent, and that time never runs backwards. Needs neither ClickHouse nor settings:
give --dir and --key on any machine that has a copy of the folder.

Ends with 0 if the log verifies and with 7, naming each file that does not, if not.`,
		Example: "  lapse audit verify\n  lapse audit verify --dir /media/audit --key audit.key.pub",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, key := a.auditPlace(f)
			verifier, err := auditlog.LoadVerifier(key)
			if err != nil {
				return usageError{err}
			}
			report, err := auditlog.Verify(c.Context(), auditlog.ReadFolder(dir), verifier, auditlog.VerifyOptions{})
			if report == nil {
				return err
			}
			return errors.Join(a.printVerification(report), err)
		},
	}
	f.register(c)
	return c
}

func (a *app) auditPlace(f auditFlags) (dir, key string) {
	dir, key = a.settings.AuditDir(), a.settings.AuditPublicKey()
	if f.dir != "" {
		dir = f.dir
	}
	if f.key != "" {
		key = f.key
	}
	return dir, key
}

func (a *app) printVerification(r *auditlog.Report) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	for _, p := range r.Problems {
		a.say("%s", p)
	}
	if more := r.Failures - int64(len(r.Problems)); more > 0 {
		a.say("… and %d more", more)
	}
	for _, y := range r.Years {
		a.say("%s/%d: %d entries, root %s", y.Log, y.Year, y.Size, y.Root)
	}
	if r.OpenSteps > 0 {
		a.say("%d steps were announced and have not ended: they were interrupted, or are being done", r.OpenSteps)
	}
	if r.Failures == 0 {
		a.say("verified: %d entries, %d intents, %d outcomes", r.Entries, r.Intents, r.Outcomes)
	}
	return nil
}

func (a *app) auditLogCommand() *cobra.Command {
	var f auditFlags
	var since, until, run, action, dataset string
	c := &cobra.Command{
		Use:     "log",
		Short:   "Show the entries of the audit log",
		Example: "  lapse audit log --action anonymise --dataset events\n  lapse audit log --since 2027-01-01 --output json",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			filter, err := auditFilter(since, until, run, action, dataset)
			if err != nil {
				return usageError{err}
			}
			dir, _ := a.auditPlace(f)
			return a.printEntries(c, dir, filter)
		},
	}
	f.register(c)
	c.Flags().StringVar(&since, "since", "", "only entries written at or after this time: YYYY-MM-DD (UTC) or RFC 3339")
	c.Flags().StringVar(&until, "until", "", "only entries written before this time")
	c.Flags().StringVar(&run, "run", "", "only entries of this run")
	c.Flags().StringVar(&action, "action", "", "only entries of this action, such as anonymise")
	c.Flags().StringVar(&dataset, "dataset", "", "only entries about this dataset")
	return c
}

func auditFilter(since, until, run, action, dataset string) (f auditlog.Filter, err error) {
	parse := func(flag, text string) (t time.Time) {
		if text == "" || err != nil {
			return t
		}
		if t, err = time.Parse(time.RFC3339, text); err == nil {
			return t
		}
		if t, err = time.Parse(time.DateOnly, text); err != nil {
			err = fmt.Errorf("--%s: %q is neither YYYY-MM-DD nor RFC 3339", flag, text)
		}
		return t
	}
	f.From, f.Until = parse("since", since), parse("until", until)
	f.Action = sinks.Action(action)
	if run != "" && err == nil {
		err = f.Run.UnmarshalText([]byte(run))
	}
	if dataset != "" && err == nil {
		f.Dataset, err = sinks.ParseName(dataset)
	}
	return f, err
}

func (a *app) printEntries(c *cobra.Command, dir string, filter auditlog.Filter) error {
	var rows [][]any
	for r, err := range auditlog.Entries(c.Context(), auditlog.ReadFolder(dir), filter) {
		if err != nil {
			return err
		}
		if a.output == "json" { // an entry a line: a log can be long
			raw, err := auditlog.Encode(r.Entry)
			if err != nil {
				return err
			}
			a.say("%s", raw)
			continue
		}
		rows = append(rows, entryRow(r))
	}
	if a.output != "json" {
		a.printTable([]string{"entry", "time (UTC)", "as of", "job", "action", "phase", "about", "rule", "result", "counts"}, rows)
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
	return []any{fmt.Sprint(r.Position), e.Time, e.AsOf, string(e.Job), string(e.Action), string(e.Phase), about, string(e.Rule), result, countText(e.Counts)}
}
