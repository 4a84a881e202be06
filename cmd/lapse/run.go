package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// runFlags are those of `lapse run`.
type runFlags struct {
	asOf    string
	dryRun  bool
	timeout time.Duration

	format string // of all input files; told by their content if it is empty

	contents bool // hold the content of objects against the register

	plan      string // file of an approved plan
	tolerance float64
	datasets  []string // all if empty
	all       bool     // the jobs that read input are left out where there is none
}

// approvedFlags are for the jobs whose steps can be planned ahead.
func (f *runFlags) approvedFlags(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.plan, "plan", "", "do only what this plan says, as of its time (see 'lapse plan --to-file')")
	c.Flags().Float64Var(&f.tolerance, "tolerance", 0.01, "with --plan: by what share a step's rows may have changed since")
	c.Flags().StringSliceVar(&f.datasets, "dataset", nil, "only these datasets of the policy, training or quarantine; several with commas")
	return c
}

// ingestFlags are for ingest alone.
func (f *runFlags) ingestFlags(c *cobra.Command) *cobra.Command {
	formats := []string{string(config.Segment), string(config.WebLog), string(config.TrainingNotes)}
	c.Flags().StringVar(&f.format, "format", "", "read all files as "+strings.Join(formats, ", ")+" (default: told by their content)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// inputFormat checks the format that was asked for.
func (f *runFlags) inputFormat() (config.InputFormat, error) {
	switch format := config.InputFormat(f.format); format {
	case "", config.Segment, config.WebLog, config.TrainingNotes:
		return format, nil
	}
	return "", usageError{fmt.Errorf("--format is segment, weblog or training, not %q", f.format)}
}

// approved reads the plan that the run is held to, if there is one, and returns as
// of when the policy is evaluated.
func (f *runFlags) approved(p *config.Policy) (plan *jobs.Plan, asOf time.Time, err error) {
	if f.plan == "" {
		asOf, err = parseAsOf(f.asOf, p)
		return nil, asOf, err
	}
	if f.asOf != "" {
		return nil, asOf, usageError{errors.New("--as-of and --plan exclude each other: a plan has a time of its own")}
	}
	plan, err = readPlan(f.plan)
	if err != nil {
		return nil, asOf, err
	}
	return plan, plan.AsOf, nil
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run jobs once: ingest, dispose, anonymise, purge, reconcile, subject, sweep, or all",
		Long: `Runs a job for the policy as of now, or as of the time given with --as-of. Further
jobs may be named behind it; they are done one after the other, in the order of the
way of a record. What fails in one does not keep the others from being done.

What is done is written into the audit log before and after. A run that was
interrupted, in whatever way, is finished by the next run of the same job. While
the same job runs elsewhere, in 'lapse serve' for example, a run waits.

Exit codes:
` + exitCodesHelp,
		Example: `  lapse run all
  lapse run ingest /var/log/nginx
  lapse run anonymise purge --timeout 30m
  lapse run anonymise --dataset events --dry-run
  lapse run purge --as-of 2027-01-01 --output json`,
	}
	flags := c.PersistentFlags()
	flags.StringVar(&f.asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD (its first instant in the policy's time zone) or RFC 3339")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after this long, such as 30m; the next run goes on (default: no limit)")
	c.AddCommand(a.runSubjectCommands(&f)...)
	c.AddCommand(
		f.ingestFlags(&cobra.Command{
			Use:   "ingest [PATH...] [JOB...]",
			Short: "Take input files into the personal tables",
			Long: `Reads files and folders: calls of the Segment specification as JSON lines, web
server logs in common or combined format, notes about training items. Plain, gzip
or zstd, told by the content. A path may be a pattern (*.log), - for the standard
input, or bucket://NAME/PREFIX for objects in a bucket of the settings. If none are
named, those of the settings, and what 'lapse serve' has collected and closed. A
file that is called like a job is written ./purge.

For every file and every day in it, the records read are exactly those stored,
quarantined, refused and recognised as duplicates. A file that is read twice
changes nothing. Afterwards files are kept, moved or deleted as the policy says
(input_files); what Lapse has collected itself is deleted.`,
			Example: `  lapse run ingest access.log events/*.ndjson.gz
  lapse run ingest bucket://telemetry/2026/
  zcat old.log.Z | lapse run ingest --format weblog -`,
			RunE: func(c *cobra.Command, args []string) error { return a.runNamed(c.Context(), f, sinks.JobIngest, args) },
		}),
		f.approvedFlags(&cobra.Command{
			Use:   "all [PATH...]",
			Short: "Run ingest (of files, of the settings' inputs, of what was collected), subject, anonymise and purge",
			Long: `Runs ingest, subject (the requests of data subjects), anonymise and purge, one after
the other. With --plan or --dataset, anonymise and purge alone: input files belong to
no dataset until they are read, and people to all of them.`,
			Example: "  lapse run all\n  lapse run all --timeout 2h --output json\n  lapse run all --plan plan.json",
			RunE:    func(c *cobra.Command, args []string) error { return a.runAll(c.Context(), f, args) },
		}),
		&cobra.Command{
			Use:   "dispose [PATH...]",
			Short: "Delete or move input files that have been ingested",
			Long: `Deletes or moves input files as the policy says (input_files), once every record
in them is accounted for, and deletes moved ones when they have been kept long
enough. A file that has changed since it was ingested stays. If none are named,
those of the settings, and what 'lapse serve' has collected. 'lapse run ingest' does
the same when it has read its files.`,
			Example: "  lapse run dispose --dry-run",
			RunE:    func(c *cobra.Command, args []string) error { return a.runNamed(c.Context(), f, sinks.JobDispose, args) },
		},
		f.approvedFlags(&cobra.Command{
			Use:     "anonymise [JOB...]",
			Short:   "Publish what is past its window in anonymised form, and delete the personal rows",
			Example: "  lapse run anonymise --as-of 2027-01-01\n  lapse run anonymise --plan plan.json",
			RunE: func(c *cobra.Command, args []string) error {
				return a.runNamed(c.Context(), f, sinks.JobAnonymise, args)
			},
		}),
		f.approvedFlags(&cobra.Command{
			Use:     "purge [JOB...]",
			Short:   "Delete training items, accounts and other data whose window has passed",
			Example: "  lapse run purge --dry-run",
			RunE:    func(c *cobra.Command, args []string) error { return a.runNamed(c.Context(), f, sinks.JobPurge, args) },
		}),
		a.reconcileCommand(&f),
	)
	return c
}

// job returns the job of a kind.
func (i *installation) job(ctx context.Context, f runFlags, kind sinks.JobKind, paths []string, m *meter) (jobs.Job, error) {
	switch kind {
	case sinks.JobIngest:
		format, err := f.inputFormat()
		if err != nil {
			return nil, err
		}
		if len(paths) == 0 {
			paths = i.inputs()
		}
		if len(paths) == 0 {
			return nil, usageError{errors.New("name the files or folders to read, or set inputs in the settings, or collect events with 'lapse serve'")}
		}
		if paths, err = i.keepStdin(paths); err != nil {
			return nil, err
		}
		files, err := i.collected(paths).List(ctx)
		if err != nil {
			return nil, usageError{err}
		}
		var total int64
		for _, f := range files {
			total += f.Bytes
		}
		job, err := i.ingest(ctx, paths, m.read(2*total)) // once to know it, once to take it in
		if err != nil {
			return nil, err
		}
		job.Format = format
		return job, nil
	case sinks.JobDispose:
		if len(paths) == 0 {
			paths = i.inputs()
		}
		return i.dispose(paths), nil
	case sinks.JobAnonymise:
		return i.anonymise(), nil
	case sinks.JobPurge:
		return i.purge(), nil
	case sinks.JobReconcile:
		return i.reconcile(f.contents), nil
	case sinks.JobSubject:
		return i.subject()
	case sinks.JobSweep:
		return i.sweep(ctx, f.dryRun)
	}
	return nil, usageError{fmt.Errorf("there is no job %q", kind)}
}

// verdict turns a report into the error that decides the exit code. Where a job went on
// with a second run, err is that one's.
func verdict(r *jobs.Report, err error) error {
	if r.Then != nil && r.Then.Job == r.Job {
		return errors.Join(verdictOfOne(r, nil), verdictOfOne(r.Then, err))
	}
	return verdictOfOne(r, err)
}

func verdictOfOne(r *jobs.Report, err error) error {
	if r.Result == sinks.ResultPartial {
		err = fmt.Errorf("%w: %w", errPartial, err)
	}
	if err == nil && r.Waiting > 0 {
		err = fmt.Errorf("%w: %d steps wait, the first because %s", errOverdue, r.Waiting, r.Blocked[0].Blocked)
	}
	if err == nil && r.Left > 0 {
		err = fmt.Errorf("%w: %d more steps are due that the plan does not have", errOverdue, r.Left)
	}
	return err
}

// parseAsOf reads the time to evaluate the policy for.
func parseAsOf(text string, p *config.Policy) (time.Time, error) {
	if text == "" {
		return time.Now().UTC(), nil
	}
	return parseMoment("--as-of", text, p)
}

// parseMoment reads a time, or the first instant of a day in the policy's time zone.
func parseMoment(flag, text string, p *config.Policy) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	d, err := config.ParseDate(text)
	if err != nil {
		return time.Time{}, usageError{fmt.Errorf("%s: %w, or a time such as 2027-01-01T12:00:00Z", flag, err)}
	}
	return d.Start(p.TimeZone.Location()).UTC(), nil
}

// printReport says how a run ended, and the one that followed it.
func (a *app) printReport(r *jobs.Report) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	a.printRun(r)
	if r.Then != nil && r.Then.Steps > 0 {
		a.printRun(r.Then)
	}
	return nil
}

func (a *app) printRun(r *jobs.Report) {
	a.say("%s as of %s: %s, %d steps in %s (run %s)", r.Job, show(r.AsOf), r.Result, r.Steps, r.Ended.Sub(r.Started).Round(time.Millisecond), r.Run)
	if r.Steps == 0 {
		return
	}
	var headings []string
	var rows [][]any
	switch r.Job {
	case sinks.JobIngest, sinks.JobReplay:
		headings, rows = ingestRows(r)
	case sinks.JobAnonymise:
		headings, rows = anonymiseRows(r)
	case sinks.JobReconcile:
		headings, rows = reconcileRows(r)
	default:
		headings, rows = purgeRows(r)
	}
	a.printTable(headings, rows)
	a.printRefused(r)
	a.printUnwanted(r)
	a.printDiscrepancies(r)
}

// printRefused says how many records were refused, and why.
func (a *app) printRefused(r *jobs.Report) {
	var reasons []string
	counts := r.Counts()
	for _, reason := range sinks.RefusalCounts {
		if n := counts[reason]; n > 0 {
			words := strings.ReplaceAll(strings.TrimPrefix(string(reason), "refused_"), "_", " ")
			reasons = append(reasons, fmt.Sprintf("%s (%v)", words, show(n)))
		}
	}
	if len(reasons) > 0 {
		a.say("refused: %s", strings.Join(reasons, ", "))
	}
}

// namesShown is how many fields that were dropped are told to a person.
const namesShown = 20

// printUnwanted says which fields were dropped, the most frequent first.
func (a *app) printUnwanted(r *jobs.Report) {
	names := slices.SortedFunc(maps.Keys(r.Unwanted), func(x, y string) int {
		return cmp.Or(cmp.Compare(r.Unwanted[y], r.Unwanted[x]), cmp.Compare(x, y))
	})
	if len(names) == 0 {
		return
	}
	shown := make([]string, 0, namesShown+1)
	for n, name := range names {
		if n == namesShown {
			shown = append(shown, fmt.Sprintf("and %d more", len(names)-n))
			break
		}
		shown = append(shown, fmt.Sprintf("%s (%v)", name, show(r.Unwanted[name])))
	}
	a.say("dropped, because no purpose covers them: %s", strings.Join(shown, ", "))
}

func ingestRows(r *jobs.Report) ([]string, [][]any) {
	var rows [][]any
	for _, o := range r.Outcomes {
		c := o.Counts
		rows = append(rows, []any{o.Step.Source.String()[:16], c[sinks.CountRead], c[sinks.CountStored], c[sinks.CountQuarantined], c[sinks.CountRefused], c[sinks.CountDuplicate], string(o.Result)})
	}
	return []string{"source", "read", "stored", "quarantined", "refused", "duplicate", "result"}, rows
}

func anonymiseRows(r *jobs.Report) ([]string, [][]any) {
	var rows [][]any
	for _, o := range r.Outcomes {
		c := o.Counts
		var classes, smallest uint64
		if o.K != nil {
			classes, smallest = o.K.Classes, o.K.Smallest
		}
		rows = append(rows, []any{o.Step.Dataset, o.Step.Partition.String(), c[sinks.CountBefore], c[sinks.CountSubjects], c[sinks.CountPublished], c[sinks.CountGeneralised], c[sinks.CountSuppressed], classes, smallest, string(o.Result)})
	}
	return []string{"dataset", "partition", "rows", "people", "published", "generalised", "suppressed", "classes", "smallest class", "result"}, rows
}

// purgeRows adds up steps of a kind: single items say nothing to a reader.
func purgeRows(r *jobs.Report) ([]string, [][]any) {
	type kind struct {
		action  sinks.Action
		dataset string
		rule    sinks.Rule
		result  sinks.Result
	}
	index := map[kind]int{}
	var rows [][]any
	for _, sum := range r.Sums {
		k := kind{sum.Action, sum.Dataset, sum.Rule, sum.Result}
		n, ok := index[k]
		if !ok {
			n = len(rows)
			index[k] = n
			rows = append(rows, []any{string(k.action), k.dataset, string(k.rule), uint64(0), uint64(0), uint64(0), byteCount(0), string(k.result)})
		}
		row, c := rows[n], sum.Counts
		row[3] = row[3].(uint64) + uint64(sum.Steps)
		row[4] = row[4].(uint64) + c[sinks.CountBefore]
		row[5] = row[5].(uint64) + c[sinks.CountObjects] + c[sinks.CountDerivatives]
		row[6] = row[6].(byteCount) + byteCount(c[sinks.CountBytes])
	}
	return []string{"action", "dataset", "rule", "steps", "rows", "objects", "bytes", "result"}, rows
}
