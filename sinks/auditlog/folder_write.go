package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Write implements Store. The files are placed one after the other and their
// directories synced at the end, each once.
func (f *Folder) Write(_ context.Context, files ...File) error {
	var placed []string
	for _, file := range files {
		clean, err := cleanName(file.Name)
		if err != nil {
			return err
		}
		if isStaging(clean) {
			err = f.create(File{clean, file.Data})
		} else {
			err = f.placeOnce(File{clean, file.Data})
		}
		if err != nil {
			return err
		}
		placed = append(placed, clean)
	}
	return f.syncParents(placed)
}

// placeOnce places a file unless it is there with the same content. The directory
// it lands in remains to be synced.
func (f *Folder) placeOnce(file File) error {
	current, err := os.ReadFile(f.path(file.Name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.place(file)
	case err != nil:
		return err
	case !bytes.Equal(current, file.Data):
		return &fs.PathError{Op: "write", Path: file.Name, Err: ErrDiffers}
	}
	// Whoever wrote it may have died before syncing it.
	return syncFile(f.path(file.Name))
}

// place writes a synced temporary file and renames it to its name. The directory
// it lands in remains to be synced.
func (f *Folder) place(file File) (err error) {
	if err := f.makeDir(path.Dir(file.Name)); err != nil {
		return err
	}
	tmp, err := f.writeTemporary(file.Data)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	target := f.path(file.Name)
	err = os.Rename(tmp, target)
	if errors.Is(err, fs.ErrNotExist) {
		// The directory was removed, as directories of partial tiles are.
		f.forget(path.Dir(file.Name))
		if err = f.makeDir(path.Dir(file.Name)); err == nil {
			err = os.Rename(tmp, target)
		}
	}
	return err
}

// writeTemporary writes a synced file of mode 0600 and returns its path.
func (f *Folder) writeTemporary(data []byte) (string, error) {
	tmp, err := os.CreateTemp(f.path(temporaryName), "*")
	if err != nil {
		return "", err
	}
	if err := writeSynced(tmp, data); err != nil {
		return "", errors.Join(err, os.Remove(tmp.Name()))
	}
	return tmp.Name(), nil
}

// create writes a synced file in its place. Only a staged batch can do with that:
// its name is its own, and nobody looks for it before the checkpoint that it leads
// to, which is swapped in when it is whole. With one change of the directory less,
// there is one commit of the file system's journal less.
func (f *Folder) create(file File) error {
	if err := f.makeDir(path.Dir(file.Name)); err != nil {
		return err
	}
	target, err := os.OpenFile(f.path(file.Name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	return writeSynced(target, file.Data)
}

// isStaging reports whether a name in a year's directory is of a staged batch.
func isStaging(name string) bool {
	_, below, _ := strings.Cut(name, "/")
	return strings.HasPrefix(below, stagingDir+"/")
}

func writeSynced(file *os.File, data []byte) error {
	_, err := file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// makeDir makes a directory and those above it, and makes them durable. Another
// process may have made one and died before syncing it, so that it exists is no
// reason to skip the sync the first time.
func (f *Folder) makeDir(dir string) error {
	f.mu.Lock()
	known := f.dirs[dir]
	f.mu.Unlock()
	if known || dir == "." {
		return nil
	}
	if err := f.makeDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(f.path(dir), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.syncParent(dir); err != nil {
		return err
	}
	f.mu.Lock()
	f.dirs[dir] = true
	f.mu.Unlock()
	return nil
}

func (f *Folder) forget(dir string) {
	f.mu.Lock()
	delete(f.dirs, dir)
	f.mu.Unlock()
}

func (f *Folder) syncExisting(name string) error {
	if err := syncFile(f.path(name)); err != nil {
		return err
	}
	return f.syncParent(name)
}

func (f *Folder) syncParent(name string) error { return syncFile(f.path(path.Dir(name))) }

func (f *Folder) syncParents(names []string) error {
	dirs := make([]string, len(names))
	for i, name := range names {
		dirs[i] = path.Dir(name)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := syncFile(f.path(dir)); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the directory entry of a path durable.
func syncDir(path string) error { return syncFile(filepath.Dir(path)) }

func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
