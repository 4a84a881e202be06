package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// errCopyDiffers means that the copy of the audit log in ClickHouse is not what the
// log says.
var errCopyDiffers = errors.New("the copy of the audit log in ClickHouse differs from it")

// verifyFlags are those of `lapse audit verify`.
type verifyFlags struct {
	auditFlags
	since   string
	anchors []string
	copy    bool
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify [CERTIFICATE|RECEIPT|PROOF]",
		Short: "Verify the audit log offline, with nothing but its public key, or what it proves",
		Long: `Checks the signature, rebuilds the root hash from the entries, and compares every
file with it; checks that every entry is well formed, that every outcome has its
intent, and that time never runs backwards. Needs neither ClickHouse nor settings:
give --dir and --key on any machine that has a copy of the log. A log in a bucket is
verified where it lies, with the settings or, without, LAPSE_AUDIT_S3_ENDPOINT,
LAPSE_AUDIT_S3_BUCKET, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

A log that was rolled back as a whole, or written anew by the holder of its key,
verifies by itself. That shows against a checkpoint that was kept elsewhere: give
the one you have with --since, or all that 'lapse audit witness' has put away with
--anchors; each a file or a URL.

With --copy the entries are also compared with their copy in ClickHouse, and those
that are missing there are copied.

With a certificate of destruction, a receipt or a proof, that alone is verified, as 'lapse
audit check' does.

Ends with 0 if the log verifies and with 7, naming each file and entry that does
not, if not. Any other exit code means that there is no verdict.`,
		Example: `  lapse audit verify
  lapse audit verify --dir /media/audit --key audit.key.pub
  lapse audit verify --since checkpoint-of-last-year --anchors https://witness.example.com/lapse/2027/1234
  lapse audit verify --copy --output json
  lapse audit verify certificate.html --key audit.key.pub`,
		Args: atMostOne(),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.verifyAudit(c.Context(), f)
			}
			if f.dir != "" || f.since != "" || len(f.anchors) > 0 || f.copy {
				return usageError{errors.New("a certificate, a receipt or a proof is verified with the log's public key alone: only --key goes with it")}
			}
			var keys []string
			if f.key != "" {
				keys = append(keys, f.key)
			}
			return a.checkProof(args[0], keys, objectName{})
		},
	}
	f.register(c)
	c.Flags().StringVar(&f.since, "since", "", "a checkpoint of before (file or URL): the log must be a continuation of it")
	c.Flags().StringArrayVar(&f.anchors, "anchors", nil, "checkpoints that were witnessed (file or URL); can be repeated")
	c.Flags().BoolVar(&f.copy, "copy", false, "compare the log with its copy in ClickHouse, too")
	return c
}

// auditVerdict is what `lapse audit verify` says.
type auditVerdict struct {
	Verified bool `json:"verified"`
	*auditlog.Report
	Copy *jobs.AuditComparison `json:"copy,omitempty"`
}

func (a *app) verifyAudit(ctx context.Context, f verifyFlags) error {
	files, err := a.auditFiles(f.dir)
	if err != nil {
		return err
	}
	key, err := a.firstPublicKey(f.key)
	if err != nil {
		return err
	}
	places := f.anchors
	if f.since != "" {
		places = append(places, f.since)
	}
	anchors, err := loadAnchors(ctx, places)
	if err != nil {
		return err
	}
	report, verdict := auditlog.Verify(ctx, files, key, auditlog.VerifyOptions{Anchors: anchors})
	if report == nil {
		return verdict
	}
	v := &auditVerdict{Verified: verdict == nil, Report: report}
	if f.copy {
		if v.Copy, err = a.compareCopy(ctx, files, v.Verified); err != nil {
			return errors.Join(verdict, a.printVerdict(v), err)
		}
		if !v.Copy.Agrees() && v.Verified {
			verdict = fmt.Errorf("%w: %d entries differ, %d are extra, %d are missing", errCopyDiffers, v.Copy.Differing, v.Copy.Extra, v.Copy.Missing-v.Copy.Copied)
		}
	}
	return errors.Join(verdict, a.printVerdict(v))
}

// loadAnchors reads checkpoints from files and URLs. A place that holds none is
// refused: whoever names it expects one.
func loadAnchors(ctx context.Context, places []string) ([]auditlog.Anchor, error) {
	var all []auditlog.Anchor
	for _, place := range places {
		var anchors []auditlog.Anchor
		var err error
		if isURL(place) {
			anchors, err = auditlog.FetchAnchors(ctx, witnessClient, place)
		} else {
			anchors, err = auditlog.LoadAnchors(place)
		}
		if err != nil {
			return nil, err
		}
		if len(anchors) == 0 {
			return nil, usageError{fmt.Errorf("load anchors: %s holds no checkpoint", place)}
		}
		all = append(all, anchors...)
	}
	return all, nil
}

// witnessClient talks to the place where checkpoints are put away.
var witnessClient = &http.Client{Timeout: time.Minute}

func isURL(place string) bool {
	return strings.HasPrefix(place, "https://") || strings.HasPrefix(place, "http://")
}

// compareCopy compares the log with the installation's ClickHouse. A copy is only
// completed from a log that verifies.
func (a *app) compareCopy(ctx context.Context, files auditlog.Files, complete bool) (*jobs.AuditComparison, error) {
	i, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	c, err := i.auditCopier(files).Compare(ctx, complete)
	return c, errors.Join(err, i.Close())
}

func (a *app) printVerdict(v *auditVerdict) error {
	if a.output == "json" {
		return a.printJSON(v)
	}
	for _, p := range v.Problems {
		a.say("%s", p)
	}
	if more := v.Failures - int64(len(v.Problems)); more > 0 {
		a.say("… and %d more", more)
	}
	for _, y := range v.Years {
		a.say("%s/%d: %d entries, root %s", y.Log, y.Year, y.Size, y.Root)
	}
	if len(v.Keys) > 1 {
		a.say("the key was rotated %d times; the last is %s", len(v.Keys)-1, v.Keys[len(v.Keys)-1])
	}
	if v.OpenSteps > 0 {
		a.say("%d steps were announced and have not ended: they were interrupted, or are being done", v.OpenSteps)
	}
	a.printComparison(v.Copy)
	if !v.Verified {
		a.say("NOT VERIFIED: %d problems", v.Failures)
		return nil
	}
	if v.Anchors > 0 {
		a.say("continues %d earlier checkpoints", v.Anchors)
	}
	a.say("verified: %d entries, %d intents, %d outcomes", v.Entries, v.Intents, v.Outcomes)
	return nil
}

func (a *app) printComparison(c *jobs.AuditComparison) {
	if c == nil {
		return
	}
	for _, d := range c.Differences {
		if d.What != jobs.AuditMissing || c.Copied == 0 {
			a.say("copy: entry %d/%d %s", d.Year, d.Index, d.What)
		}
	}
	if c.Copied > 0 {
		a.say("copy: %d entries were missing and have been copied", c.Copied)
	}
	if c.Agrees() {
		a.say("copy: holds the %d entries of the log", c.Entries)
		return
	}
	a.say("copy: %d entries differ, %d are extra, %d are missing of the log's %d", c.Differing, c.Extra, c.Missing-c.Copied, c.Entries)
	a.say("copy: it is for search and proves nothing; once you know whose hand this was, empty the table audit, and the next run copies the log anew")
}
