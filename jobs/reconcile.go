package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Reconcile compares the buckets with the training register, both ways. What the
// register does not know is noted when it is first seen, and deleted once the policy's
// time has passed; all else is reported and left to people.
//
// It looks at the buckets that the policy's rule for strays names, and at those that the
// register names; strays are deleted from the former only. Where a bucket can hold what
// no reader meets, that is looked for, too. Keys are in its findings and nowhere else.
type Reconcile struct {
	Policy    *config.Policy
	Inventory sinks.TrainingInventory
	Buckets   map[string]sinks.Bucket
	// Holds are the legal holds. It may be nil.
	Holds sinks.HoldRegister
	// Contents says that objects with a registered digest are read and held against it.
	Contents bool

	buckets map[string]*reconciled
	strays  map[sinks.ID]sinks.Object // that are due, by their ids
}

var _ Job = (*Reconcile)(nil)

// Kinds of findings.
const (
	FoundStray   = "unregistered"         // in the bucket, not in the register
	FoundHidden  = "unregistered, hidden" // earlier versions, markers or unfinished uploads of such
	FoundMissing = "missing"              // in the register, not in the bucket
	FoundSize    = "other size"           // than registered
	FoundContent = "other content"        // than registered
	FoundOrphan  = "without its item"     // a derivative whose item is not in the bucket
)

// Finding is something that a bucket and the register do not agree about.
type Finding struct {
	Bucket string    `json:"bucket"`
	What   string    `json:"what"`
	Key    string    `json:"key"`
	Item   sinks.ID  `json:"item,omitzero"`
	Since  time.Time `json:"first_seen,omitzero"` // of what is unregistered
}

// The findings that are told and the strays that are deleted in one run are bounded, so
// that memory is; the counts are of all.
const (
	findingsTold  = 10_000
	straysPurged  = 100_000
	missingOrphan = 10_000 // missing items whose derivatives are looked for
)

// reconciled is what was found in one bucket.
type reconciled struct {
	counts   map[sinks.Count]uint64
	past     uint64     // strays whose time has passed
	fresh    []sinks.ID // strays that were never seen before
	due      []Step
	findings []Finding
	missing  map[sinks.ID]bool // items
}

// Kind implements Job.
func (*Reconcile) Kind() sinks.JobKind { return sinks.JobReconcile }

// Batch implements Job.
func (*Reconcile) Batch(steps []Step) int {
	n := slices.IndexFunc(steps, func(s Step) bool { return s.Action != sinks.ActionPurgeStray || s.Bucket != steps[0].Bucket })
	if n < 0 {
		n = len(steps)
	}
	return min(max(n, 1), purgeTogether)
}

// Parallel implements Job.
func (*Reconcile) Parallel() int { return 1 }

// Findings returns what was found, bucket by bucket.
func (j *Reconcile) Findings() (all []Finding) {
	for _, name := range slices.Sorted(maps.Keys(j.buckets)) {
		all = append(all, j.buckets[name].findings...)
	}
	return all
}

// Plan implements Job. It lists the buckets.
func (j *Reconcile) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	if j.Policy.Training == nil {
		return nil, nil
	}
	j.buckets, j.strays = map[string]*reconciled{}, map[sinks.ID]sinks.Object{}
	names, err := j.named(ctx)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, name := range names {
		r, err := j.compare(ctx, name, now)
		if err != nil {
			return nil, fmt.Errorf("reconcile bucket %s: %w", name, err)
		}
		j.buckets[name] = r
		steps = append(steps, Step{
			ID:     sinks.HashID(j.Policy.Name, string(sinks.ActionReconcile), name),
			Action: sinks.ActionReconcile, Bucket: name, Clause: j.Policy.Training.Clause, Reason: "compared with the register",
			Rows: r.counts[sinks.CountRead],
		})
		purge, err := j.limit(ctx, r, now)
		if err != nil {
			return nil, err
		}
		steps = append(steps, purge...)
	}
	return steps, nil
}

// named returns the buckets to be compared: each must be in the settings.
func (j *Reconcile) named(ctx context.Context) ([]string, error) {
	names, err := j.Inventory.KnownBuckets(ctx)
	if err != nil {
		return nil, err
	}
	if rule := j.Policy.Training.Strays; rule != nil {
		names = append(names, rule.Buckets...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if j.Buckets[name] == nil {
			return nil, fmt.Errorf("%w: the policy (training.strays.buckets) or the training register names the bucket %q, and the settings do not: add it to their buckets", sinks.ErrInvalidInput, name)
		}
	}
	return names, nil
}

// limit returns the steps that delete strays; blocked if they would take too much, or
// may be under hold.
func (j *Reconcile) limit(ctx context.Context, r *reconciled, now time.Time) ([]Step, error) {
	rule := j.Policy.Training.Strays
	if rule == nil || len(r.due) == 0 {
		return nil, nil
	}
	holds, err := j.holds(ctx, now)
	if err != nil {
		return nil, err
	}
	total := r.counts[sinks.CountRead]
	for i := range r.due {
		switch s := &r.due[i]; {
		case float64(r.past) > rule.MaxShare*float64(total):
			s.Blocked = fmt.Sprintf("%d of %d objects would go, more than the max_share of %g: register what belongs there, or allow for it in the policy (training.strays)", r.past, total, rule.MaxShare)
		case mayBeHeld(holds, j.strays[s.Item].Modified):
			s.Blocked = underHold
		}
	}
	return r.due, nil
}

// comparison goes through a bucket's listing beside the register.
type comparison struct {
	*Reconcile
	*reconciled
	name string
	now  time.Time
	seen map[sinks.ID]time.Time // when strays were first seen
}

// compare compares one bucket with the register.
func (j *Reconcile) compare(ctx context.Context, name string, now time.Time) (*reconciled, error) {
	seen, err := j.Inventory.Strays(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &comparison{j, &reconciled{counts: map[sinks.Count]uint64{}, missing: map[sinks.ID]bool{}}, name, now, seen}
	listing := list(ctx, j.Buckets[name])
	defer listing.stop()
	object, there := listing.next()
	err = j.Inventory.EachKnown(ctx, name, func(k sinks.KnownObject) error {
		for there && object.Key < k.Key {
			c.unknown(FoundStray, object)
			object, there = listing.next()
		}
		if !there && listing.err != nil {
			return listing.err
		}
		if !there || object.Key != k.Key {
			c.absent(k)
			return nil
		}
		found := object
		object, there = listing.next()
		return c.known(ctx, k, found)
	})
	for err == nil && there {
		c.unknown(FoundStray, object)
		object, there = listing.next()
	}
	if err = errors.Join(err, listing.err); err != nil {
		return nil, err
	}
	if err := c.findHidden(ctx); err != nil {
		return nil, err
	}
	return c.reconciled, c.findOrphans(ctx)
}

// findHidden looks for what no reader meets and the register does not know.
func (c *comparison) findHidden(ctx context.Context) error {
	bucket, ok := c.Buckets[c.name].(sinks.HidingBucket)
	if !ok {
		return nil
	}
	objects := map[string]sinks.Object{}
	compare := func() error {
		keys := slices.Sorted(maps.Keys(objects))
		registered, err := c.Inventory.KnownKeys(ctx, c.name, keys)
		for _, key := range keys {
			if err == nil && !registered[key] {
				c.unknown(FoundHidden, objects[key])
			}
		}
		clear(objects)
		return err
	}
	err := bucket.Hidden(ctx, func(o sinks.Object) error {
		if objects[o.Key] = o; len(objects) < sinks.DeleteTogether {
			return nil
		}
		return compare()
	})
	if err != nil || len(objects) == 0 {
		return err
	}
	return compare()
}

// unknown takes an object that the register does not know.
func (c *comparison) unknown(what string, o sinks.Object) {
	c.counts[sinks.CountRead]++
	c.counts[sinks.CountStrays]++
	id := sinks.HashID(c.name, o.Key, fmt.Sprint(o.Bytes), o.Modified.UTC().Format(time.RFC3339Nano))
	first, before := c.seen[id]
	if !before {
		c.fresh = append(c.fresh, id)
		first = c.now
	}
	c.tell(Finding{What: what, Key: o.Key, Since: first})
	rule := c.Policy.Training.Strays
	if rule == nil || !before || !slices.Contains(rule.Buckets, c.name) {
		return
	}
	due := rule.Keep.After(first, c.Policy.TimeZone.Location())
	if due.After(c.now) || !first.Before(c.now) {
		return
	}
	if c.past++; c.past > straysPurged {
		return
	}
	c.strays[id] = o
	c.due = append(c.due, Step{
		ID:     sinks.HashID(c.Policy.Name, c.Policy.Version, string(sinks.ActionPurgeStray), id.String()),
		Action: sinks.ActionPurgeStray, Bucket: c.name, Item: id, Rule: sinks.RuleUnregistered, Clause: rule.Clause, Due: due,
		Reason: "not in the register on " + sinks.DayOf(first).String() + ", nor since", Bytes: uint64(o.Bytes),
	})
}

// absent takes what the register expects and the bucket does not show. What was made
// from an item may never have been.
func (c *comparison) absent(k sinks.KnownObject) {
	if k.Derivative {
		return
	}
	c.counts[sinks.CountMissing]++
	if len(c.missing) < missingOrphan {
		c.missing[k.Item] = true
	}
	c.tell(Finding{What: FoundMissing, Key: k.Key, Item: k.Item})
}

// known compares an object with its registration.
func (c *comparison) known(ctx context.Context, k sinks.KnownObject, o sinks.Object) error {
	c.counts[sinks.CountRead]++
	if k.Derivative {
		return nil
	}
	if k.Bytes > 0 && int64(k.Bytes) != o.Bytes {
		c.counts[sinks.CountDiffering]++
		c.tell(Finding{What: FoundSize, Key: k.Key, Item: k.Item})
		return nil
	}
	if !c.Contents || k.SHA256 == "" {
		return nil
	}
	digest, err := digestOf(ctx, c.Buckets[c.name], k.Key)
	if errors.Is(err, sinks.ErrSourceMissing) { // deleted since it was listed
		return nil
	}
	if err != nil {
		return err
	}
	if !strings.EqualFold(digest, k.SHA256) {
		c.counts[sinks.CountDiffering]++
		c.tell(Finding{What: FoundContent, Key: k.Key, Item: k.Item})
	}
	return nil
}

// digestOf reads an object and returns its SHA-256.
func digestOf(ctx context.Context, b sinks.Bucket, key string) (string, error) {
	readable, ok := b.(sinks.ReadableBucket)
	if !ok {
		return "", errors.New("the objects of this bucket cannot be read")
	}
	in, err := readable.Get(ctx, key)
	if err != nil {
		return "", err
	}
	defer in.Close() //nolint:errcheck // read only
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// findOrphans looks for what was made from items that are missing.
func (c *comparison) findOrphans(ctx context.Context) error {
	if len(c.missing) == 0 {
		return nil
	}
	items := map[string]sinks.ID{}
	err := c.Inventory.EachKnown(ctx, c.name, func(k sinks.KnownObject) error {
		if k.Derivative && c.missing[k.Item] {
			items[k.Key] = k.Item
		}
		return nil
	})
	if err != nil || len(items) == 0 {
		return err
	}
	found := map[string]bool{}
	err = c.Buckets[c.name].Versions(ctx, slices.Sorted(maps.Keys(items)), func(v sinks.Version) error {
		if v.Kind == sinks.ObjectVersion && v.Latest {
			found[v.Key] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		c.counts[sinks.CountOrphans]++
		c.tell(Finding{What: FoundOrphan, Key: key, Item: items[key]})
	}
	return nil
}

func (c *comparison) tell(f Finding) {
	if f.Bucket = c.name; len(c.findings) < findingsTold {
		c.findings = append(c.findings, f)
	}
}
