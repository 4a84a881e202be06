package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// ObjectScheme begins the path of an object, or of all objects with a prefix:
// bucket://NAME/KEY, where NAME is the bucket's in the settings.
const ObjectScheme = "bucket://"

// Objects are input files in buckets: those whose keys begin with the prefixes of
// paths.
type Objects struct {
	buckets map[string]sinks.ReadableBucket
	paths   []string
}

var _ sinks.DisposableInputs = (*Objects)(nil)

// NewObjects returns the objects at paths, each of the form bucket://NAME/PREFIX.
func NewObjects(buckets map[string]sinks.ReadableBucket, paths ...string) *Objects {
	return &Objects{buckets, paths}
}

// List implements sinks.Inputs. Objects that are named twice are listed once; those
// without content, as folders leave them, are passed over.
func (o *Objects) List(ctx context.Context) (files []sinks.InputFile, err error) {
	listed := map[string]bool{}
	for _, path := range o.paths {
		b, prefix, err := o.find(path)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(path, prefix)
		err = b.List(ctx, prefix, func(object sinks.Object) error {
			file := sinks.InputFile{Path: name + object.Key, Bytes: object.Bytes}
			if object.Bytes > 0 && !listed[file.Path] {
				listed[file.Path] = true
				files = append(files, file)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// find returns the bucket of a path, and what follows.
func (o *Objects) find(path string) (sinks.ReadableBucket, string, error) {
	name, key, slash := strings.Cut(strings.TrimPrefix(path, ObjectScheme), "/")
	b, ok := o.buckets[name]
	if !ok || !slash {
		return nil, "", fmt.Errorf("%w: %s names no bucket of the settings; write %sNAME/PREFIX", sinks.ErrInvalidInput, path, ObjectScheme)
	}
	return b, key, nil
}

// Open implements sinks.Inputs.
func (o *Objects) Open(ctx context.Context, f sinks.InputFile) (io.ReadCloser, error) {
	b, key, err := o.find(f.Path)
	if err != nil {
		return nil, err
	}
	opened, err := b.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(opened, f.Bytes), opened}, nil
}

// Remove implements sinks.DisposableInputs: it deletes every version.
func (o *Objects) Remove(ctx context.Context, f sinks.InputFile) error {
	b, key, err := o.find(f.Path)
	if err != nil {
		return err
	}
	for {
		left, err := versions(ctx, b, key)
		if err != nil || len(left) == 0 {
			return err
		}
		for batch := left; len(batch) > 0; {
			n := min(len(batch), sinks.DeleteTogether)
			if err := errors.Join(b.Delete(ctx, batch[:n])...); err != nil {
				return err
			}
			batch = batch[n:]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func versions(ctx context.Context, b sinks.Bucket, key string) (found []sinks.Version, err error) {
	err = b.Versions(ctx, []string{key}, func(v sinks.Version) error {
		found = append(found, v)
		return nil
	})
	return found, err
}

// Move implements sinks.DisposableInputs. Objects are not moved: their store has
// rules of its own for what is to go later.
func (o *Objects) Move(context.Context, sinks.InputFile, sinks.Day, string) error {
	return fmt.Errorf("%w: objects in a bucket are kept or deleted, not moved; use input_files.after: delete, or a lifecycle rule of the store", sinks.ErrInvalidInput)
}

// Processed implements sinks.DisposableInputs: there are none.
func (o *Objects) Processed(context.Context) ([]sinks.ProcessedFile, error) { return nil, nil }
