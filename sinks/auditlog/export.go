package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

// Export writes the log as it stands, file by file, as a log that nobody has open:
// every entry has its tiles, and there is no staging, so that any tool for
// tlog-tiles reads each year. It can run beside writers. Full tiles and bundles are
// copied as they lie; that they agree with the signed checkpoint is for Verify to
// say, before and after.
func Export(ctx context.Context, files Files, write func(File) error) error {
	opened, err := views(ctx, files)
	if err == nil && len(opened) == 0 {
		err = ErrNoLog
	}
	for _, v := range opened {
		if err == nil {
			err = v.export(ctx, write)
		}
	}
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return nil
}

// export writes a year, its checkpoint last.
func (v *view) export(ctx context.Context, write func(File) error) error {
	for level := entriesLevel; ; level++ {
		more := false
		for n := int64(0); ; n++ {
			t := tile{level, n, 0}
			if t.width = t.widthAt(v.checkpoint.Size); t.width == 0 {
				break
			}
			more = true
			data, err := v.exported(ctx, t)
			if err != nil {
				return err
			}
			if err := write(File{v.name(t.path()), data}); err != nil {
				return err
			}
		}
		if !more {
			break
		}
	}
	if err := v.exportRotations(ctx, write); err != nil {
		return err
	}
	return write(File{v.name(checkpointName), v.signed})
}

// exported returns the content of a tile or bundle, made anew if a writer has not
// written it yet.
func (v *view) exported(ctx context.Context, t tile) ([]byte, error) {
	if t.level != entriesLevel {
		return v.hashes(ctx, t)
	}
	data, err := v.tile(ctx, t)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	entries, err := v.bundle(ctx, t.n)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data = appendEntry(data, e)
	}
	return data, nil
}

func (v *view) exportRotations(ctx context.Context, write func(File) error) error {
	names, err := listYear(ctx, v.files, v.dir)
	if err != nil {
		return err
	}
	rotations := takeInventory(names, v.checkpoint.Size).rotations
	for _, size := range rotations {
		if size > v.checkpoint.Size {
			break // of a writer who is at work
		}
		signed, err := v.read(ctx, rotationName(size))
		if err != nil {
			return err
		}
		if err := write(File{v.name(rotationName(size)), signed}); err != nil {
			return err
		}
	}
	if slices.Contains(rotations, v.checkpoint.Size) {
		return nil
	}
	entries, err := v.bundle(ctx, (v.checkpoint.Size-1)/tileWidth)
	if err != nil {
		return err
	}
	last, err := readLast(entries[len(entries)-1])
	if err != nil || last.newKey == (sinks.PublicKey{}) {
		return err
	}
	return write(File{v.name(rotationName(v.checkpoint.Size)), v.signed}) // its own is yet to be written
}
