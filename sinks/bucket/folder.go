package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// Folder is a bucket in a local folder. It keeps no versions: an object has one or
// none. Folders are removed with their last object.
type Folder struct{ root *os.Root }

var _ sinks.Bucket = (*Folder)(nil)

// partial begins the names of objects that are still being written.
const partial = ".partial-"

// OpenFolder opens the bucket in dir, which is made if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return &Folder{root}, nil
}

// Close gives the folder up.
func (f *Folder) Close() error { return f.root.Close() }

// Delete implements sinks.Bucket.
func (f *Folder) Delete(_ context.Context, key string) error {
	name, err := local(key)
	if err != nil {
		return err
	}
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object: %w", withoutPath(err))
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f.root.Remove(dir) != nil { // not empty, or somebody else removed it
			break
		}
	}
	return f.sync(path.Dir(name))
}

// sync makes a removal durable, as far up as folders are left.
func (f *Folder) sync(dir string) error {
	for ; ; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if errors.Is(err, fs.ErrNotExist) && dir != "." {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete object: %w", withoutPath(err))
		}
		return errors.Join(withoutPath(d.Sync()), d.Close())
	}
}

// Remaining implements sinks.Bucket.
func (f *Folder) Remaining(_ context.Context, key string) (int, error) {
	name, err := local(key)
	if err != nil {
		return 0, err
	}
	_, err = f.root.Lstat(name)
	switch {
	case err == nil:
		return 1, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	}
	return 0, fmt.Errorf("look for object: %w", withoutPath(err))
}

// Put implements sinks.Bucket.
func (f *Folder) Put(_ context.Context, key string, content io.Reader) error {
	name, err := local(key)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("put object: %w", withoutPath(err))
	}
	temporary := path.Join(dir, partial+sinks.NewID().String())
	out, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("put object: %w", withoutPath(err))
	}
	_, err = io.Copy(out, content)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("put object: %w", errors.Join(withoutPath(err), f.root.Remove(temporary)))
	}
	if err := f.root.Rename(temporary, name); err != nil {
		return fmt.Errorf("put object: %w", withoutPath(err))
	}
	return f.sync(dir)
}

// List implements sinks.Bucket.
func (f *Folder) List(ctx context.Context, prefix string, each func(sinks.Object) error) error {
	err := fs.WalkDir(f.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(name, prefix) || strings.HasPrefix(entry.Name(), partial) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		return each(sinks.Object{Key: name, Bytes: info.Size(), Modified: info.ModTime().UTC()})
	})
	if err != nil {
		return fmt.Errorf("list objects: %w", withoutPath(err))
	}
	return nil
}

// local turns a key into a path below the folder.
func local(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." {
		return "", errors.New("the key of an object is not a path below the bucket")
	}
	return key, nil
}

// withoutPath takes the path out of an error: keys can name people.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return fmt.Errorf("%s: %w", of.Op, of.Err)
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}
