package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func openFolder(t testing.TB) (*Folder, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, dir
}

func TestFolderIsABucket(t *testing.T) {
	t.Parallel()
	sinktest.TestBucket(t, func(t *testing.T) sinktest.BucketUnderTest {
		f, _ := openFolder(t)
		return sinktest.BucketUnderTest{Bucket: f, Begin: func(t testing.TB, key string) {
			name := uploads + "/" + uploadPrefix(key) + "-" + sinks.NewID().String()
			if err := f.root.MkdirAll(uploads, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := f.root.WriteFile(name, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

// write makes files for a test, at paths below dir.
func write(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
}

func exists(t *testing.T, path string, want bool) {
	t.Helper()
	if _, err := os.Lstat(path); (err == nil) != want {
		t.Errorf("%s is there: %v, want %v (%v)", filepath.Base(path), err == nil, want, err)
	}
}

func deleteOne(t *testing.T, f *Folder, key string) error {
	t.Helper()
	return f.Delete(t.Context(), []sinks.Version{{Key: key}})[0]
}

func TestNoKeyLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	outside := t.TempDir()
	write(t, outside, "secret")
	write(t, dir, "a/b")
	up, err := filepath.Rel(dir, filepath.Join(outside, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"", ".", "..", "/", up, "a/../" + up, "a/" + strings.Repeat("../", 40) + outside[1:] + "/secret", outside + "/secret",
		"a/./b", "a//b", "a/b/", "/a/b", "a/b\x00", uploads, uploads + "/a",
	} {
		looked := f.Versions(t.Context(), []string{key}, func(sinks.Version) error { return nil })
		put := f.Put(t.Context(), key, strings.NewReader("x"))
		for doing, err := range map[string]error{"look": looked, "put": put, "delete": deleteOne(t, f, key)} {
			if !errors.Is(err, sinks.ErrInvalidInput) {
				t.Errorf("%s %q: %v, want %v", doing, key, err, sinks.ErrInvalidInput)
			}
		}
	}
	exists(t, filepath.Join(outside, "secret"), true)
	exists(t, filepath.Join(dir, "a", "b"), true)
}

func TestLinksOutOfTheFolderAreNotFollowed(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	outside := t.TempDir()
	write(t, outside, "secret")
	link(t, outside, filepath.Join(dir, "way"))
	for doing, err := range map[string]error{
		"look":   f.Versions(t.Context(), []string{"way/secret"}, func(sinks.Version) error { return nil }),
		"put":    f.Put(t.Context(), "way/new", strings.NewReader("x")),
		"delete": deleteOne(t, f, "way/secret"),
	} {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want an error without the name", doing, err)
		}
	}
	exists(t, filepath.Join(outside, "secret"), true)
	exists(t, filepath.Join(outside, "new"), false)
	same := sinktest.Listed(t, f, "")
	if len(same) != 1 || same[0] != "way" {
		t.Errorf("listed %q, want the link and nothing behind it", same)
	}
}

func TestLinkInThePlaceOfAnObjectIsNeverDone(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	outside := t.TempDir()
	write(t, outside, "content")
	link(t, filepath.Join(outside, "content"), filepath.Join(dir, "a"))
	link(t, filepath.Join(outside, "gone"), filepath.Join(dir, "b"))
	for _, key := range []string{"a", "b"} {
		if err := deleteOne(t, f, key); !errors.Is(err, sinks.ErrRefused) {
			t.Errorf("%s: %v, want %v", key, err, sinks.ErrRefused)
		}
		if left := sinktest.Found(t, f, key); len(left) != 1 {
			t.Errorf("%s: found %+v, want what is left", key, left)
		}
	}
	exists(t, filepath.Join(outside, "content"), true)
}

func TestLinkedFoldersOutliveTheirObjects(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	write(t, dir, "real/a", "real/b")
	link(t, "real", filepath.Join(dir, "linked"))
	sinktest.Clear(t, f, sinktest.Found(t, f, "linked/a"))
	exists(t, filepath.Join(dir, "real", "a"), false)
	exists(t, filepath.Join(dir, "real", "b"), true)
	sinktest.Clear(t, f, sinktest.Found(t, f, "linked/b"))
	exists(t, filepath.Join(dir, "real", "b"), false)
	exists(t, filepath.Join(dir, "linked"), true)
}

func TestFoldersAreNoObjects(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	write(t, dir, "a/b")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if found := sinktest.Found(t, f, "a", "empty", "a/b/c", strings.Repeat("n", 300)); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	for _, key := range []string{"a", "empty", "a/b/c"} {
		if err := deleteOne(t, f, key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	exists(t, filepath.Join(dir, "a", "b"), true)
	exists(t, filepath.Join(dir, "empty"), true)
}

func TestFoldersGoWithTheirLastObject(t *testing.T) {
	t.Parallel()
	f, dir := openFolder(t)
	write(t, dir, "a/b/c/1", "a/b/c/2", "a/x/1", "y/1")
	for _, c := range []struct {
		delete string
		left   []string
		gone   []string
	}{
		{"a/b/c/1", []string{"a/b/c"}, nil},
		{"a/b/c/2", []string{"a/x"}, []string{"a/b"}},
		{"a/x/1", []string{"."}, []string{"a"}},
		{"y/1", []string{"."}, []string{"y"}},
	} {
		sinktest.Clear(t, f, sinktest.Found(t, f, c.delete))
		for _, name := range c.left {
			exists(t, filepath.Join(dir, name), true)
		}
		for _, name := range c.gone {
			exists(t, filepath.Join(dir, name), false)
		}
	}
}

func TestObjectsArePutBesideOthersThatAreDeleted(t *testing.T) {
	t.Parallel()
	f, _ := openFolder(t)
	var group errgroup.Group
	for worker := range 4 {
		group.Go(func() error {
			for n := range 200 {
				key := fmt.Sprintf("same/folder/%d", worker)
				if err := f.Put(t.Context(), key, strings.NewReader("x")); err != nil {
					return fmt.Errorf("round %d: %w", n, err)
				}
				if err := f.Delete(t.Context(), []sinks.Version{{Key: key}})[0]; err != nil {
					return fmt.Errorf("round %d: %w", n, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if left := sinktest.Listed(t, f, ""); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestObjectBeingWrittenIsAnUnfinishedUpload(t *testing.T) {
	t.Parallel()
	f, _ := openFolder(t)
	content, writer := io.Pipe()
	put := make(chan error)
	go func() { put <- f.Put(context.Background(), "a/b", content) }()
	if _, err := writer.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	found := sinktest.Found(t, f, "a/b")
	if len(found) != 1 || found[0].Kind != sinks.UnfinishedUpload {
		t.Fatalf("found %+v, want the upload", found)
	}
	sinktest.Clear(t, f, found)
	_ = writer.Close()
	if err := <-put; err == nil {
		t.Error("an object was put although its upload had been given up")
	}
	if left := sinktest.Found(t, f, "a/b"); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
}
