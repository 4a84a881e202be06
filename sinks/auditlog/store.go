package auditlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
)

// Errors of a Store. A name that does not exist is fs.ErrNotExist.
var (
	// ErrConflict means that somebody else changed the file first: nothing
	// was written, and the caller must look again.
	ErrConflict = errors.New("changed by another writer")
	// ErrDiffers means that a write-once file exists with other content.
	ErrDiffers = errors.New("exists with other content")
)

// Files is what reading and verifying a log needs. Names are slash-separated
// and relative to the log's directory. Both methods may be called concurrently.
type Files interface {
	// Read returns the whole content of a file, which the caller may change.
	// The error is fs.ErrNotExist if, and only if, there is no such file.
	Read(ctx context.Context, name string) ([]byte, error)
	// List yields the names directly below dir ("" is the log's directory),
	// a directory's with a slash at its end, in lexical order. A directory
	// that does not exist is empty. It ends at the first error.
	List(ctx context.Context, dir string) iter.Seq2[string, error]
}

// File is a file to be written.
type File struct {
	Name string
	Data []byte
}

// Store is a place where a log can live. Every method may be called by several
// goroutines and processes at once. What a method has done is durable when it
// returns without error; after an error other than ErrConflict or ErrDiffers it
// may have been done or not, but never by half: a file is whole or absent. Half a
// file may be left only in a directory named staging, by a Swap that did not
// succeed, and then nobody reads it.
type Store interface {
	Files
	// Write creates files that never change afterwards. A file that exists
	// with the same content is left as it is; with other content it is
	// ErrDiffers.
	Write(ctx context.Context, files ...File) error
	// Swap replaces a file's content by data if it is still old, where nil
	// stands for no such file, and is ErrConflict if it is not. Of several
	// callers with the same old, at most one succeeds. With data equal to old
	// it makes sure that what is read there is durable. Before all that it
	// writes the staged files.
	Swap(ctx context.Context, name string, old, data []byte, staged ...File) error
	// Remove deletes a file, or where name ends in a slash everything below
	// it. What does not exist is removed already.
	Remove(ctx context.Context, name string) error
}

// Locker is a Store on which writers can take turns. It spares them conflicts
// in Swap; correctness never depends on it.
type Locker interface {
	// Lock waits until no other goroutine or process holds the lock. A lock
	// ends with its process.
	Lock(ctx context.Context) (unlock func() error, err error)
}

// Walk yields the names of all files below dir, in lexical order of each
// directory, for listing or copying a log.
func Walk(ctx context.Context, files Files, dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		walk(ctx, files, dir, yield)
	}
}

func walk(ctx context.Context, files Files, dir string, yield func(string, error) bool) bool {
	for name, err := range files.List(ctx, dir) {
		if err != nil {
			yield("", err)
			return false
		}
		if sub, ok := strings.CutSuffix(name, "/"); ok {
			if !walk(ctx, files, sub, yield) {
				return false
			}
		} else if !yield(name, nil) {
			return false
		}
	}
	return true
}

// cleanName refuses a name that would lead out of the log's directory.
func cleanName(name string) (string, error) {
	clean := strings.TrimSuffix(name, "/")
	if clean == "" || clean == "." || path.IsAbs(clean) || path.Clean(clean) != clean || strings.HasPrefix(clean, "..") {
		return "", fmt.Errorf("malformed file name in the audit log")
	}
	return clean, nil
}
