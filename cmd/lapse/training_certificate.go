package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// certificateFormat is the version of a certificate's JSON.
const certificateFormat = 1

// certificate says what was destroyed, when, why, under which policy, and proves it by
// entries of the audit log. It names nobody whose data it was.
type certificate struct {
	Format     int             `json:"certificate_of_destruction"`
	Issued     time.Time       `json:"issued"` // UTC
	Program    string          `json:"program"`
	Controller config.Party    `json:"controller"`
	DPO        config.Party    `json:"data_protection_officer"`
	Policy     sinks.PolicyRef `json:"policy"` // that was carried out
	Run        sinks.ID        `json:"run"`
	AsOf       time.Time       `json:"as_of"` // the time the policy was evaluated for, UTC
	Log        string          `json:"log"`   // name of the audit log
	Keys       []string        `json:"keys"`  // its public keys; compare them with those you were given
	Totals     destroyed       `json:"totals"`
	ByRule     []destroyedRule `json:"by_rule"`
	Models     []affectedModel `json:"models"`
	Items      []certifiedItem `json:"items"`
	// Kept are items of the run that were not destroyed; they are still due.
	Kept []keptItem `json:"not_destroyed,omitempty"`
}

// destroyed counts what is gone.
type destroyed struct {
	Items   uint64 `json:"items"`
	Objects uint64 `json:"objects"` // items and what was made from them
	Bytes   uint64 `json:"bytes"`   // of the items, as registered or as their buckets had them
}

type destroyedRule struct {
	Rule      sinks.Rule `json:"rule"`
	Clause    string     `json:"clause"`
	Rationale string     `json:"rationale,omitempty"` // of today's policy, if it has the rule
	destroyed
}

// certifiedItem is one tombstone. What its proof shows is all but the time of the
// upload and the models, which are the register's.
type certifiedItem struct {
	Item     sinks.ID          `json:"item"`             // id of the tombstone, random
	Object   sinks.Digest      `json:"object,omitzero"`  // of which object it is, for who has the opening
	Opening  sinks.Digest      `json:"opening,omitzero"` // where the object was asked for by its name
	Rule     sinks.Rule        `json:"rule"`
	Clause   string            `json:"clause"`
	Due      time.Time         `json:"due"` // since when, UTC
	Uploaded time.Time         `json:"uploaded"`
	Objects  uint64            `json:"objects"`
	Bytes    uint64            `json:"bytes"`
	Stages   []sinks.StageTime `json:"stages"`
	Models   []string          `json:"models,omitempty"`
	Entry    string            `json:"entry"` // its place in the audit log
	Proof    string            `json:"proof"` // https://c2sp.org/tlog-proof, for 'lapse audit check'
}

type keptItem struct {
	Item  sinks.ID         `json:"item"`
	Rule  sinks.Rule       `json:"rule"`
	Error sinks.ErrorClass `json:"error"`
	Until time.Time        `json:"locked_until,omitzero"` // by its store, at least, UTC
}

func (a *app) trainingCertificateCommand() *cobra.Command {
	var run, item, file string
	var object objectName
	var asPage bool
	c := &cobra.Command{
		Use:   "certificate --run ID | --item ID | --object KEY",
		Short: "Certify what was destroyed, with proofs that anyone can check offline",
		Long: `Writes a certificate of destruction: what was deleted (counts, sizes, ids of tombstones),
when, by which rule and clause, under which version of the policy, which models were
trained on it and what that means for them, and for each item a proof that the audit
log says so. It names the data protection officer, and nobody whose data it was.

Who asks for an object by its name (--object) gets in the certificate what shows that it
is of that object: 'lapse audit check FILE --object KEY' says so, offline. No certificate
names the object itself.

As JSON (--output json), as a page that stands alone (--html), or in short. 'lapse audit
check FILE' checks either offline, with the log's public key alone.`,
		Example: `  lapse training certificate --item 4be0643f1d98573b97cdca98a65347dd --html --to-file certificate.html
  lapse training certificate --run 0f7a1c20d6b4417cbd1b6a7a3f1e9c55 --output json --to-file certificate.json
  lapse training certificate --object o1/img-1.jpg --html --to-file certificate.html
  lapse audit check certificate.html --key audit.key.pub`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			wanted := certified{object: object}
			var err error
			switch {
			case run != "":
				if err = wanted.run.UnmarshalText([]byte(run)); err != nil {
					err = usageError{fmt.Errorf("--run: %w", err)}
				}
			case item != "":
				wanted.item, err = parseItem(item)
			case object.key == "":
				err = usageError{errors.New("name what to certify, with --run ID, --item ID or --object KEY; 'lapse audit log --action purge_item' shows the ids")}
			}
			if err != nil {
				return err
			}
			certified, err := a.certify(c.Context(), wanted)
			if err != nil {
				return err
			}
			return a.writeCertificate(certified, asPage, file)
		},
	}
	c.Flags().StringVar(&run, "run", "", "everything that this run destroyed")
	c.Flags().StringVar(&item, "item", "", "this item alone")
	object.register(c, "the item that was this object, by its key")
	c.MarkFlagsMutuallyExclusive("run", "item", "object")
	c.Flags().BoolVar(&asPage, "html", false, "as a page for people, with the same content for programs in it")
	c.Flags().StringVar(&file, "to-file", "", "write it to this file")
	return c
}

// certified says what a certificate is to be about: one of these.
type certified struct {
	run, item sinks.ID
	object    objectName
}

// objectName names an object of a bucket.
type objectName struct{ bucket, key string }

func (o *objectName) register(c *cobra.Command, usage string) {
	c.Flags().StringVar(&o.key, "object", "", usage)
	c.Flags().StringVar(&o.bucket, "bucket", "training", "the bucket of --object, as the settings named it")
}

// items returns the items that are asked for, with the openings of those that were asked
// for by name; none at all for a whole run.
func (w certified) items(ctx context.Context, i *installation) (map[sinks.ID]sinks.Digest, error) {
	items := map[sinks.ID]sinks.Digest{}
	if !w.item.IsZero() {
		items[w.item] = sinks.Digest{}
	}
	if w.object.key == "" {
		return items, nil
	}
	key, err := i.keys.Secret(sinks.TombstoneLedger)
	if err != nil {
		return nil, err
	}
	err = i.store.EachItem(ctx, time.Now(), nil, sinks.TrainingFilter{State: sinks.TrainingPurged}, func(e sinks.TrainingEntry) error {
		if opening := key.Opening(e.Item); !e.Object.IsZero() && e.Object == sinks.ObjectDigest(opening, w.object.bucket, w.object.key) {
			items[e.Item] = opening
		}
		return nil
	})
	if err == nil && len(items) == 0 {
		err = usageError{errors.New("no tombstone is of this object: it was never registered, has not been purged, or was in another bucket (--bucket)")}
	}
	return items, err
}

// certify makes the certificate of a run, or of items.
func (a *app) certify(ctx context.Context, wanted certified) (*certificate, error) {
	i, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer i.Close() //nolint:errcheck // nothing was written
	items, err := wanted.items(ctx, i)
	if err != nil {
		return nil, err
	}
	files, report, err := a.verified(ctx, auditFlags{}, nil)
	if err != nil {
		return nil, err
	}
	key, err := auditlog.ParseVerifier(report.Keys[0])
	if err != nil {
		return nil, err
	}
	c := &certificate{
		Format: certificateFormat, Issued: time.Now().UTC().Truncate(time.Second), Program: "lapse " + version(), Log: key.Name(), Keys: report.Keys,
		Controller: i.policy.Controller, DPO: i.policy.DPO, Models: []affectedModel{},
	}
	var done []auditlog.Record
	for r, err := range auditlog.Entries(ctx, files, auditlog.Filter{Run: wanted.run, Action: sinks.ActionPurgeItem}) {
		if err != nil {
			return nil, err
		}
		e := r.Entry
		_, asked := items[e.Item]
		switch {
		case e.Phase != sinks.Outcome || len(items) > 0 && !asked:
		case e.Result == sinks.ResultDone || e.Result == sinks.ResultUnchanged:
			// The first of an item says when; a repetition found nothing left to do.
			if !asked || !slices.ContainsFunc(done, func(d auditlog.Record) bool { return d.Entry.Item == e.Item }) {
				done = append(done, r)
			}
		case !asked && e.Result == sinks.ResultFailed:
			c.Kept = append(c.Kept, keptItem{e.Item, e.Rule, e.Error, e.Locked})
		}
	}
	if len(done) == 0 {
		return nil, usageError{errors.New("the audit log knows of nothing that was destroyed: 'lapse audit log --action purge_item' shows what was")}
	}
	if err := c.addItems(ctx, files, i.store, done, items); err != nil {
		return nil, err
	}
	c.addUp(i.policy)
	return c, nil
}

// stonesAtOnce is how many tombstones are looked up together.
const stonesAtOnce = 10_000

// addItems adds items with their proofs.
func (c *certificate) addItems(ctx context.Context, files auditlog.Files, register sinks.TrainingRegister, done []auditlog.Record, openings map[sinks.ID]sinks.Digest) error {
	first := done[0].Entry
	c.Policy, c.Run, c.AsOf = first.Policy, first.Run, first.AsOf
	for len(done) > 0 {
		some := done[:min(stonesAtOnce, len(done))]
		done = done[len(some):]
		ids := make([]sinks.ID, len(some))
		for n, r := range some {
			ids[n] = r.Entry.Item
		}
		stones, err := register.Tombstones(ctx, ids)
		if err != nil {
			return err
		}
		for _, r := range some {
			e := r.Entry
			stone, known := stones[e.Item]
			if !known {
				return fmt.Errorf("item %s has no tombstone, though the audit log says that it was purged", e.Item)
			}
			proof, err := auditlog.Prove(ctx, files, r.Position)
			if err != nil {
				return err
			}
			c.Items = append(c.Items, certifiedItem{
				Item: e.Item, Object: e.Object, Opening: openings[e.Item], Rule: e.Rule, Clause: clauseText(e.Clause), Due: e.Due, Uploaded: stone.UploadedAt,
				Objects: e.Counts[sinks.CountObjects] + e.Counts[sinks.CountDerivatives], Bytes: e.Counts[sinks.CountBytes],
				Stages: e.Stages, Models: stone.Models, Entry: r.Position.String(), Proof: string(proof),
			})
		}
	}
	return nil
}

// writeCertificate writes a certificate as it was asked for.
func (a *app) writeCertificate(c *certificate, asPage bool, file string) error {
	out := a.out
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return usageError{fmt.Errorf("--to-file: %w", err)}
		}
		defer f.Close() //nolint:errcheck // closed below, too
		out = f
		if err := errors.Join(a.certificateTo(out, c, asPage), f.Close()); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
		_, _ = fmt.Fprintf(a.errors, "%s certifies %d items; check it with 'lapse audit check %s'\n", file, len(c.Items), file)
		return nil
	}
	return a.certificateTo(out, c, asPage)
}

func (a *app) certificateTo(out io.Writer, c *certificate, asPage bool) error {
	switch {
	case asPage:
		return certificatePage.Execute(out, c)
	case a.output == "json":
		return (&app{out: out}).printJSON(c)
	}
	(&app{out: out}).printCertificate(c)
	return nil
}
