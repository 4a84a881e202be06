package bucket

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/facesoft/lapse/sinks"
)

// shelf lists versions as a store of some kind would.
type shelf struct {
	versions []sinks.Version
	page     int  // at most
	grouped  bool // markers come first on each page
	broken   func() bool
	pages    int // how many were asked for
}

func newShelf(r *rand.Rand, keys []string, order func(a, b string) int) *shelf {
	s := &shelf{page: 1 + r.IntN(9), grouped: r.IntN(2) == 0, broken: func() bool { return false }}
	for _, key := range keys {
		versions := 1 + r.IntN(3)
		if r.IntN(10) == 0 {
			versions = 3 * s.page
		}
		for range versions {
			s.versions = append(s.versions, sinks.Version{Key: key, ID: sinks.NewID().String(), Kind: sinks.VersionKind(r.IntN(2))})
		}
	}
	slices.SortStableFunc(s.versions, func(a, b sinks.Version) int { return order(a.Key, b.Key) })
	return s
}

func (s *shelf) list(_ context.Context, after, prefix string, size int) iter.Seq2[[]sinks.Version, error] {
	return func(yield func([]sinks.Version, error) bool) {
		var all []sinks.Version
		for _, v := range s.versions {
			if v.Key > after && strings.HasPrefix(v.Key, prefix) {
				all = append(all, v)
			}
		}
		for page := range slices.Chunk(all, min(s.page, size)) {
			s.pages++
			if s.broken() {
				yield(nil, sinks.ErrUnavailable)
				return
			}
			if s.grouped {
				slices.SortStableFunc(page, func(a, b sinks.Version) int { return -cmp.Compare(a.Kind, b.Kind) })
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// wanted returns what a search must find that wants some keys.
func (s *shelf) wanted(want func(key string) bool) map[sinks.Version]bool {
	wanted := map[sinks.Version]bool{}
	for _, v := range s.versions {
		if want(v.Key) {
			wanted[v] = true
		}
	}
	return wanted
}

// randomKeys returns different keys of few letters, of which some sort otherwise as
// text than as paths.
func randomKeys(r *rand.Rand, n int) []string {
	keys := map[string]bool{}
	for range n {
		var key []byte
		for range 1 + r.IntN(6) {
			key = append(key, "ab-/0~"[r.IntN(6)])
		}
		keys[string(key)] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

func TestSearchFindsExactlyWhatIsThereInWhateverOrderItIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testSearch) // the pauses before repetitions take no time
}

func testSearch(t *testing.T) {
	gaveUp := 0
	for seed := range uint64(8000) {
		r := rand.New(rand.NewPCG(seed, 0))
		order := strings.Compare
		if r.IntN(2) == 0 {
			order = byFolder
		}
		all := randomKeys(r, 1+r.IntN(120))
		s := newShelf(r, all, order)
		if r.IntN(4) == 0 {
			s.broken = func() bool { return r.IntN(20) == 0 }
		}
		keys := slices.DeleteFunc(slices.Concat(all, randomKeys(r, 30)), func(string) bool { return r.IntN(3) > 0 })
		keys = slices.Compact(slices.Sorted(slices.Values(keys)))
		find, want := find, func(key string) bool { return slices.Contains(keys, key) }
		if r.IntN(2) == 0 {
			find, want = findUnder, func(key string) bool {
				return slices.ContainsFunc(keys, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
			}
		}
		found := map[sinks.Version]bool{}
		err := find(t.Context(), keys, s.list, func(v sinks.Version) error {
			found[v] = true
			return nil
		})
		if errors.Is(err, sinks.ErrUnavailable) {
			gaveUp++ // it may, but not say that there is nothing
			continue
		}
		if want := s.wanted(want); err != nil || !maps.Equal(found, want) {
			t.Fatalf("seed %d: found %d, want %d, %v", seed, len(found), len(want), err)
		}
	}
	if gaveUp > 200 {
		t.Errorf("%d of 8000 searches were given up", gaveUp)
	}
}

func TestSearchAsksForFewPages(t *testing.T) {
	t.Parallel()
	all := make([]string, 100_000)
	for i := range all {
		all[i] = "org/" + string([]byte{byte('a' + i/10000%10), byte('a' + i/1000%10), byte('a' + i/100%10), byte('a' + i/10%10), byte('a' + i%10)})
	}
	for name, c := range map[string]struct {
		keys []string
		most int
	}{
		"neighbours":     {all[40_000:41_000], 4},
		"all":            {all, 203},
		"far apart":      {[]string{all[5], all[50_000], all[99_999]}, 4},
		"missing":        {[]string{"org/zz", "a", "x/y"}, 4},
		"every hundreth": {every(all, 100), 203},
	} {
		s := &shelf{page: 1000, broken: func() bool { return false }}
		for _, key := range all {
			s.versions = append(s.versions, sinks.Version{Key: key, ID: "1"}, sinks.Version{Key: key, ID: "0"})
		}
		keys := slices.Sorted(slices.Values(c.keys))
		if err := find(t.Context(), keys, s.list, func(sinks.Version) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if s.pages > c.most {
			t.Errorf("%s: %d pages, want at most %d", name, s.pages, c.most)
		}
	}
}

func every(keys []string, n int) (some []string) {
	for i := 0; i < len(keys); i += n {
		some = append(some, keys[i])
	}
	return some
}

func TestJustBeforeSortsBeforeItsKeyAndAfterMostOthers(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a/b": "a/a~", "b": "a~", "a0": "a/~", "a/": "a.~", "a!": "a ~", "a ": "a", " ": "", "a\n": "a",
		"é": "è~", "a\U0001F600": "a\U0001F5FF~", "a\uE000": "a\uD7FF~",
		strings.Repeat("b", 1024): strings.Repeat("b", 1023) + "a",
	} {
		got := justBefore(key)
		if got != want || got >= key || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func TestByFolderIsTheOrderOfAWalk(t *testing.T) {
	t.Parallel()
	want := []string{"a/b", "a/b/c", "a/b-c", "a/c", "a-b/c", "a-b.c", "ab"}
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortStableFunc(got, byFolder)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
