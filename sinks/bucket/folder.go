package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/facesoft/lapse/sinks"
)

// Folder is a bucket in a local folder. It keeps no versions: an object has one or
// none. Folders below it are removed with their last object.
//
// Objects are regular files. A symbolic link in the place of one is never counted
// as deleted, because its target would remain; links to folders are followed as
// long as they stay below the bucket.
type Folder struct {
	root *os.Root
	pace pace
}

var _ sinks.Bucket = (*Folder)(nil)

// uploads is the folder, in the bucket's own, of objects that are being written.
const uploads = ".uploads"

// OpenFolder opens the bucket in dir, which is made if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return &Folder{root: root}, nil
}

// Close gives the folder up.
func (f *Folder) Close() error { return f.root.Close() }

// Versions implements sinks.Bucket.
func (f *Folder) Versions(ctx context.Context, keys []string, each func(sinks.Version) error) error {
	unfinished, err := f.unfinished()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := f.pace.wait(ctx, 1); err != nil {
			return err
		}
		name, err := local(key)
		if err != nil {
			return err
		}
		info, err := f.root.Lstat(name)
		if err != nil && !absent(err) {
			return fmt.Errorf("look for object: %w", withoutPath(err))
		}
		if err == nil && !info.IsDir() {
			v := sinks.Version{Key: key, Latest: true, Bytes: info.Size(), Modified: info.ModTime().UTC()}
			if err := each(v); err != nil {
				return err
			}
		}
		for _, u := range unfinished[uploadPrefix(name)] {
			u.Key = key
			if err := each(u); err != nil {
				return err
			}
		}
	}
	return nil
}

// VersionsUnder implements sinks.Bucket.
func (f *Folder) VersionsUnder(ctx context.Context, prefixes []string, each func(sinks.Version) error) error {
	for _, prefix := range prefixes {
		err := f.List(ctx, prefix, func(o sinks.Object) error {
			return each(sinks.Version{Key: o.Key, Latest: true, Bytes: o.Bytes, Modified: o.Modified})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unfinished returns the uploads that were begun, by the prefix of their names.
func (f *Folder) unfinished() (map[string][]sinks.Version, error) {
	entries, err := fs.ReadDir(f.root.FS(), uploads)
	if err != nil && !absent(err) {
		return nil, fmt.Errorf("look for unfinished uploads: %w", withoutPath(err))
	}
	found := map[string][]sinks.Version{}
	for _, entry := range entries {
		prefix, _, ok := strings.Cut(entry.Name(), "-")
		info, err := entry.Info()
		if !ok || absent(err) { // finished or given up meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for unfinished uploads: %w", withoutPath(err))
		}
		v := sinks.Version{ID: entry.Name(), Kind: sinks.UnfinishedUpload, Bytes: info.Size(), Modified: info.ModTime().UTC()}
		found[prefix] = append(found[prefix], v)
	}
	return found, nil
}

// uploadPrefix begins the names of a key's unfinished uploads: a hash, because
// names are short.
func uploadPrefix(name string) string { return sinks.HashID(name).String() }

// Delete implements sinks.Bucket.
func (f *Folder) Delete(ctx context.Context, versions []sinks.Version) []error {
	errs := make([]error, len(versions))
	touched := map[string][]int{} // by the folder whose entry was removed
	for i, v := range versions {
		name, err := local(v.Key)
		if v.Kind == sinks.UnfinishedUpload {
			name = path.Join(uploads, path.Base(v.ID))
		}
		if err = errors.Join(err, f.pace.wait(ctx, 1)); err == nil {
			err = f.remove(name)
		}
		if errs[i] = err; err != nil {
			continue
		}
		dir := path.Dir(name)
		if v.Kind != sinks.UnfinishedUpload {
			dir = f.prune(dir)
		}
		touched[dir] = append(touched[dir], i)
	}
	for dir, of := range touched {
		if err := f.sync(dir); err != nil {
			for _, i := range of {
				errs[i] = err
			}
		}
	}
	return errs
}

// remove removes a file, and nothing else.
func (f *Folder) remove(name string) error {
	info, err := f.root.Lstat(name)
	switch {
	case absent(err) || err == nil && info.IsDir(): // no object has this key
		return nil
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("delete object: %w: it is a link or a device; what it leads to would remain", sinks.ErrRefused)
	case err == nil:
		err = f.root.Remove(name)
	}
	if err != nil && !absent(err) {
		return fmt.Errorf("delete object: %w", withoutPath(err))
	}
	return nil
}

// prune removes empty folders from dir upwards, and returns the first that stays.
func (f *Folder) prune(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := f.root.Lstat(dir)
		if absent(err) { // somebody else removed it
			continue
		}
		if err != nil || !info.IsDir() || f.root.Remove(dir) != nil {
			break
		}
	}
	return dir
}

// sync makes what happened in a folder durable.
func (f *Folder) sync(dir string) error {
	d, err := f.root.Open(dir)
	if absent(err) && dir != "." { // removed meanwhile, with what was in it
		return f.sync(path.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("sync bucket: %w", withoutPath(err))
	}
	return errors.Join(withoutPath(d.Sync()), d.Close())
}

// List implements sinks.Bucket.
func (f *Folder) List(ctx context.Context, prefix string, each func(sinks.Object) error) error {
	dir := "."
	if end := strings.LastIndexByte(prefix, '/'); end > 0 {
		if dir = prefix[:end]; !fs.ValidPath(dir) { // no key begins so
			return ctx.Err()
		}
	}
	return f.list(ctx, dir, prefix, each)
}

// list lists a folder. Its entries are sorted as their keys are: those of a folder
// go on with a slash.
func (f *Folder) list(ctx context.Context, dir, prefix string, each func(sinks.Object) error) error {
	entries, err := fs.ReadDir(f.root.FS(), dir)
	if err != nil && !absent(err) {
		return fmt.Errorf("list objects: %w", withoutPath(err))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if err := ctx.Err(); err != nil {
			return err
		}
		if name == uploads {
			continue
		}
		if entry.IsDir() {
			if strings.HasPrefix(name+"/", prefix) {
				err = f.list(ctx, name, prefix, each)
			}
		} else if strings.HasPrefix(name, prefix) {
			if err = f.pace.wait(ctx, 1); err == nil {
				err = show(name, entry, each)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sortName(entry fs.DirEntry) string {
	if entry.IsDir() {
		return entry.Name() + "/"
	}
	return entry.Name()
}

func show(name string, entry fs.DirEntry, each func(sinks.Object) error) error {
	info, err := entry.Info()
	if absent(err) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return fmt.Errorf("list objects: %w", withoutPath(err))
	}
	return each(sinks.Object{Key: name, Bytes: info.Size(), Modified: info.ModTime().UTC()})
}

// local turns a key into a path below the folder.
func local(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." || key == uploads || strings.HasPrefix(key, uploads+"/") || strings.Contains(key, "\x00") {
		return "", fmt.Errorf("%w: the key of an object is not a path below the bucket", sinks.ErrInvalidInput)
	}
	return key, nil
}

// absent reports whether err says that there is no such file: there is no entry,
// what the path takes for a folder is a file, or no file can have such a name.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
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
