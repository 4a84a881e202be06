package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

var (
	_ Store  = (*Folder)(nil)
	_ Locker = (*Folder)(nil)
)

// Modes of what a Folder makes. An auditor is handed a copy of the folder.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// Names in a Folder that are not part of the log. The lock files stay empty.
const (
	fenceName     = "lock"
	turnName      = "turn"
	temporaryName = "tmp"
)

// Folder is a Store in a local directory. Files appear whole, by a rename out of
// its directory "tmp", and after they and the directories on the way to them
// have been synced. The fence is an exclusive lock (flock) on the file "lock",
// which only works where all writers see the same file system's locks: on one
// machine, or on a network file system that shares them.
type Folder struct {
	root     string
	fence    fileLock // held while a checkpoint is compared and swapped
	turn     fileLock // held by the writer whose turn it is
	parallel bool     // whether to sync files side by side

	mu   sync.Mutex
	dirs map[string]bool // directories known to exist durably
}

// OpenFolder opens the directory, which it makes if there is none.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{root: dir, parallel: runtime.GOMAXPROCS(0) > 1, dirs: map[string]bool{}}
	f.fence.path, f.turn.path = f.path(fenceName), f.path(turnName)
	if err := os.MkdirAll(f.path(temporaryName), dirMode); err != nil {
		return nil, fmt.Errorf("open audit folder: %w", err)
	}
	for _, d := range []string{dir, f.path(temporaryName)} {
		if err := syncDir(d); err != nil {
			return nil, fmt.Errorf("open audit folder: %w", err)
		}
	}
	if err := f.sweep(); err != nil {
		return nil, fmt.Errorf("open audit folder: %w", err)
	}
	return f, nil
}

// ReadFolder is a local directory for reading only: nothing is made or locked in
// it, so it may lie on a read-only medium.
func ReadFolder(dir string) Files { return &Folder{root: dir} }

// sweep removes what dead processes left in the temporary directory. Only the
// age tells them from the living, who need a temporary file for milliseconds.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.path(temporaryName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > time.Hour {
			err = os.Remove(f.path(temporaryName, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f *Folder) path(names ...string) string {
	return filepath.Join(append([]string{f.root}, names...)...)
}

// Read implements Files.
func (f *Folder) Read(_ context.Context, name string) ([]byte, error) {
	clean, err := cleanName(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(f.path(clean))
}

// readInto is Read with a buffer to use, if it is large enough.
func (f *Folder) readInto(name string, buffer []byte) ([]byte, error) {
	clean, err := cleanName(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(f.path(clean))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if size := info.Size(); size < int64(cap(buffer)) {
		buffer = buffer[:size+1] // room to see that nothing follows
	} else {
		buffer = make([]byte, size+size/4+1)
	}
	n, err := io.ReadFull(file, buffer)
	if err == nil {
		return io.ReadAll(io.MultiReader(bytes.NewReader(buffer), file)) // it has grown
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return buffer[:n], nil
}

// List implements Files. The folder's own files are no part of the log.
func (f *Folder) List(_ context.Context, dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		entries, err := os.ReadDir(f.path(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield("", err)
			return
		}
		for _, e := range entries {
			name := e.Name()
			if dir == "" && (name == fenceName || name == turnName || name == temporaryName) {
				continue
			}
			if dir != "" {
				name = dir + "/" + name
			}
			if e.IsDir() {
				name += "/"
			}
			if !yield(name, nil) {
				return
			}
		}
	}
}

// Lock implements Locker.
func (f *Folder) Lock(context.Context) (func() error, error) { return f.turn.lock() }

// Swap implements Store: the content is compared and replaced under the fence.
func (f *Folder) Swap(ctx context.Context, name string, old, data []byte, staged ...File) (err error) {
	clean, err := cleanName(name)
	if err != nil {
		return err
	}
	tmp, err := f.prepare(ctx, clean, data, staged)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }() // fails once it has been renamed, which is just as well

	unlock, err := f.fence.lock()
	if err != nil {
		return err
	}
	defer func() {
		if failed := unlock(); err == nil {
			err = failed
		}
	}()
	current, err := os.ReadFile(f.path(clean))
	if errors.Is(err, fs.ErrNotExist) {
		current, err = nil, nil
	}
	switch {
	case err != nil:
		return err
	case (current == nil) != (old == nil) || !bytes.Equal(current, old):
		return ErrConflict
	case bytes.Equal(current, data):
		return f.syncExisting(clean)
	}
	if err := os.Rename(tmp, f.path(clean)); err != nil {
		return err
	}
	return f.syncParent(clean)
}

// prepare writes the staged files, and beside them the temporary file that is to
// be renamed.
func (f *Folder) prepare(ctx context.Context, name string, data []byte, staged []File) (tmp string, err error) {
	written := make(chan error, 1)
	write := func() { written <- f.Write(ctx, staged...) }
	if f.parallel && len(staged) > 0 {
		go write()
	} else {
		write()
	}
	if err = f.makeDir(path.Dir(name)); err == nil {
		tmp, err = f.writeTemporary(data)
	}
	if failed := <-written; failed != nil {
		return "", errors.Join(failed, err, removeIfNamed(tmp))
	}
	return tmp, err
}

func removeIfNamed(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

// Remove implements Store. That a file is gone need not be durable: everything
// that is removed may come back without harm.
func (f *Folder) Remove(_ context.Context, name string) error {
	clean, err := cleanName(name)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, "/") {
		return os.RemoveAll(f.path(clean))
	}
	if err := os.Remove(f.path(clean)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
