package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// keptFor is how long a search is kept after its last use. Its tables hold identifiers of
// people who are to be erased, so it is as short as the steps of a run allow.
const keptFor = time.Minute

// endTimeout bounds the removal of searches that nobody waits for, or when all ends.
const endTimeout = 10 * time.Second

// keptSearches are searches that are done, at most one for each dataset, for whoever looks
// for the same people next: the plan, the erasure and the proof that nothing is left all
// do. ClickHouse never changes a part, so those that such a search has looked through need
// not be read again.
type keptSearches struct {
	mu       sync.Mutex
	lifetime time.Duration
	closed   bool
	of       map[string]*search
	ending   sync.WaitGroup
}

// take returns the search that x can go on from, which is nobody else's then, or nil. It
// has to be ended.
func (k *keptSearches) take(x *search) *search {
	if !x.plain() || x.Anew {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	earlier := k.of[x.dataset]
	if earlier == nil || !covers(earlier.people.Persons, x.people.Persons) {
		return nil
	}
	delete(k.of, x.dataset)
	earlier.expiry.Stop()
	return earlier
}

// keep takes a search over in place of an earlier one, and returns which is to be ended, if
// any.
func (k *keptSearches) keep(x *search) (ended *search) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return x
	}
	if ended = k.of[x.dataset]; ended != nil {
		ended.expiry.Stop()
	}
	k.of[x.dataset] = x
	x.expiry = time.AfterFunc(k.lifetime, func() { k.expire(x) })
	return ended
}

// expire ends a search unless somebody has taken it. What cannot be removed now is left to
// SweepStages.
func (k *keptSearches) expire(x *search) {
	k.mu.Lock()
	mine := k.of[x.dataset] == x
	if mine {
		delete(k.of, x.dataset)
		k.ending.Add(1)
	}
	k.mu.Unlock()
	if mine {
		defer k.ending.Done()
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		_ = x.drop(ctx)
	}
}

// end ends all searches that are kept, and waits for those that are being ended.
func (k *keptSearches) end(ctx context.Context) (err error) {
	k.mu.Lock()
	all := k.of
	k.of = map[string]*search{}
	k.mu.Unlock()
	for _, x := range all {
		x.expiry.Stop()
		err = errors.Join(err, x.drop(ctx))
	}
	k.ending.Wait()
	return err
}

// close ends all searches; none is kept from now on.
func (k *keptSearches) close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	return k.end(ctx)
}

// plain reports whether what the search finds in a part is the same for all time. Holds
// come and go, and the erasure ledger grows.
func (x *search) plain() bool { return x.Held == nil && x.people.Erased == nil }

// lasts reports whether the search may be kept.
func (x *search) lasts() bool { return x.plain() && !x.Partitioned }

// leave keeps the search for whoever looks for the same people next, or ends it.
func (x *search) leave(ctx context.Context) error {
	if x.empty() {
		return nil
	}
	if x.lasts() {
		x = x.store.kept.keep(x)
	}
	if x == nil {
		return nil
	}
	return x.end(ctx)
}

// partsAmong returns which of some parts the search has looked through. A search that was
// not kept has looked through none.
func (x *search) partsAmong(these parts) parts {
	if x == nil {
		return nil
	}
	return x.parts.among(these)
}

// answers reports whether the search has found just what another would in some parts, for
// people whom it covers: all of them, and no event later than counts for the other.
func (x *search) answers(other *search, in parts) bool {
	if x == nil || !maps.Equal(x.parts, in) || len(x.people.Persons) != len(other.people.Persons) {
		return false
	}
	if x.persons == nil {
		return covers(other.people.Persons, x.people.Persons)
	}
	until := make(map[sinks.ID]time.Time, len(other.people.Persons))
	for _, p := range other.people.Persons {
		until[p.ID] = lastCounted(p)
	}
	return !slices.ContainsFunc(x.persons, func(n sinks.PersonRows) bool { return n.Last.After(until[n.Person]) })
}

// covers reports whether a search for some people has found all that one for others would:
// each of them is among the former, by the same identifiers and as late.
func covers(earlier, persons []sinks.Person) bool {
	known := make(map[sinks.ID]sinks.Person, len(earlier))
	for _, p := range earlier {
		known[p.ID] = p
	}
	return !slices.ContainsFunc(persons, func(p sinks.Person) bool {
		e, ok := known[p.ID]
		return !ok || lastCounted(p).After(lastCounted(e)) || !slices.Equal(inOrder(p.Identifiers), inOrder(e.Identifiers))
	})
}

func inOrder(of []sinks.Identifier) []sinks.Identifier {
	return slices.SortedFunc(slices.Values(of), func(a, b sinks.Identifier) int {
		return cmp.Or(cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
}

// parts are parts of a table, each by its name and with the hash of what it holds.
type parts map[string]string

// among returns those that are also others, holding the same.
func (p parts) among(others parts) parts {
	both := parts{}
	for name, hash := range p {
		if others[name] == hash {
			both[name] = hash
		}
	}
	return both
}

// activeParts returns the parts whose rows a statement would read now.
func (x *search) activeParts(ctx context.Context) (parts, error) {
	found := parts{}
	err := x.store.query(ctx, "people_parts", x, nil, func(r driver.Rows) error {
		var name, hash string
		err := r.Scan(&name, &hash)
		found[name] = hash
		return err
	})
	return found, err
}
