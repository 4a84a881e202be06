package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// belongings tells what belongs to the training items of a bucket: what is registered,
// and what was made from them by the policy's rules.
type belongings struct {
	register sinks.TrainingInventory
	rules    []config.DerivativeRule
	name     string // of the bucket
}

// of returns those of the keys that belong to an item. By the rules an object belongs to
// the item under whose prefix, of all that are registered, it lies deepest; of two under
// the same prefix, to that whose key comes first.
func (b *belongings) of(ctx context.Context, keys []string) (map[string]sinks.KnownObject, error) {
	asked := slices.Clone(keys)
	for _, key := range keys {
		for _, rule := range b.rules {
			asked = append(asked, rule.Items(key)...)
		}
	}
	slices.Sort(asked)
	registered, err := b.register.Expected(ctx, b.name, slices.Compact(asked))
	if err != nil {
		return nil, err
	}
	owned := map[string]sinks.KnownObject{}
	for _, key := range keys {
		if o, ok := registered[key]; ok {
			owned[key] = o
		} else if item, ok := b.maker(registered, key); ok {
			owned[key] = sinks.KnownObject{Key: key, Item: item.Item, Derivative: true, ByRule: true}
		}
	}
	return owned, nil
}

// derived returns those of the keys that are not registered but were made from an item.
func (b *belongings) derived(ctx context.Context, keys []string) (map[string]sinks.KnownObject, error) {
	if len(b.rules) == 0 || len(keys) == 0 {
		return nil, nil
	}
	owned, err := b.of(ctx, keys)
	maps.DeleteFunc(owned, func(_ string, o sinks.KnownObject) bool { return !o.ByRule })
	return owned, err
}

// maker returns the item from which an object was made that is not registered.
func (b *belongings) maker(registered map[string]sinks.KnownObject, key string) (maker sinks.KnownObject, ok bool) {
	depth := 0
	for _, rule := range b.rules {
		for _, item := range rule.Items(key) {
			o, there := registered[item]
			if !there || o.Derivative {
				continue
			}
			if n := len(rule.Prefix(item)); n > depth || n == depth && item < maker.Key {
				maker, depth, ok = o, n, true
			}
		}
	}
	return maker, ok
}

// belongings returns what tells whose the objects of a bucket are.
func (j *Reconcile) belongings(name string) belongings {
	return belongings{j.Inventory, j.Policy.Training.Derivatives, name}
}

// under returns how the keys begin of what was made from an item.
func (b *belongings) under(item string) []string {
	prefixes := make([]string, len(b.rules))
	for i, rule := range b.rules {
		prefixes[i] = rule.Prefix(item)
	}
	return prefixes
}

// derivedTogether bounds the objects made from items whose keys are in memory at once.
const derivedTogether = 10 * sinks.DeleteTogether

// deriving deletes what was made from training items and is not registered.
type deriving struct {
	belongings
	bucket sinks.Bucket
	items  map[sinks.ID]sinks.TrainingItem
	// superseding are the latest registrations of items that they have superseded.
	superseding map[sinks.ID]sinks.ID
	spared      map[string]bool     // keys of which all has gone that is meant
	gone        map[sinks.ID]uint64 // how many objects of each have been deleted
	failed      map[sinks.ID]error  // why some are still there
}

func newDeriving(j *Purge, name string, items []sinks.TrainingItem) *deriving {
	d := &deriving{
		belongings: belongings{j.Inventory, j.Policy.Training.Derivatives, name}, bucket: j.Buckets[name],
		items: map[sinks.ID]sinks.TrainingItem{}, superseding: map[sinks.ID]sinks.ID{}, spared: map[string]bool{}, gone: map[sinks.ID]uint64{}, failed: map[sinks.ID]error{},
	}
	for _, item := range items {
		d.items[item.Item] = item
		if item.Superseded != nil {
			d.superseding[item.Superseded.By] = item.Item
		}
	}
	return d
}

// clear deletes what was made from the items, until a look into the bucket finds nothing
// of it, or of the others' alone.
func (d *deriving) clear(ctx context.Context) {
	for len(d.rules) > 0 && len(d.failed) < len(d.items) {
		since, err := d.replaced(ctx)
		var found map[sinks.ID][]string
		if err == nil {
			found, err = d.look(ctx, since)
		}
		if err != nil {
			for id := range d.items {
				d.failed[id] = err
			}
			return
		}
		if len(found) == 0 {
			return
		}
		objects := make([]sinks.TrainingItem, 0, len(found))
		for id, keys := range found {
			made := sinks.TrainingItem{Item: id, Key: keys[0], Derivatives: keys[1:]}
			if at, bounded := since[id]; bounded {
				made.Superseded = &sinks.Superseded{Shared: keys[1:], Withdrawn: at.Add(storedWithin)}
				for _, key := range keys {
					d.spared[key] = true
				}
			}
			objects = append(objects, made)
		}
		failed := empty(ctx, d.bucket, objects)
		for id, keys := range found {
			if err := failed[id]; err != nil {
				d.failed[id] = fmt.Errorf("what was made from it: %w", err)
			} else {
				d.gone[id] += uint64(len(keys))
			}
		}
		sinks.Failpoint("purge.derived_deleted")
	}
}

// replaced returns, of the items that a later registration has superseded, since when
// what is made by a rule is made from that one's object: since it was stored, or, if it is
// not there, since consent was withdrawn. Where the object is still the earlier one, there
// is no such time.
func (d *deriving) replaced(ctx context.Context) (map[sinks.ID]time.Time, error) {
	since := map[sinks.ID]time.Time{}
	byKey := map[string]sinks.ID{}
	for _, id := range d.superseding {
		since[id] = d.items[id].Superseded.Withdrawn
		byKey[d.items[id].Key] = id
	}
	if len(since) == 0 {
		return since, nil
	}
	met := map[string]bool{}
	err := d.bucket.Versions(ctx, slices.Sorted(maps.Keys(byKey)), func(v sinks.Version) error {
		if v.Kind != sinks.ObjectVersion || met[v.Key] {
			return nil
		}
		met[v.Key] = true
		if id := byKey[v.Key]; v.Modified.Before(d.items[id].Superseded.Withdrawn.Add(-storedWithin)) {
			delete(since, id)
		} else {
			since[id] = v.Modified
		}
		return nil
	})
	return since, err
}

// look returns the keys of what was made from the items, as many as are held in memory at
// once; of superseded ones, of that which has been replaced, or was stored before a time.
// Items of which some cannot be deleted are left out.
func (d *deriving) look(ctx context.Context, since map[sinks.ID]time.Time) (map[sinks.ID][]string, error) {
	var prefixes []string
	own := map[string]bool{} // what is registered goes by itself
	for id, item := range d.items {
		if d.failed[id] == nil {
			prefixes = append(prefixes, d.under(item.Key)...)
			own[item.Key] = true
			for _, key := range item.Derivatives {
				own[key] = true
			}
		}
	}
	found, taken := map[sinks.ID][]string{}, map[string]bool{}
	met := map[string]sinks.Version{} // the newest of a key, its time zero if it has replaced another
	sort := func() error {
		owned, err := d.of(ctx, slices.Sorted(maps.Keys(met)))
		for key, o := range owned {
			id := o.Item
			if _, ours := d.items[id]; !ours {
				id = d.superseding[id]
			}
			_, ours := d.items[id]
			at, bounded := since[id]
			if ours && d.failed[id] == nil && !(bounded && (d.spared[key] || !met[key].Modified.Before(at))) {
				found[id] = append(found[id], key)
				taken[key] = true
			}
		}
		clear(met)
		if err == nil && len(taken) >= derivedTogether {
			return errEnough
		}
		return err
	}
	err := d.bucket.VersionsUnder(ctx, prefixes, func(v sinks.Version) error {
		if own[v.Key] || taken[v.Key] {
			return nil
		}
		if newest, ok := met[v.Key]; !ok {
			met[v.Key] = v
		} else if v.Kind == sinks.ObjectVersion && newest.Kind == sinks.ObjectVersion && v.ID != newest.ID {
			newest.Modified = time.Time{}
			met[v.Key] = newest
		}
		if len(met) < sinks.DeleteTogether {
			return nil
		}
		return sort()
	})
	if err == nil {
		err = sort()
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	for _, keys := range found {
		slices.Sort(keys)
	}
	return found, err
}
