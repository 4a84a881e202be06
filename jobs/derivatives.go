package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	gone   map[sinks.ID]uint64 // how many objects of each have been deleted
	failed map[sinks.ID]error  // why some are still there
}

func newDeriving(j *Purge, name string, items []sinks.TrainingItem) *deriving {
	d := &deriving{
		belongings: belongings{j.Inventory, j.Policy.Training.Derivatives, name}, bucket: j.Buckets[name],
		items: map[sinks.ID]sinks.TrainingItem{}, gone: map[sinks.ID]uint64{}, failed: map[sinks.ID]error{},
	}
	for _, item := range items {
		d.items[item.Item] = item
	}
	return d
}

// clear deletes what was made from the items, until a look into the bucket finds nothing
// of it, or of the others' alone.
func (d *deriving) clear(ctx context.Context) {
	for len(d.rules) > 0 && len(d.failed) < len(d.items) {
		found, err := d.look(ctx)
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
			objects = append(objects, sinks.TrainingItem{Item: id, Key: keys[0], Derivatives: keys[1:]})
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

// look returns the keys of what was made from the items, as many as are held in memory at
// once. Items of which some cannot be deleted are left out.
func (d *deriving) look(ctx context.Context) (map[sinks.ID][]string, error) {
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
	met := map[string]bool{}
	sort := func() error {
		owned, err := d.of(ctx, slices.Sorted(maps.Keys(met)))
		clear(met)
		for key, o := range owned {
			if _, ours := d.items[o.Item]; ours && d.failed[o.Item] == nil {
				found[o.Item] = append(found[o.Item], key)
				taken[key] = true
			}
		}
		if err == nil && len(taken) >= derivedTogether {
			return errEnough
		}
		return err
	}
	err := d.bucket.VersionsUnder(ctx, prefixes, func(v sinks.Version) error {
		if own[v.Key] || taken[v.Key] {
			return nil
		}
		if met[v.Key] = true; len(met) < sinks.DeleteTogether {
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
