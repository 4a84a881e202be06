package bucket

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

const (
	smallPage = 100 // entries asked for at first: none of many keys may be left
	// findsAtOnce is how many parts of many keys are looked for side by side, each of
	// at least findTogether.
	findsAtOnce  = 4
	findTogether = 250
)

// Versions implements sinks.Bucket. It asks for as few pages as it can: it reads
// on where the keys lie close together, and skips what lies between them
// elsewhere. A version may be reported twice.
func (s *S3) Versions(ctx context.Context, keys []string, each func(sinks.Version) error) error {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	for _, key := range keys {
		if err := validKey(key); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	report := oneAtATime(each)
	parts := parts(keys)
	if err := findParts(ctx, parts, find, s.versionPages, report); err != nil {
		return err
	}
	if s.wire.byKey.Load() {
		return findParts(ctx, parts, findEach, s.uploadPages, report)
	}
	return find(ctx, keys, s.uploadPages, each) // few buckets have more than a page of them
}

// VersionsUnder implements sinks.Bucket.
func (s *S3) VersionsUnder(ctx context.Context, prefixes []string, each func(sinks.Version) error) error {
	prefixes = slices.Compact(slices.Sorted(slices.Values(prefixes)))
	prefixes = slices.DeleteFunc(prefixes, func(prefix string) bool { return validKey(prefix) != nil }) // no key begins so
	if len(prefixes) == 0 {
		return nil
	}
	if err := findParts(ctx, parts(prefixes), findUnder, s.versionPages, oneAtATime(each)); err != nil || s.wire.byKey.Load() {
		return err
	}
	return findUnder(ctx, prefixes, s.uploadPages, each) // few buckets have more than a page of them
}

// oneAtATime lets several goroutines call each.
func oneAtATime(each func(sinks.Version) error) func(sinks.Version) error {
	var mu sync.Mutex
	return func(v sinks.Version) error {
		mu.Lock()
		defer mu.Unlock()
		return each(v)
	}
}

// parts parts keys, which are sorted, for several to look for.
func parts(keys []string) [][]string {
	return slices.Collect(slices.Chunk(keys, max(findTogether, (len(keys)+findsAtOnce-1)/findsAtOnce)))
}

// findParts looks for parts of the keys side by side.
func findParts(ctx context.Context, parts [][]string, find func(context.Context, []string, pages, func(sinks.Version) error) error, list pages, each func(sinks.Version) error) error {
	group, working := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return find(working, part, list, each) })
	}
	return group.Wait()
}

// search looks for what is listed under some keys, or under all that begin with them.
//
// It may only say that there is nothing more under a key once the listing has gone
// past it. S3 lists keys in the order of their bytes; stores that keep objects as
// files list them as a walk through folders would, where "a/b" comes before "a-b".
// A key counts as passed if it is in both orders. One that is passed in only one
// of them, and was not found, is doubtful.
type search struct {
	keys     []string        // not passed yet, sorted by bytes
	prefixes bool            // they are prefixes
	size     int             // of the pages that are asked for
	found    map[string]bool // in this walk
	doubtful []string
	each     func(sinks.Version) error
}

// find calls each for what is listed under keys, which are sorted.
func find(ctx context.Context, keys []string, list pages, each func(sinks.Version) error) error {
	s := &search{keys: keys, size: smallPage, each: each}
	if err := s.walks(ctx, list); err != nil {
		return err
	}
	return findEach(ctx, s.doubtful, list, each)
}

// findUnder calls each for what is listed under prefixes, which are sorted.
func findUnder(ctx context.Context, prefixes []string, list pages, each func(sinks.Version) error) error {
	s := &search{keys: prefixes, prefixes: true, size: smallPage, each: each}
	if err := s.walks(ctx, list); err != nil {
		return err
	}
	for _, prefix := range s.doubtful {
		if err := again(ctx, func() error { return findAll(ctx, prefix, list, each) }); err != nil {
			return err
		}
	}
	return nil
}

// findAll calls each for all that is listed under a prefix.
func findAll(ctx context.Context, prefix string, list pages, each func(sinks.Version) error) error {
	for page, err := range list(ctx, "", prefix, pageSize) {
		if err != nil {
			return err
		}
		for _, v := range page {
			if err := each(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted returns those of the keys, which are sorted, that an object's key was looked for
// by.
func (s *search) wanted(key string) (by []string) {
	from := len(key)
	if s.prefixes {
		from = 1
	}
	for n := from; n <= len(key); n++ {
		if at, ok := slices.BinarySearch(s.keys, key[:n]); ok {
			by = append(by, s.keys[at])
		}
	}
	return by
}

// covers reports whether an object's key was looked for by key.
func (s *search) covers(key, object string) bool {
	return key == object || s.prefixes && strings.HasPrefix(object, key)
}

// walks lists until all keys are passed.
func (s *search) walks(ctx context.Context, list pages) error {
	for len(s.keys) > 0 {
		if err := again(ctx, func() error { return s.walk(ctx, list) }); err != nil {
			return err
		}
	}
	return nil
}

// walk lists from the first key on, until all are passed or it is better to start
// afresh: at the next key, if that is far away, or with longer pages.
func (s *search) walk(ctx context.Context, list pages) error {
	start := s.keys[0]
	s.found = map[string]bool{}
	for page, err := range list(ctx, justBefore(start), "", s.size) {
		if err != nil {
			return err
		}
		hits := 0
		for _, v := range page {
			by := s.wanted(v.Key)
			if len(by) == 0 {
				continue
			}
			for _, key := range by {
				if !s.found[key] {
					s.found[key] = true
					hits++
				}
			}
			if err := s.each(v); err != nil {
				return err
			}
		}
		if s.pass(page); len(s.keys) == 0 {
			return nil
		}
		far := hits < 2 && s.keys[0] != start && !s.found[s.keys[0]]
		if far || s.size < pageSize {
			s.size = pageSize
			return nil
		}
	}
	s.keys = nil // the listing has ended
	return nil
}

// pass takes away the keys that the listing has passed with a page.
func (s *search) pass(page []sinks.Version) {
	last, deepest := page[0].Key, page[0].Key
	for _, v := range page[1:] {
		last = max(last, v.Key)
		if byFolder(v.Key, deepest) > 0 {
			deepest = v.Key
		}
	}
	left := s.keys[:0:0]
	for _, key := range s.keys {
		within := s.covers(key, last) || s.covers(key, deepest)
		passed, passedFolder := key < last && !within, byFolder(key, deepest) < 0 && !within
		switch {
		case s.found[key] && !within, passed && passedFolder:
		case passed != passedFolder && !s.found[key]:
			s.doubtful = append(s.doubtful, key)
		default:
			left = append(left, key)
		}
	}
	s.keys = left
}

// byFolder compares keys as a walk through folders lists them.
func byFolder(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	a, b = a[n:], b[n:]
	switch {
	case a == "" || b == "":
		return len(a) - len(b)
	case a[0] == '/':
		return -1
	case b[0] == '/':
		return 1
	}
	return strings.Compare(a, b)
}

// findEach calls each for what is listed under keys, asking for one at a time:
// whatever the order, a key comes before the longer ones that begin with it.
func findEach(ctx context.Context, keys []string, list pages, each func(sinks.Version) error) error {
	for _, key := range keys {
		err := again(ctx, func() error { return findOne(ctx, key, list, each) })
		if err != nil {
			return err
		}
	}
	return nil
}

func findOne(ctx context.Context, key string, list pages, each func(sinks.Version) error) error {
	for page, err := range list(ctx, "", key, smallPage) {
		if err != nil {
			return err
		}
		others := 0
		for _, v := range page {
			if v.Key != key {
				others++
			} else if err := each(v); err != nil {
				return err
			}
		}
		if others > 0 {
			return nil
		}
	}
	return nil
}

// again repeats a listing that broke off: the client repeats requests, but not
// those whose answer ends too early.
func again(ctx context.Context, list func() error) error {
	pause := 200 * time.Millisecond
	for range 3 {
		err := list()
		if !errors.Is(err, sinks.ErrUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
	return list()
}

// justBefore returns a text that comes before key and after most of what does:
// a listing that starts after it starts with key.
func justBefore(key string) string {
	r, size := utf8.DecodeLastRuneInString(key)
	head := key[:len(key)-size]
	switch {
	case r <= ' ': // what is before it, a listing cannot be asked for
		return head
	case r == 0xE000: // below are halves of pairs, no characters
		r = 0xD800
	}
	before := head + string(r-1)
	if len(before) < maxKeyBytes {
		before += "~"
	}
	return before
}
