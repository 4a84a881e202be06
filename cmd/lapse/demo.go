package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// demoMarker is the file by which a folder is known to be a demo's.
const demoMarker = ".lapse-demo"

func (a *app) demoCommand() *cobra.Command {
	d := &demo{app: a, traffic: traffic.Default()}
	d.traffic.AccessLines = 0 // a web server's log is for the user to try next
	c := &cobra.Command{
		Use:   "demo",
		Short: "Live through eighteen months of a made-up company's data",
		Long: `Makes up the telemetry and the training images of a company with 2,000
people over eighteen months, with the dirt of real traffic. Then runs the jobs as
of successive dates, on a real ClickHouse, and shows after each what is held,
published, suppressed, purged and proved.

The result stays in the folder, as an installation like any other:
  lapse -c demo/lapse.yaml query "SELECT name, count() FROM events GROUP BY name"`,
		Example: "  lapse demo\n  lapse demo --dir /tmp/demo --events 1000000",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	flags := c.Flags()
	flags.StringVar(&d.dir, "dir", "demo", "folder for the demo; what an earlier demo left there is removed")
	flags.IntVar(&d.traffic.People, "people", d.traffic.People, "number of people")
	flags.IntVar(&d.traffic.Events, "events", d.traffic.Events, "number of telemetry events")
	flags.IntVar(&d.traffic.Images, "images", d.traffic.Images, "number of training images")
	flags.Uint64Var(&d.traffic.Seed, "seed", d.traffic.Seed, "seed of the generator: the same seed makes the same data")
	return c
}

// demo is one run of `lapse demo`.
type demo struct {
	*app
	dir     string
	traffic traffic.Config
	truth   *traffic.Truth
	rows    [][]any
}

func (d *demo) run(ctx context.Context) error {
	began := time.Now()
	if err := d.prepareFolder(); err != nil {
		return err
	}
	if err := d.makeInput(ctx); err != nil {
		return err
	}
	i, err := d.open(ctx)
	if err != nil {
		return err
	}
	err = d.live(ctx, i)
	if err := errors.Join(err, i.Close()); err != nil {
		return err
	}
	return d.conclude(ctx, began)
}

// prepareFolder makes a new installation in the folder.
func (d *demo) prepareFolder() error {
	if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(d.dir, demoMarker)); err != nil {
			return usageError{fmt.Errorf("%s holds something that is not a demo's: name another folder with --dir", d.dir)}
		}
		if err := os.RemoveAll(d.dir); err != nil {
			return fmt.Errorf("remove the last demo: %w", err)
		}
	}
	quiet := *d.app
	quiet.out = io.Discard
	if err := quiet.initialise(d.dir, "demo/lapse"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, demoMarker), nil, 0o644); err != nil {
		return err
	}
	settings, err := config.LoadSettings(filepath.Join(d.dir, config.SettingsFile))
	d.settings = settings
	return err
}

// live runs the jobs as of successive dates.
func (d *demo) live(ctx context.Context, i *installation) error {
	if err := i.openLog(ctx); err != nil {
		return err
	}
	for _, date := range d.dates() {
		if err := d.runJobs(ctx, i, date); err != nil {
			return err
		}
		if err := d.show(ctx, i, date); err != nil {
			return err
		}
	}
	if d.output == "json" {
		return d.printJSON(asObjects(demoHeadings, d.rows))
	}
	return nil
}

// dates are the ends of the quarters of the data, and a day by which the window of
// all of it has passed.
func (d *demo) dates() []time.Time {
	var dates []time.Time
	end := d.traffic.Start.AddDate(0, d.traffic.Months, 0)
	for at := d.traffic.Start.AddDate(0, 3, 0); at.Before(end); at = at.AddDate(0, 3, 0) {
		dates = append(dates, at)
	}
	return append(dates, end, end.AddDate(0, 7, 0), end.AddDate(0, 13, 2))
}

func (d *demo) runJobs(ctx context.Context, i *installation, date time.Time) error {
	for _, kind := range []sinks.JobKind{sinks.JobIngest, sinks.JobAnonymise, sinks.JobPurge} {
		m := newMeter(d.errors, d.log, d.output == "json")
		job, err := i.job(ctx, runFlags{}, kind, d.inputsBefore(date), m)
		if err != nil {
			return err
		}
		report, err := i.runner(sinks.ActorDemo, m.observe(kind)).Run(ctx, job, date)
		m.stop()
		if err != nil {
			return err
		}
		if err := verdict(report, nil); err != nil {
			return err
		}
	}
	return nil
}

var demoHeadings = []string{"as of", "read", "stored", "quarantined", "duplicate", "personal rows", "published rows", "suppressed", "images held", "purged", "audit entries", "identifiers found"}

// show adds and prints the line of one date.
func (d *demo) show(ctx context.Context, i *installation, date time.Time) error {
	status, err := i.store.Status(ctx)
	if err != nil {
		return err
	}
	account, err := i.store.Account(ctx)
	if err != nil {
		return err
	}
	audit, err := d.verify(ctx)
	if err != nil {
		return err
	}
	found, err := d.searchPublished(ctx, i)
	if err != nil {
		return err
	}
	var personal, published, suppressed uint64
	for _, s := range status.Datasets {
		personal, published, suppressed = personal+s.Personal, published+s.Published, suppressed+s.Suppressed
	}
	row := []any{
		date.Format(time.DateOnly), account.Read, account.Stored, account.Quarantined, account.Duplicate,
		personal, published, suppressed, status.Items, status.Purged, uint64(audit.Entries), uint64(found),
	}
	d.rows = append(d.rows, row)
	if d.output != "json" {
		d.printLine(row)
	}
	return nil
}

// verify verifies the audit log as an auditor would: from its files.
func (d *demo) verify(ctx context.Context) (*auditlog.Report, error) {
	key, err := auditlog.LoadVerifier(d.settings.AuditPublicKey())
	if err != nil {
		return nil, err
	}
	files, err := d.auditFiles("")
	if err != nil {
		return nil, err
	}
	return auditlog.Verify(ctx, files, key, auditlog.VerifyOptions{})
}

// conclude says what there is to look at.
func (d *demo) conclude(ctx context.Context, began time.Time) error {
	report, err := d.verify(ctx)
	if err != nil || d.output == "json" {
		return err
	}
	settings := filepath.Join(d.dir, config.SettingsFile)
	d.say("\nverified audit log: %d entries, %d intents, %d outcomes, %d open (%s in all)",
		report.Entries, report.Intents, report.Outcomes, report.OpenSteps, time.Since(began).Round(100*time.Millisecond))
	d.say("\nLook around:")
	d.say("  lapse -c %s status", settings)
	d.say("  lapse -c %s query \"SELECT page, count() AS views FROM events GROUP BY page ORDER BY views DESC LIMIT 10\"", settings)
	d.say("  lapse -c %s audit log --action purge_item", settings)
	d.say("  lapse audit verify --dir %s --key %s", d.settings.AuditDir(), d.settings.AuditPublicKey())
	return nil
}
