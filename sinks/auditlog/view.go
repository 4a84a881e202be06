package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// view is one year's log as it stood at a checkpoint. It reads the same however
// the log grows meanwhile.
type view struct {
	files      Files
	dir        string
	signed     []byte
	checkpoint Checkpoint
}

var errCheckpointYear = errors.New("is of another year than its directory")

// openView reads a year's checkpoint without regard to its signatures.
func openView(ctx context.Context, files Files, year int) (*view, error) {
	v := &view{files: files, dir: yearName(year)}
	signed, err := v.read(ctx, checkpointName)
	if err != nil {
		return nil, err
	}
	c, err := parseCheckpoint(signed)
	if err == nil && c.Year != year {
		err = errCheckpointYear
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.name(checkpointName), err)
	}
	v.signed, v.checkpoint = signed, c
	return v, nil
}

// years returns the years that have a directory, in order. One whose first batch
// was not committed has no checkpoint.
func years(ctx context.Context, files Files) ([]int, error) {
	var list []int
	for name, err := range files.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if year, ok := parseYear(strings.TrimSuffix(name, "/")); ok && strings.HasSuffix(name, "/") {
			list = append(list, year)
		}
	}
	slices.Sort(list)
	return list, nil
}

// newestView opens the newest year that has a checkpoint; nil if none has.
func newestView(ctx context.Context, files Files) (*view, error) {
	list, err := years(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, year := range slices.Backward(list) {
		v, err := openView(ctx, files, year)
		if !errors.Is(err, fs.ErrNotExist) {
			return v, err
		}
	}
	return nil, nil
}

func (v *view) name(n string) string { return v.dir + "/" + n }

func (v *view) read(ctx context.Context, n string) ([]byte, error) {
	return v.files.Read(ctx, v.name(n))
}

// readInto reads a file, into a buffer if the files can do so.
func readInto(ctx context.Context, files Files, name string, buffer []byte) ([]byte, error) {
	if folder, ok := files.(*Folder); ok && buffer != nil {
		return folder.readInto(name, buffer)
	}
	return files.Read(ctx, name)
}

// tile reads a tile or bundle that has been written. A partial one may since
// have given way to the full one, which begins with the same content.
func (v *view) tile(ctx context.Context, t tile) ([]byte, error) {
	data, err := v.read(ctx, t.path())
	if !errors.Is(err, fs.ErrNotExist) || t.width == tileWidth {
		return data, err
	}
	missing := err
	data, err = v.read(ctx, tile{t.level, t.n, tileWidth}.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing
	case err != nil:
		return nil, err
	case t.level == entriesLevel:
		return cutBundle(data, t.width)
	case len(data) < t.width*tlog.HashSize:
		return nil, missing
	}
	return data[:t.width*tlog.HashSize], nil
}

// bundle returns the entries of the n-th bundle. What has no tile yet comes from
// the staging, or once another batch has replaced that, from a newer view.
func (v *view) bundle(ctx context.Context, n int64) ([][]byte, error) {
	t := tile{entriesLevel, n, 0}
	t.width = t.widthAt(v.checkpoint.Size)
	entries, err := v.writtenBundle(ctx, t)
	if !errors.Is(err, fs.ErrNotExist) {
		return entries, err
	}
	missing := err
	if entries, err = v.stagedBundle(ctx, t); entries != nil || err != nil {
		return entries, err
	}
	newer, err := openView(ctx, v.files, v.checkpoint.Year)
	if err != nil {
		return nil, err
	}
	if newer.checkpoint.Size > v.checkpoint.Size {
		if entries, err = newer.bundle(ctx, n); err != nil {
			return nil, err
		}
		return entries[:t.width], nil
	}
	// Whoever removed the staging had written the tile before.
	if entries, err = v.writtenBundle(ctx, t); errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	}
	return entries, err
}

func (v *view) writtenBundle(ctx context.Context, t tile) ([][]byte, error) {
	data, err := v.tile(ctx, t)
	if err != nil {
		return nil, err
	}
	entries, err := splitBundle(make([][]byte, 0, t.width), data)
	if err != nil || len(entries) != t.width {
		return nil, fmt.Errorf("%s: %w", v.name(t.path()), errBundle)
	}
	return entries, nil
}

// stagedBundle puts a bundle together from the tile before the staged entries
// and them. It returns nil if there is no staging that reaches the bundle.
func (v *view) stagedBundle(ctx context.Context, t tile) ([][]byte, error) {
	from, staged, err := loadStaged(ctx, v)
	first := t.n * tileWidth
	if err != nil || staged == nil || first+int64(t.width) <= from {
		return nil, err
	}
	var entries [][]byte
	if before := int(max(from-first, 0)); before > 0 {
		entries, err = v.writtenBundle(ctx, tile{t.level, t.n, before})
		if err != nil {
			return nil, err
		}
	}
	begin := first + int64(len(entries)) - from
	return append(entries, staged[begin:first+int64(t.width)-from]...), nil
}
