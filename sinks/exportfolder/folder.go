// Package exportfolder keeps the copies that are made for people in a folder, a file a
// request, until they are fetched or their window has passed. Nobody but the user that
// Lapse runs as can read them; for more, encrypt them to the person's own key.
package exportfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// Folder is a folder with copies.
type Folder struct{ dir string }

var _ sinks.Exports = (*Folder)(nil)

// Open returns the copies in a folder, which is made if it does not exist.
func Open(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open exports: %w", err)
	}
	return &Folder{dir}, nil
}

// unfinished begins the names of files that are being written.
const unfinished = ".new-"

// Create implements sinks.Exports.
func (f *Folder) Create(request sinks.ID, suffix string) (sinks.ExportWriter, error) {
	file, err := os.CreateTemp(f.dir, unfinished+request.String()+"-")
	if err != nil {
		return nil, fmt.Errorf("make an export: %w", err)
	}
	return &writer{File: file, path: filepath.Join(f.dir, request.String()+suffix)}, nil
}

// List implements sinks.Exports. What an interrupted command has left is listed, too.
func (f *Folder) List() ([]sinks.ExportFile, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	var files []sinks.ExportFile
	for _, e := range entries {
		request, ok := requestOf(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list exports: %w", err)
		}
		files = append(files, sinks.ExportFile{Request: request, Made: info.ModTime().UTC(), Bytes: info.Size()})
	}
	return files, nil
}

func requestOf(name string) (id sinks.ID, ok bool) {
	name = strings.TrimPrefix(name, unfinished)
	const digits = 32
	return id, len(name) > digits && id.UnmarshalText([]byte(name[:digits])) == nil
}

// Delete implements sinks.Exports.
func (f *Folder) Delete(request sinks.ID) (left bool, err error) {
	names, err := f.of(request)
	if err != nil {
		return true, err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, fmt.Errorf("delete an export: %w", err)
		}
	}
	if names, err = f.of(request); err != nil {
		return true, err
	}
	return len(names) > 0, f.sync()
}

// of returns the names of a request's files.
func (f *Folder) of(request sinks.ID) (names []string, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list exports: %w", err)
	}
	for _, e := range entries {
		if id, ok := requestOf(e.Name()); ok && id == request {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f *Folder) sync() error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writer is a copy that is being made.
type writer struct {
	*os.File
	path   string
	closed bool
}

// Close implements sinks.ExportWriter.
func (w *writer) Close() (string, error) {
	err := errors.Join(w.Sync(), w.File.Close())
	w.closed = true
	if err == nil {
		err = os.Rename(w.Name(), w.path)
	}
	if err != nil {
		return "", fmt.Errorf("make an export: %w", errors.Join(err, os.Remove(w.Name())))
	}
	return w.path, (&Folder{filepath.Dir(w.path)}).sync()
}

// Abandon implements sinks.ExportWriter.
func (w *writer) Abandon() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return errors.Join(w.File.Close(), os.Remove(w.Name()))
}
