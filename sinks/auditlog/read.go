package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sort"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Record is an entry with its place in the log.
type Record struct {
	Position
	Entry *sinks.Entry `json:"entry"`
}

// Filter selects entries. What is zero selects all.
type Filter struct {
	From, Until time.Time // by the time the entry was written: From <= Time < Until
	Run         sinks.ID
	Action      sinks.Action
	Dataset     sinks.Name
}

func (f Filter) matches(e *sinks.Entry) bool {
	return !e.Time.Before(f.From) &&
		(f.Until.IsZero() || e.Time.Before(f.Until)) &&
		(f.Run.IsZero() || f.Run == e.Run) &&
		(f.Action == "" || f.Action == e.Action) &&
		(f.Dataset.IsZero() || f.Dataset == e.Dataset)
}

// ErrNoLog means that there is no checkpoint, and so no entry, in the place given.
var ErrNoLog = errors.New("no audit log here")

// Newest returns the newest checkpoint as it is signed, without verifying it.
// It is ErrNoLog if there is none.
func Newest(ctx context.Context, files Files) (signed []byte, c Checkpoint, err error) {
	v, err := newestView(ctx, files)
	if err == nil && v == nil {
		err = ErrNoLog
	}
	if err != nil {
		return nil, Checkpoint{}, fmt.Errorf("read newest checkpoint: %w", err)
	}
	return v.signed, v.checkpoint, nil
}

// views opens all years as they stand now, oldest first.
func views(ctx context.Context, files Files) ([]*view, error) {
	list, err := years(ctx, files)
	if err != nil {
		return nil, err
	}
	var opened []*view
	for _, year := range list {
		v, err := openView(ctx, files, year)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		opened = append(opened, v)
	}
	return opened, nil
}

// Backwards yields the entries from the newest to the oldest as they stand when
// it is called, a bundle in memory at a time. It ends at the first error. It
// trusts the store; Verify does not.
func Backwards(ctx context.Context, files Files) iter.Seq2[*sinks.Entry, error] {
	opened, err := views(ctx, files)
	return func(yield func(*sinks.Entry, error) bool) {
		if err != nil {
			yield(nil, fmt.Errorf("read audit log: %w", err))
			return
		}
		for _, v := range slices.Backward(opened) {
			for n := (v.checkpoint.Size - 1) / tileWidth; n >= 0; n-- {
				records, err := v.records(ctx, n)
				if err != nil {
					yield(nil, fmt.Errorf("read audit log: %w", err))
					return
				}
				for _, r := range slices.Backward(records) {
					if !yield(r.Entry, nil) {
						return
					}
				}
			}
		}
	}
}

// Entries yields the entries that a filter selects, oldest first, as they stand
// when the iteration begins. It ends at the first error. It trusts the store.
func Entries(ctx context.Context, files Files, filter Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		opened, err := views(ctx, files)
		for _, v := range opened {
			if more := v.yield(ctx, filter, yield); !more {
				return
			}
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("read audit log: %w", err))
		}
	}
}

// Encoded yields the entries from a place on in their canonical form, oldest
// first, as they stand when the iteration begins: for copying them. It ends at the
// first error. It trusts the store.
func Encoded(ctx context.Context, files Files, year int, index int64) iter.Seq2[sinks.AuditRecord, error] {
	return func(yield func(sinks.AuditRecord, error) bool) {
		opened, err := views(ctx, files)
		for _, v := range opened {
			if v.checkpoint.Year < year {
				continue
			}
			if more := v.yieldEncoded(ctx, index, yield); !more {
				return
			}
			index = 0
		}
		if err != nil {
			yield(sinks.AuditRecord{}, fmt.Errorf("read audit log: %w", err))
		}
	}
}

func (v *view) yieldEncoded(ctx context.Context, index int64, yield func(sinks.AuditRecord, error) bool) bool {
	for index < v.checkpoint.Size {
		entries, err := v.bundle(ctx, index/tileWidth)
		if err != nil {
			yield(sinks.AuditRecord{}, fmt.Errorf("read audit log: %w", err))
			return false
		}
		for _, e := range entries[index%tileWidth:] {
			if !yield(sinks.AuditRecord{Year: v.checkpoint.Year, Index: index, Entry: e}, nil) {
				return false
			}
			index++
		}
	}
	return true
}

func (v *view) yield(ctx context.Context, filter Filter, yield func(Record, error) bool) bool {
	n, err := v.firstSince(ctx, filter.From)
	for ; err == nil && n*tileWidth < v.checkpoint.Size; n++ {
		var records []Record
		if records, err = v.records(ctx, n); err != nil {
			break
		}
		for _, r := range records {
			if !filter.Until.IsZero() && !r.Entry.Time.Before(filter.Until) {
				return false // time never runs backwards in the log
			}
			if filter.matches(r.Entry) && !yield(r, nil) {
				return false
			}
		}
	}
	if err != nil {
		yield(Record{}, fmt.Errorf("read audit log: %w", err))
	}
	return err == nil
}

// firstSince returns the first bundle that can hold an entry written at or after
// a time: the one before the first bundle that begins then or later, because an
// instant may span bundles.
func (v *view) firstSince(ctx context.Context, from time.Time) (int64, error) {
	if from.IsZero() {
		return 0, nil
	}
	bundles := int((v.checkpoint.Size + tileWidth - 1) / tileWidth)
	var failed error
	n := sort.Search(bundles, func(n int) bool {
		entries, err := v.bundle(ctx, int64(n))
		if err != nil {
			failed = err
			return true
		}
		e, err := Decode(entries[0])
		if err != nil {
			failed = fmt.Errorf("%s bundle %d: %w", v.dir, n, err)
			return true
		}
		return !e.Time.Before(from)
	})
	return int64(max(n-1, 0)), failed
}

// records decodes a bundle.
func (v *view) records(ctx context.Context, n int64) ([]Record, error) {
	entries, err := v.bundle(ctx, n)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(entries))
	for i, b := range entries {
		p := Position{v.checkpoint.Year, n*tileWidth + int64(i)}
		e, err := Decode(b)
		if err != nil {
			return nil, fmt.Errorf("entry %v: %w", p, err)
		}
		records[i] = Record{p, e}
	}
	return records, nil
}
