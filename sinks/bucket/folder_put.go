package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/facesoft/lapse/sinks"
)

// Put implements sinks.Bucket. What is being written lies aside, under a name by
// which Versions finds it should the process end.
func (f *Folder) Put(_ context.Context, key string, content io.Reader) error {
	name, err := local(key)
	if err != nil {
		return err
	}
	if err := f.root.MkdirAll(uploads, 0o700); err != nil {
		return fmt.Errorf("put object: %w", withoutPath(err))
	}
	temporary := path.Join(uploads, uploadPrefix(name)+"-"+sinks.NewID().String())
	if err := f.write(temporary, content); err != nil {
		return fmt.Errorf("put object: %w", errors.Join(withoutPath(err), f.remove(temporary)))
	}
	if err := f.move(temporary, name); err != nil {
		return fmt.Errorf("put object: %w", errors.Join(withoutPath(err), f.remove(temporary)))
	}
	for dir := path.Dir(name); err == nil; dir = path.Dir(dir) { // it may be a new one, in a new one
		if err = f.sync(dir); dir == "." {
			break
		}
	}
	return err
}

func (f *Folder) write(name string, content io.Reader) error {
	out, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Sync(), out.Close())
}

// move gives an object its name. The folder it belongs into may be removed, as an
// empty one, while it is being made, or before it is used.
func (f *Folder) move(from, to string) (err error) {
	for range 10 {
		if err = f.root.MkdirAll(path.Dir(to), 0o700); err != nil && !absent(err) && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err = f.root.Rename(from, to); !absent(err) {
			return err
		}
	}
	return err
}

// Get implements sinks.ReadableBucket.
func (f *Folder) Get(_ context.Context, key string) (io.ReadCloser, error) {
	name, err := local(key)
	if err != nil {
		return nil, err
	}
	object, err := f.root.Open(name)
	switch {
	case absent(err):
		return nil, fmt.Errorf("get object: %w", sinks.ErrSourceMissing)
	case err != nil:
		return nil, fmt.Errorf("get object: %w", withoutPath(err))
	}
	return object, nil
}
