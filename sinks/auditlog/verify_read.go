package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// written is a tile or bundle as far as it has been written: all of it or, while
// the staging reaches into it, what it was before. A width of 0 is no file.
type written struct {
	tile
	name string
	data []byte
}

// readWritten reads a tile or bundle as far as it has been written. One that a
// writer has completed since, and whose partial versions it has removed, is cut to
// what it was; if it was no writer, the full one is found to be beyond the
// checkpoint. The content may stand in the buffer.
func (y *yearCheck) readWritten(ctx context.Context, t tile, buffer []byte) (written, error) {
	before := tile{t.level, t.n, 0} // as it was before the staged entries
	if y.stagedReaches(t) {
		before.width = t.widthAt(y.staged.from)
	}
	name := y.view.name(t.path())
	for _, as := range []tile{t, before} {
		if as.width == 0 {
			continue
		}
		name = y.view.name(as.path())
		data, err := readInto(ctx, y.files, name, buffer)
		if !errors.Is(err, fs.ErrNotExist) {
			return written{as, name, data}, err
		}
	}
	data, err := y.view.tile(ctx, t)
	switch {
	case err == nil:
		return written{t, y.view.name(t.full().path()), data}, nil
	case errors.Is(err, fs.ErrNotExist) && y.stagedReaches(t) && before.width == 0:
		return written{before, y.stagedName(), nil}, nil
	}
	return written{t, name, nil}, err
}

// checkPartials compares older versions of a tile or bundle, which are the
// beginnings of its present content.
func (y *yearCheck) checkPartials(ctx context.Context, p *problems, t tile, data []byte) error {
	for _, width := range y.inventory.partials[t] {
		partial := tile{t.level, t.n, width}
		got, err := y.view.read(ctx, partial.path())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by a writer, now that the full one is there
		}
		if err != nil {
			return err
		}
		if !isBeginning(got, data, partial) {
			p.add(y.view.name(partial.path()), NoEntry, "is not what the log began with")
		}
	}
	return nil
}

// isBeginning reports whether a partial tile or bundle has what a wider version of
// it begins with. Of a bundle only what is written is there to compare.
func isBeginning(got, data []byte, partial tile) bool {
	if partial.level != entriesLevel {
		end := partial.width * tlog.HashSize
		return end <= len(data) && bytes.Equal(got, data[:end])
	}
	want, err := cutBundle(data, partial.width)
	return err == nil && bytes.Equal(got, want)
}
