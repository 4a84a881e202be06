package sinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

// BucketUnderTest is an empty bucket with what its interface does not offer.
type BucketUnderTest struct {
	sinks.Bucket
	KeepsVersions bool // it keeps the versions of an object that is replaced
	// Begin leaves an unfinished upload under a key.
	Begin func(t testing.TB, key string)
}

// TestBucket holds a bucket to the contract of sinks.Bucket. open returns an empty
// one each time.
func TestBucket(t *testing.T, open func(t *testing.T) BucketUnderTest) {
	for name, test := range map[string]func(*testing.T, BucketUnderTest){
		"ObjectIsListedAndReplaced":         testReplaced,
		"ObjectsAreListedInOrderOfKeys":     testOrder,
		"SpecialNamesAreNamesLikeOthers":    testSpecialNames,
		"OnlyExactKeysAreFound":             testExactKeys,
		"WhatIsUnderAPrefixIsFound":         testPrefixes,
		"WhatIsMissingIsDeleted":            testMissing,
		"DeletionTakesNothingElse":          testDeletion,
		"AllOfManyIsFoundAndDeleted":        testMany,
		"FewOfManyAreFound":                 testFew,
		"UnfinishedUploadsAreFound":         testUploads,
		"BrokenPutLeavesNoObject":           testBrokenPut,
		"ErrorsNameNoKey":                   testErrors,
		"ListingEndsWithItsReader":          testEnd,
		"CancelledContextProvesNothing":     testCancelled,
		"OlderVersionsAreFoundNewestFirst":  testOlderVersions,
		"VersionsOfManyKeysAreFoundAndGone": testManyVersions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Fill puts objects with their key as content, several at once.
func Fill(t testing.TB, b sinks.Bucket, keys ...string) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(4)
	for _, key := range keys {
		group.Go(func() error { return b.Put(ctx, key, strings.NewReader(key)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Found returns what a bucket holds under keys.
func Found(t testing.TB, b sinks.Bucket, keys ...string) []sinks.Version {
	t.Helper()
	var found []sinks.Version
	seen := map[sinks.Version]bool{}
	err := b.Versions(t.Context(), keys, func(v sinks.Version) error {
		if !seen[v] { // it may be reported twice
			seen[v] = true
			found = append(found, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Listed returns the keys of a bucket that begin with prefix.
func Listed(t testing.TB, b sinks.Bucket, prefix string) []string {
	t.Helper()
	keys := []string{}
	err := b.List(t.Context(), prefix, func(o sinks.Object) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Clear deletes versions and fails the test for each that the bucket refuses.
func Clear(t testing.TB, b sinks.Bucket, versions []sinks.Version) {
	t.Helper()
	for batch := range slices.Chunk(versions, sinks.DeleteTogether) {
		for i, err := range b.Delete(t.Context(), batch) {
			if err != nil {
				t.Errorf("%q: %v", batch[i].Key, err)
			}
		}
	}
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d, want %d\n got %q\nwant %q", what, len(got), len(want), head(got), head(want))
	}
}

func head(s []string) []string { return s[:min(len(s), 30)] }

func keysOf(versions []sinks.Version) []string {
	keys := map[string]bool{}
	for _, v := range versions {
		keys[v.Key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

func testReplaced(t *testing.T, b BucketUnderTest) {
	for _, content := range []string{"first", "the second"} {
		if err := b.Put(t.Context(), "a/b.txt", strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	objects := 0
	err := b.List(t.Context(), "", func(o sinks.Object) error {
		objects++
		if o.Key != "a/b.txt" || o.Bytes != int64(len("the second")) || o.Modified.IsZero() || o.Modified.Location().String() != "UTC" {
			t.Errorf("%+v", o)
		}
		return nil
	})
	if err != nil || objects != 1 {
		t.Errorf("%d objects, %v; want one, the second", objects, err)
	}
}

func testOrder(t *testing.T, b BucketUnderTest) {
	keys := []string{"a-b", "a.b", "a/b", "a/b-c/d", "a/b.c", "a0", "b", "c/d/e", "c/d/f", "z", "ä", "😀"}
	if !slices.IsSorted(keys) {
		t.Fatal("the test's keys are not in order")
	}
	shuffled := slices.Clone(keys)
	rand.New(rand.NewPCG(1, 0)).Shuffle(len(keys), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	Fill(t, b, shuffled...)
	same(t, "listed", Listed(t, b, ""), keys)
	for prefix, want := range map[string][]string{
		"a":      {"a-b", "a.b", "a/b", "a/b-c/d", "a/b.c", "a0"},
		"a/b":    {"a/b", "a/b-c/d", "a/b.c"},
		"a/b-":   {"a/b-c/d"},
		"c/d/":   {"c/d/e", "c/d/f"},
		"c/d/e":  {"c/d/e"},
		"absent": {},
		"c/d/e/": {},
	} {
		same(t, "listed under "+prefix, Listed(t, b, prefix), want)
	}
}

// specialNames are keys that some layer might take for something else.
var specialNames = []string{
	"a b", "a  b ", "100%", "%41", "a%2Fb", "a+b", "a&b=c", "a#b", "a?b", "a;b", "a:b", "a\\b", "a*b", "a|b", "a~",
	"a\"b", "a'b", "<a>", "&amp;", "a,b", "[a]", "{a}", "$a", "`a`", "!", "-a", ".a", "a.", "..a", "a..b", "...",
	"é", "e\u0301", "日本語/写真.jpg", "😀/\u200d", "ſ", "a\tb", "a\nb", "\x7f",
	strings.Repeat("n", 255), strings.Repeat("deep/", 60) + "x", "versions", "uploads", "null",
}

func testSpecialNames(t *testing.T, b BucketUnderTest) {
	want := slices.Sorted(slices.Values(specialNames))
	for _, key := range specialNames {
		if err := b.Put(t.Context(), key, strings.NewReader(key)); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	}
	same(t, "listed", Listed(t, b, ""), want)
	same(t, "found together", keysOf(Found(t, b, specialNames...)), want)
	for _, key := range want {
		found := Found(t, b, key)
		if len(found) != 1 || found[0].Key != key {
			t.Fatalf("%q: found %+v", key, found)
		}
		Clear(t, b, found)
		if left := Found(t, b, key); len(left) > 0 {
			t.Errorf("%q: left %+v", key, left)
		}
	}
	same(t, "left", Listed(t, b, ""), []string{})
}

func testExactKeys(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "a", "ab", "abc", "b/c", "b/c.d", "b-c/d", "B/c")
	same(t, "found", keysOf(Found(t, b, "ab", "b/c", "b", "c", "a/b", "ab", "b/c/d")), []string{"ab", "b/c"})
	if found := Found(t, b); len(found) > 0 {
		t.Errorf("found %+v under no key", found)
	}
}

// under returns the keys under which there is something below the prefixes.
func under(t testing.TB, b sinks.Bucket, prefixes ...string) []string {
	t.Helper()
	found := map[string]bool{}
	err := b.VersionsUnder(t.Context(), prefixes, func(v sinks.Version) error {
		found[v.Key] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

func testPrefixes(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "ab", "a/bb", "a/b.c", "a/b/c", "a/b/d/e", "a-b", "b/a/b", "A/b")
	for prefix, want := range map[string][]string{
		"a/b/":                    {"a/b/c", "a/b/d/e"},
		"a/b":                     {"a/b.c", "a/b/c", "a/b/d/e", "a/bb"},
		"a/b.":                    {"a/b.c"},
		"a/b/d/":                  {"a/b/d/e"},
		"a/b/x/":                  nil,
		"x/y/":                    nil,
		"a-":                      {"a-b"},
		strings.Repeat("a/", 600): nil, // no key is so long
	} {
		same(t, "under "+prefix, under(t, b, prefix), want)
	}
	same(t, "under two", under(t, b, "b/", "a/b/d", "b/a/"), []string{"a/b/d/e", "b/a/b"})
	same(t, "under none", under(t, b), nil)
	keys := manyKeys(730)
	Fill(t, b, keys...)
	want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, "org-3/") })
	same(t, "of many", under(t, b, "org-3/"), slices.Sorted(slices.Values(want)))
	if b.KeepsVersions {
		Fill(t, b, "a/b/c")
		versions := 0
		err := b.VersionsUnder(t.Context(), []string{"a/b/"}, func(sinks.Version) error { versions++; return nil })
		if err != nil || versions != 3 {
			t.Errorf("%d versions under the prefix (%v), want two of one object and one of the other", versions, err)
		}
	}
	enough := errors.New("enough")
	if err := b.VersionsUnder(t.Context(), []string{"a"}, func(sinks.Version) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v for a reader that has enough", err)
	}
}

func testMissing(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "there")
	found := Found(t, b, "there")
	Clear(t, b, found)
	Clear(t, b, found)
	if errs := b.Delete(t.Context(), nil); len(errs) > 0 {
		t.Errorf("%v for the deletion of nothing", errs)
	}
	if left := Found(t, b, "there", "never"); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
}

func testDeletion(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "a/b/c", "a/b/d", "a/b-c", "a/bc", "x")
	Clear(t, b, Found(t, b, "a/b/c", "x"))
	same(t, "left", Listed(t, b, ""), []string{"a/b-c", "a/b/d", "a/bc"})
	Fill(t, b, "x")
	same(t, "left after one came back", Listed(t, b, ""), []string{"a/b-c", "a/b/d", "a/bc", "x"})
}

// manyKeys returns keys in some folders, some of them beside those.
func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("org-%d/%04d.jpg", i%7, i)
		if i%50 == 0 {
			keys[i] = fmt.Sprintf("org-%d-%04d.jpg", i%7, i)
		}
	}
	return keys
}

func testMany(t *testing.T, b BucketUnderTest) {
	keys := manyKeys(730)
	Fill(t, b, keys...)
	slices.Sort(keys)
	same(t, "listed", Listed(t, b, ""), keys)
	found := Found(t, b, keys...)
	same(t, "found", keysOf(found), keys)
	Clear(t, b, found)
	same(t, "found after the deletion", keysOf(Found(t, b, keys...)), nil)
	same(t, "listed after the deletion", Listed(t, b, ""), []string{})
}

func testFew(t *testing.T, b BucketUnderTest) {
	keys := manyKeys(730)
	Fill(t, b, keys...)
	r := rand.New(rand.NewPCG(2, 0))
	for _, share := range []float64{0.001, 0.01, 0.1, 0.5} {
		var wanted, missing []string
		for _, key := range keys {
			if r.Float64() < share {
				wanted = append(wanted, key)
				missing = append(missing, key+"x", key[:len(key)-1])
			}
		}
		slices.Sort(wanted)
		same(t, fmt.Sprint("found of ", share), keysOf(Found(t, b, append(missing, wanted...)...)), wanted)
	}
}

func testUploads(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "a/b", "a/bc")
	for _, key := range []string{"a/b", "a/b", "a/bc", "c"} {
		b.Begin(t, key)
	}
	same(t, "listed", Listed(t, b, ""), []string{"a/b", "a/bc"})
	var objects, begun []sinks.Version
	for _, v := range Found(t, b, "a/b", "c", "d") {
		if v.Kind == sinks.UnfinishedUpload {
			begun = append(begun, v)
		} else {
			objects = append(objects, v)
		}
	}
	if len(objects) != 1 || len(begun) != 3 {
		t.Fatalf("%d objects and %d uploads, want 1 and 3", len(objects), len(begun))
	}
	Clear(t, b, begun)
	Clear(t, b, begun)
	if left := Found(t, b, "a/b", "c"); len(left) != 1 || left[0].Kind != sinks.ObjectVersion {
		t.Errorf("left %+v, want the object", left)
	}
	if left := Found(t, b, "a/bc"); len(left) != 2 {
		t.Errorf("of the neighbour is left %+v, want object and upload", left)
	}
}

func testBrokenPut(t *testing.T, b BucketUnderTest) {
	broken := errors.New("broken off")
	content := io.MultiReader(strings.NewReader("half of it"), iotest.ErrReader(broken))
	if err := b.Put(t.Context(), "a/b", content); err == nil {
		t.Error("a broken object was accepted")
	}
	same(t, "listed", Listed(t, b, ""), []string{})
	if left := Found(t, b, "a/b"); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
}

func testErrors(t *testing.T, b BucketUnderTest) {
	for _, key := range []string{"", "secret-name\xff\xfe/" + strings.Repeat("secret-name", 200)} {
		versions := []sinks.Version{{Key: key}}
		errs := []error{
			b.Put(t.Context(), key, strings.NewReader("x")),
			b.Versions(t.Context(), []string{"other", key}, func(sinks.Version) error { return nil }),
		}
		for _, err := range append(errs, b.Delete(t.Context(), versions)...) {
			if err != nil && strings.Contains(err.Error(), "secret-name") {
				t.Errorf("%v names the key", err)
			}
		}
		if key == "" && !errors.Is(errs[1], sinks.ErrInvalidInput) {
			t.Errorf("%v, want %v", errs[1], sinks.ErrInvalidInput)
		}
	}
}

func testEnd(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "a", "b", "c")
	enough := errors.New("enough")
	objects, versions := 0, 0
	err := b.List(t.Context(), "", func(sinks.Object) error { objects++; return enough })
	if !errors.Is(err, enough) || objects != 1 {
		t.Errorf("%d objects, %v", objects, err)
	}
	err = b.Versions(t.Context(), []string{"a", "b"}, func(sinks.Version) error { versions++; return enough })
	if !errors.Is(err, enough) || versions != 1 {
		t.Errorf("%d versions, %v", versions, err)
	}
}

func testCancelled(t *testing.T, b BucketUnderTest) {
	Fill(t, b, "a")
	found := Found(t, b, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Versions(ctx, []string{"a"}, func(sinks.Version) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("look: %v", err)
	}
	if err := b.List(ctx, "", func(sinks.Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	for _, err := range b.Delete(ctx, found) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("delete: %v", err)
		}
	}
}

func testOlderVersions(t *testing.T, b BucketUnderTest) {
	for n := range 3 {
		if err := b.Put(t.Context(), "a/b", strings.NewReader(strings.Repeat("x", n+1))); err != nil {
			t.Fatal(err)
		}
	}
	found := Found(t, b, "a/b")
	want := []int64{3}
	if b.KeepsVersions {
		want = []int64{3, 2, 1}
	}
	var got []int64
	for i, v := range found {
		got = append(got, v.Bytes)
		if v.Latest != (i == 0) || v.Modified.IsZero() {
			t.Errorf("version %d: %+v", i, v)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("versions of %v bytes, want %v", got, want)
	}
	for n := range found { // one after the other, the oldest first
		Clear(t, b, found[len(found)-1-n:len(found)-n])
		if left := Found(t, b, "a/b"); len(left) != len(found)-1-n {
			t.Errorf("%d left, want %d", len(left), len(found)-1-n)
		}
	}
}

func testManyVersions(t *testing.T, b BucketUnderTest) {
	keys := manyKeys(320)
	for range 3 {
		Fill(t, b, keys...)
	}
	want := len(keys)
	if b.KeepsVersions {
		want *= 3
	}
	found := Found(t, b, keys...)
	if len(found) != want {
		t.Fatalf("%d versions, want %d", len(found), want)
	}
	Clear(t, b, found[:len(found)/2])
	if left := Found(t, b, keys...); len(left) != want-len(found)/2 {
		t.Errorf("%d left, want %d", len(left), want-len(found)/2)
	}
	Clear(t, b, found)
	if left := Found(t, b, keys...); len(left) > 0 {
		t.Errorf("%d left", len(left))
	}
}
