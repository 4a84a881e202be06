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

	"github.com/facesoft/lapse/sinks"
)

// comparison goes through a bucket's listing beside the register.
type comparison struct {
	*Reconcile
	*reconciled
	name string
	now  time.Time
	seen map[sinks.ID]time.Time // when strays were first seen
	own  belongings
	// unlisted are objects that are not registered; what was made from an item may be
	// among them.
	unlisted []sinks.Object
}

// compare compares one bucket with the register.
func (j *Reconcile) compare(ctx context.Context, name string, now time.Time) (*reconciled, error) {
	seen, err := j.Inventory.Strays(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &comparison{j, &reconciled{counts: map[sinks.Count]uint64{}, missing: map[sinks.ID]string{}}, name, now, seen, j.belongings(name), nil}
	listing := list(ctx, j.Buckets[name])
	defer listing.stop()
	object, there := listing.next()
	err = j.Inventory.EachKnown(ctx, name, func(k sinks.KnownObject) error {
		for there && object.Key < k.Key {
			if err := c.notRegistered(ctx, object); err != nil {
				return err
			}
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
		err = c.notRegistered(ctx, object)
		object, there = listing.next()
	}
	if err = errors.Join(err, listing.err); err != nil {
		return nil, err
	}
	for _, rest := range []func(context.Context) error{c.tellStrays, c.findHidden, c.findOrphans} {
		if err := rest(ctx); err != nil {
			return nil, err
		}
	}
	return c.reconciled, nil
}

// notRegistered takes an object that is not registered.
func (c *comparison) notRegistered(ctx context.Context, o sinks.Object) error {
	if c.unlisted = append(c.unlisted, o); len(c.unlisted) < sinks.DeleteTogether {
		return nil
	}
	return c.tellStrays(ctx)
}

// tellStrays tells those of the objects that were not made from an item either.
func (c *comparison) tellStrays(ctx context.Context) error {
	keys := make([]string, len(c.unlisted))
	for i, o := range c.unlisted {
		keys[i] = o.Key
	}
	made, err := c.own.derived(ctx, keys)
	if err != nil {
		return err
	}
	for _, o := range c.unlisted {
		if _, ok := made[o.Key]; ok {
			c.counts[sinks.CountRead]++
		} else {
			c.unknown(FoundStray, o)
		}
	}
	c.unlisted = c.unlisted[:0]
	return nil
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
		owned, err := c.own.of(ctx, keys)
		for _, key := range keys {
			if _, ok := owned[key]; err == nil && !ok {
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
		c.missing[k.Item] = k.Key
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
		if _, missing := c.missing[k.Item]; missing && k.Derivative {
			items[k.Key] = k.Item
		}
		return nil
	})
	if err != nil {
		return err
	}
	found := map[string]sinks.ID{}
	if len(items) > 0 {
		err = c.Buckets[c.name].Versions(ctx, slices.Sorted(maps.Keys(items)), func(v sinks.Version) error {
			if v.Kind == sinks.ObjectVersion && v.Latest {
				found[v.Key] = items[v.Key]
			}
			return nil
		})
	}
	if err = errors.Join(err, c.findMade(ctx, found)); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		c.counts[sinks.CountOrphans]++
		c.tell(Finding{What: FoundOrphan, Key: key, Item: found[key]})
	}
	return nil
}

// findMade finds what was made, by the policy's rules, from items that are missing.
func (c *comparison) findMade(ctx context.Context, found map[string]sinks.ID) error {
	for _, item := range slices.Sorted(maps.Values(c.missing)) {
		for _, prefix := range c.own.under(item) {
			var keys []string
			compare := func() error {
				made, err := c.own.derived(ctx, keys)
				for key, o := range made {
					if _, missing := c.missing[o.Item]; missing && len(found) < findingsTold {
						found[key] = o.Item
					}
				}
				keys = keys[:0]
				return err
			}
			err := c.Buckets[c.name].List(ctx, prefix, func(o sinks.Object) error {
				if keys = append(keys, o.Key); len(keys) < sinks.DeleteTogether {
					return nil
				}
				return compare()
			})
			if err = errors.Join(err, compare()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparison) tell(f Finding) {
	if f.Bucket = c.name; len(c.findings) < findingsTold {
		c.findings = append(c.findings, f)
	}
}
