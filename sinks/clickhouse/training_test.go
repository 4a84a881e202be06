package clickhouse_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// kept are the files that a test keeps of a generator's; the rest is thrown away.
type kept map[string]*bytes.Buffer

func (k kept) create(name string) (io.WriteCloser, error) {
	if !strings.HasPrefix(name, "training/") {
		return closing{io.Discard}, nil
	}
	k[name] = new(bytes.Buffer)
	return closing{k[name]}, nil
}

type closing struct{ io.Writer }

func (closing) Close() error { return nil }

// manifests are the training manifests of eighteen months, and the truth about them.
var manifests = sync.OnceValues(func() (kept, *traffic.Truth) {
	c := traffic.Default()
	c.Events, c.AccessLines = 1_000, 0
	files := kept{}
	truth, err := traffic.Generate(context.Background(), c, files.create, nil)
	if err != nil {
		panic(err)
	}
	return files, truth
})

// register stores the lines of a manifest as ingest does.
func register(t *testing.T, s *clickhouse.Store, p *config.Policy, lines []byte) {
	t.Helper()
	d, err := decode.New(p, config.TrainingNotes, decode.Resources{})
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(bytes.TrimSpace(lines), []byte("\n")) {
		if fate := d.Decode(line, decode.Origin{Now: newYear.AddDate(10, 0, 0)}); fate.Reason != decode.Stored {
			t.Fatalf("%s: %s", line, fate.Reason)
		}
	}
	b := d.Blocks()[0]
	b.Batches = make([]uint32, b.Rows())
	if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
}

// registered is a store with the manifests of eighteen months.
func registered(t *testing.T) (*clickhouse.Store, clickhouse.Options, *traffic.Truth) {
	t.Helper()
	p := sinktest.Policy(t, config.Facesoft)
	s, o := sinktest.Store(t, p)
	files, truth := manifests()
	var all []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, files[name].Bytes()...)
	}
	register(t, s, p, all)
	return s, o, truth
}

const grace = 24 * time.Hour

func cutoffs(now time.Time) sinks.TrainingCutoffs {
	return sinks.TrainingCutoffs{sinks.RuleConsentWithdrawn: now, sinks.RulePurposeCompleted: now, sinks.RuleConsentAbsent: now.Add(-grace)}
}

// monthEnds are the ends of the months of the manifests, the moments just before,
// and some long after.
func monthEnds() []time.Time {
	c := traffic.Default()
	var ends []time.Time
	for n := range c.Months + 3 {
		if os.Getenv("LAPSE_SOAK") == "" && n%3 != 2 { // a long run takes all
			continue
		}
		end := c.Start.AddDate(0, n, 0)
		ends = append(ends, end.Add(-time.Millisecond), end, end.Add(11*24*time.Hour+12345*time.Second))
	}
	return ends
}

func TestItemsAreDueWhenTheTruthSaysSo(t *testing.T) {
	t.Parallel()
	s, _, truth := registered(t)
	seen := map[sinks.Rule]int{}
	for _, now := range monthEnds() {
		items, err := s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]traffic.Due{}
		for _, due := range truth.Training.DueAt(now, grace) {
			want[due.Item.Key] = due
		}
		objects := 0
		byRule := map[traffic.Rule]int{}
		known, err := s.Items(t.Context(), ids(items))
		if err != nil {
			t.Fatal(err)
		}
		for i, item := range items {
			item.Derivatives = known[item.Item].Derivatives
			objects += 1 + len(item.Derivatives)
			due, ok := want[item.Key]
			if !ok {
				t.Errorf("%s: %s is not due by %s", now, item.Key, item.Rule)
				continue
			}
			delete(want, item.Key)
			for _, rule := range due.Rules {
				byRule[rule]++
			}
			seen[item.Rule]++
			if !sameItem(item, due.Item) || !slices.Contains(due.Rules, traffic.Rule(item.Rule)) || !item.Since.Equal(since(truth.Training, due.Item, item.Rule, now)) {
				t.Errorf("%s: %+v, want %+v by %v", now, item, *due.Item, due.Rules)
			}
			if i > 0 && item.Key <= items[i-1].Key {
				t.Errorf("%s: the items are not in the order of their keys", now)
			}
		}
		if paged := duePages(t, s, now, len(items)/2+1); !reflect.DeepEqual(paged, items) {
			t.Errorf("%s: %d items page by page, %d at once, or others", now, len(paged), len(items))
		}
		for key, due := range want {
			t.Errorf("%s: %s is due by %v, and was not found", now, key, due.Rules)
		}
		n, wantObjects, wantByRule := truth.Training.CountDue(now, grace)
		if len(items) != n || objects != wantObjects || !maps.Equal(byRule, wantByRule) {
			t.Errorf("%s: %d items, %d objects, %v; want %d, %d, %v", now, len(items), objects, byRule, n, wantObjects, wantByRule)
		}
	}
	if len(seen) != 3 {
		t.Errorf("only %v were met", seen)
	}
}

func ids(items []sinks.TrainingItem) (ids []sinks.ID) {
	for _, item := range items {
		ids = append(ids, item.Item)
	}
	return ids
}

// duePages returns what is due, asking for so many at once.
func duePages(t *testing.T, s *clickhouse.Store, now time.Time, together int) (all []sinks.TrainingItem) {
	t.Helper()
	page := sinks.ItemPage{Limit: together}
	for {
		items, err := s.DueItems(t.Context(), now, cutoffs(now), page)
		if err != nil || len(items) > together {
			t.Fatalf("%d items, %v", len(items), err)
		}
		all = append(all, items...)
		if len(items) < together {
			return all
		}
		last := items[together-1]
		page.AfterBucket, page.AfterKey, page.AfterItem = last.Bucket, last.Key, last.Item
	}
}

func sameItem(a sinks.TrainingItem, b *traffic.Item) bool {
	return a.Bucket == "training" && !a.Item.IsZero() && a.Key == b.Key && slices.Equal(a.Derivatives, b.Derivatives) && int(a.Bytes) == b.Bytes && a.UploadedAt.Equal(b.Uploaded)
}

// since returns when the event happened from which a rule's window runs.
func since(truth *traffic.Training, item *traffic.Item, rule sinks.Rule, now time.Time) (at time.Time) {
	switch rule {
	case sinks.RuleConsentAbsent:
		return item.Uploaded
	case sinks.RulePurposeCompleted:
		for _, purpose := range item.Purposes {
			if done := truth.Completions[purpose]; done.After(at) {
				at = done
			}
		}
	default:
		for _, d := range truth.Decisions {
			mine := d.Key == item.Key || d.Organisation == item.Organisation || slices.Contains(item.Subjects, d.Subject)
			switch {
			case !mine || d.At.Before(item.Uploaded) || d.At.After(now):
			case d.Granted:
				at = time.Time{}
			case at.IsZero(): // what is said again changes nothing
				at = d.At
			}
		}
	}
	return at
}

func TestRuleWithoutAWindowDoesNotApply(t *testing.T) {
	t.Parallel()
	s, _, truth := registered(t)
	now := traffic.Default().Start.AddDate(0, 17, 3)
	_, _, byRule := truth.Training.CountDue(now, grace)
	for rule, cutoff := range cutoffs(now) {
		items, err := s.DueItems(t.Context(), now, sinks.TrainingCutoffs{rule: cutoff}, sinks.ItemPage{})
		if err != nil || len(items) != byRule[traffic.Rule(rule)] || len(items) == 0 {
			t.Errorf("%d items are due by %s, want %d: %v", len(items), rule, byRule[traffic.Rule(rule)], err)
		}
	}
	if items, err := s.DueItems(t.Context(), now, nil, sinks.ItemPage{}); err != nil || len(items) > 0 {
		t.Errorf("%d items are due by no rule at all: %v", len(items), err)
	}
}

func TestPurgedItemsAreForgottenAndNoOthers(t *testing.T) {
	t.Parallel()
	s, o, truth := registered(t)
	now := traffic.Default().Start.AddDate(0, 12, 0)
	due, err := s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{})
	if err != nil || len(due) < 20 {
		t.Fatalf("%d items: %v", len(due), err)
	}
	purged := due[:len(due)/2]
	keys, organisations := map[string]bool{}, 0
	var ids []sinks.ID
	var stones []sinks.Tombstone
	for _, item := range purged {
		keys[item.Key] = true
		ids = append(ids, item.Item)
		stones = append(stones, sinks.Tombstone{Item: item.Item, Object: sinks.ObjectDigest(sinks.LedgerKey{1}.Opening(item.Item), item.Bucket, item.Key), Rule: item.Rule, Bytes: item.Bytes, Objects: 1 + uint64(len(item.Derivatives)), UploadedAt: item.UploadedAt, PurgedAt: now, Models: []string{"m1", "m2"}})
	}
	stones[0].Object = sinks.Digest{} // there was no key
	for range 2 {                     // again has no effect
		if err := s.PutTombstones(t.Context(), stones); err != nil {
			t.Fatal(err)
		}
	}
	found, err := s.Tombstones(t.Context(), append(ids, sinks.NewID()))
	if err != nil || len(found) != len(stones) {
		t.Errorf("%d tombstones, want %d: %v", len(found), len(stones), err)
	}
	for _, stone := range stones {
		if got := found[stone.Item]; !reflect.DeepEqual(got, stone) {
			t.Errorf("%+v, want %+v", got, stone)
		}
	}
	left, err := s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{})
	if err != nil || len(left) != len(due)-len(purged) {
		t.Errorf("%d items are still due, want %d: %v", len(left), len(due)-len(purged), err)
	}
	want := uint64(len(purged))
	for _, d := range truth.Training.Decisions {
		if keys[d.Key] {
			want++
		}
		if d.Key == "" {
			organisations++
		}
	}
	count := func(where string) any {
		return query(t, o, statement(o, "SELECT count() FROM {control}.training WHERE "+where))[0][0]
	}
	all := count("1").(uint64)
	rows, set, err := s.Forgettable(t.Context(), time.Unix(0, 0))
	if err != nil || rows != want || set.IsZero() {
		t.Errorf("%d rows are to be forgotten, want %d: %v", rows, want, err)
	}
	if absence, err := s.Forget(t.Context(), time.Unix(0, 0)); err != nil || !absence.Proven() {
		t.Errorf("%+v: %v", absence, err)
	}
	if got := count("1"); got != all-want {
		t.Errorf("%v rows are left, want %d", got, all-want)
	}
	if got := count("kind = 'training_consent' AND object_key = ''"); got != uint64(organisations) {
		t.Errorf("%v consents of people and organisations are left, want %d", got, organisations)
	}
	items, err := s.Items(t.Context(), append(ids, left[0].Item))
	if err != nil || len(items) != 1 || !sameItem(items[left[0].Item], itemOf(truth, left[0].Key)) {
		t.Errorf("the register still has %v: %v", items, err)
	}
	if rows, _, err := s.Forgettable(t.Context(), time.Unix(0, 0)); err != nil || rows != 0 {
		t.Errorf("%d rows are still to be forgotten: %v", rows, err)
	}
	if again, err := s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{}); err != nil || len(again) != len(left) {
		t.Errorf("%d items are due after forgetting, %d before: %v", len(again), len(left), err)
	}
}

func itemOf(truth *traffic.Truth, key string) *traffic.Item {
	i := slices.IndexFunc(truth.Training.Items, func(i traffic.Item) bool { return i.Key == key })
	return &truth.Training.Items[i]
}

// A consent that comes after its object is gone is no reason to remember it for ever.
func TestConsentsForUnknownObjectsAreForgottenAtLast(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, config.Facesoft)
	s, o := sinktest.Store(t, p)
	register(t, s, p, []byte(`{"type":"training_consent","at":"2024-01-01T00:00:00Z","decision":"withdrawn","key":"gone"}
{"type":"training_consent","at":"2024-01-03T00:00:00Z","decision":"withdrawn","key":"gone too"}
{"type":"training_consent","at":"2024-01-01T00:00:00Z","decision":"granted","key":"there"}
{"type":"training_consent","at":"2024-01-01T00:00:00Z","decision":"withdrawn","organisation":"o"}
{"type":"training_item","at":"2024-01-01T00:00:00Z","bucket":"b","key":"there","purposes":["p"],"derivatives":[],"subjects":[]}`))
	strays := newYear.AddDate(0, 0, 1)
	if rows, _, err := s.Forgettable(t.Context(), strays); err != nil || rows != 1 {
		t.Errorf("%d rows are to be forgotten, want 1: %v", rows, err)
	}
	if left, err := s.Forget(t.Context(), strays); err != nil || !left.Proven() {
		t.Errorf("%+v: %v", left, err)
	}
	if got, want := fmt.Sprint(query(t, o, statement(o, "SELECT object_key FROM {control}.training ORDER BY object_key"))), "[[] [gone too] [there] [there]]"; got != want {
		t.Errorf("held: %s, want %s", got, want)
	}
}

// uploads are notes about one key, by the hour: what is said of an object that is
// gone may not be held against the one that took its place, nor be forgotten with it.
func TestObjectThatTookAnothersPlaceIsJudgedByItself(t *testing.T) {
	t.Parallel()
	at := func(hour int) string { return newYear.Add(time.Duration(hour) * time.Hour).Format(time.RFC3339) }
	item := func(hour int, consent bool) string {
		return fmt.Sprintf(`{"type":"training_item","at":%q,"bucket":"b","key":"k","organisation":"o","subjects":[],"bytes":1,"purposes":["p"],"derivatives":[],"consent":%t}`, at(hour), consent)
	}
	decision := func(hour int, word string) string {
		return fmt.Sprintf(`{"type":"training_consent","at":%q,"decision":%q,"key":"k"}`, at(hour), word)
	}
	for name, c := range map[string]struct {
		notes   []string
		purgeAt int // when the first of them is purged and forgotten
		later   []string
		due     bool // whether it is due in the end
		held    int  // rows of the register in the end
	}{
		"consent to the second one":       {[]string{item(0, true), decision(1, "withdrawn")}, 2, []string{item(3, false), decision(4, "granted")}, false, 2},
		"known before the first is gone":  {[]string{item(0, true), decision(1, "withdrawn"), item(3, false), decision(4, "granted")}, 2, nil, false, 3},
		"withdrawal of the second one":    {[]string{item(0, true), decision(1, "withdrawn"), item(3, true), decision(4, "withdrawn")}, 2, nil, true, 3},
		"the second one is gone as well":  {[]string{item(0, true), item(1, true), decision(2, "withdrawn")}, 3, nil, false, 0},
		"no second one":                   {[]string{item(0, true), decision(1, "withdrawn")}, 2, nil, false, 0},
		"the second one was never wanted": {[]string{item(0, true), decision(1, "withdrawn")}, 2, []string{item(3, false)}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sinktest.Policy(t, config.Facesoft)
			s, o := sinktest.Store(t, p)
			register(t, s, p, []byte(strings.Join(c.notes, "\n")))
			now := newYear.Add(time.Duration(c.purgeAt) * time.Hour)
			due, err := s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{})
			if err != nil || len(due) != 1 {
				t.Fatalf("%d items are due at first: %v", len(due), err)
			}
			if err := s.PutTombstones(t.Context(), []sinks.Tombstone{{Item: due[0].Item, Rule: due[0].Rule}}); err != nil {
				t.Fatal(err)
			}
			if left, err := s.Forget(t.Context(), time.Unix(0, 0)); err != nil || !left.Proven() {
				t.Fatalf("%+v: %v", left, err)
			}
			if c.later != nil {
				register(t, s, p, []byte(strings.Join(c.later, "\n")))
			}
			now = newYear.AddDate(0, 1, 0)
			if due, err = s.DueItems(t.Context(), now, cutoffs(now), sinks.ItemPage{}); err != nil || len(due) > 0 != c.due {
				t.Errorf("due in the end: %+v: %v", due, err)
			}
			if held := query(t, o, statement(o, "SELECT count() FROM {control}.training"))[0][0]; held != uint64(c.held) {
				t.Errorf("%v rows are held in the end, want %d", held, c.held)
			}
		})
	}
}
