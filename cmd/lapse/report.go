package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

//go:embed report.html.tmpl
var reportText string

var reportPage = template.Must(template.New("").Funcs(template.FuncMap{
	"show": show, "size": humanize.IBytes, "words": wordsOf, "ago": days,
}).Parse(reportText))

func (a *app) reportCommand() *cobra.Command {
	var file, asOf string
	c := &cobra.Command{
		Use:   "report",
		Short: "Write a report for the data protection officer: what is held, due, overdue, held back and done",
		Long: `Verifies the audit log, looks at what is held under which rule, and writes one page
that needs nothing else: to be read in a browser, printed, or kept. What was done is
counted from the audit log; what is held and due from the tables, as of now or of the
time given with --as-of.

The page names nobody but the controller, the officer and who placed legal holds. If
the audit log does not verify the page says so, and the exit code is 7.`,
		Example: `  lapse report --html report.html
  lapse report --html - --as-of 2027-01-01 > report.html
  lapse report --output json`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return a.report(c.Context(), file, asOf) },
	}
	c.Flags().StringVar(&file, "html", "", "write the page to this file; - for the standard output")
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	return c
}

// officerReport is what the data protection officer gets to see.
type officerReport struct {
	Made       time.Time          `json:"made"`
	AsOf       time.Time          `json:"as_of"`
	Program    string             `json:"program"`
	Controller config.Party       `json:"controller"`
	DPO        config.Party       `json:"dpo"`
	Policy     sinks.PolicyRef    `json:"policy"`
	Status     *sinks.Status      `json:"status"`
	Rules      []ruleReport       `json:"rules"`
	Holds      []sinks.Hold       `json:"holds"` // in force
	Runs       []sinks.RunRecord  `json:"runs"`
	Audit      verificationReport `json:"audit"`
	Done       []monthDone        `json:"done"`
	Held       []monthHeld        `json:"held"`
}

// ruleReport is one rule for one dataset.
type ruleReport struct {
	lagStatus
	Keep      string `json:"keep"`
	Action    string `json:"action"`
	Clause    string `json:"clause"`
	Rationale string `json:"rationale"`
}

// verificationReport is what came of verifying the audit log.
type verificationReport struct {
	Verified  bool   `json:"verified"`
	Entries   int64  `json:"entries"`
	OpenSteps int64  `json:"open_steps"`
	Problems  int64  `json:"problems"`
	Log       string `json:"log,omitempty"`
	Root      string `json:"root,omitempty"`
}

func (a *app) report(ctx context.Context, file, at string) error {
	if file == "" && a.output != "json" {
		return usageError{errors.New("say where to write the page with --html FILE, or ask for --output json")}
	}
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	asOf, err := parseAsOf(at, i.policy)
	if err != nil {
		return err
	}
	r, unverified := i.officerReport(ctx, asOf)
	if r == nil {
		return unverified
	}
	if file == "" {
		return errors.Join(a.printJSON(r), unverified)
	}
	return errors.Join(a.writePage(file, r), unverified)
}

// writePage writes the page to a file.
func (a *app) writePage(file string, r *officerReport) error {
	if file == "-" {
		return reportPage.Execute(a.out, r)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return usageError{fmt.Errorf("--html: %w", err)}
	}
	if err := errors.Join(reportPage.Execute(io.Writer(f), r), f.Close()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return a.tell(map[string]string{"html": file}, "%s: open it in a browser, or print it", file)
}

// officerReport gathers the report. An error beside a report says that the audit log
// does not verify.
func (i *installation) officerReport(ctx context.Context, asOf time.Time) (*officerReport, error) {
	p := i.policy
	r := &officerReport{Made: time.Now().UTC(), AsOf: asOf, Program: "lapse " + version(), Controller: p.Controller, DPO: p.DPO, Policy: jobs.PolicyRef(p)}
	status, err := i.overview(ctx, asOf)
	if err != nil {
		return nil, err
	}
	r.Status, r.Runs = status.Status, status.Runs
	for _, l := range status.Lag {
		r.Rules = append(r.Rules, ruleOf(p, l))
	}
	holds, err := i.store.Holds(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if h.InForce(asOf) {
			r.Holds = append(r.Holds, h)
		}
	}
	if r.Held, err = i.heldByMonth(ctx); err != nil {
		return nil, err
	}
	files, report, unverified := i.app.verified(ctx, auditFlags{}, nil)
	switch {
	case errors.Is(unverified, auditlog.ErrNoLog):
		return r, nil
	case report == nil:
		return nil, unverified
	}
	r.Audit = verificationReport{Verified: unverified == nil, Entries: report.Entries, OpenSteps: report.OpenSteps, Problems: report.Failures, Log: status.Audit.Log, Root: status.Audit.Root}
	if r.Done, err = doneByMonth(ctx, files, p.TimeZone.Location()); err != nil && unverified == nil {
		return nil, err
	}
	return r, unverified
}

// ruleOf adds to a rule what the policy says about it.
func ruleOf(p *config.Policy, l lagStatus) ruleReport {
	r := ruleReport{lagStatus: l}
	var w *config.Window
	var ok bool
	switch d, found := p.Dataset(l.Dataset); {
	case found:
		w, ok = d.Window(config.Trigger(l.Rule))
	case l.Dataset == sinks.TrainingDataset && p.Training != nil:
		w, ok = p.Training.Window(config.Trigger(l.Rule))
	default:
		r.Keep, r.Action, r.Clause, r.Rationale = p.Quarantine.Keep.String(), string(config.Erase), p.Quarantine.Clause, p.Quarantine.Rationale
	}
	if ok {
		r.Keep, r.Action, r.Clause, r.Rationale = w.Keep.String(), string(w.Action), w.Clause, w.Rationale
	}
	return r
}

// Overdue lists the rules by which something is due.
func (r *officerReport) Overdue() (rules []ruleReport) {
	for _, rule := range r.Rules {
		if rule.Steps > 0 {
			rules = append(rules, rule)
		}
	}
	return rules
}

// days writes a length of time for people.
func days(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
