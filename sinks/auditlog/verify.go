package auditlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// VerifyOptions says what Verify has beside the log and the key.
type VerifyOptions struct {
	// Anchors are older checkpoints, kept where nobody who can change the log
	// can change them. The log must be a continuation of each.
	Anchors []Anchor
	// Workers is how many goroutines read and hash; 0 is one for each processor.
	Workers int
}

// Verify checks a whole log against nothing but the public key it began with:
//
//   - every year's checkpoint is signed by the key in force, which only a
//     rotation signed by its predecessor may have replaced;
//   - its root hash is that of the entries, and every tile is what they give;
//   - every file is there, and no file that does not belong there;
//   - every entry is canonical and valid, and time never runs backwards;
//   - every outcome has an intent with the same step before it;
//   - every year continues the one before it, from its very end;
//   - every anchor is a state that the log has passed through.
//
// It reads the log once, a few bundles at a time, and can run beside writers.
// Memory grows by less than 100 bytes for each step ever taken.
//
// The error is nil if all of this holds. It wraps ErrNotVerified if some of it
// does not, and Report.Problems says what and where; where a file and its tile
// disagree, the signed root decides which is to blame. Any other error means that
// the log could not be read, and the report says nothing.
func Verify(ctx context.Context, files Files, key note.Verifier, options VerifyOptions) (*Report, error) {
	v := &verification{
		files:   files,
		keys:    []note.Verifier{key},
		anchors: options.Anchors,
		workers: options.Workers,
		steps:   newSteps(),
	}
	if v.workers <= 0 {
		v.workers = runtime.GOMAXPROCS(0)
	}
	if err := v.run(ctx); err != nil {
		return nil, fmt.Errorf("verify audit log: %w", err)
	}
	return &v.report, v.report.err()
}

// verification is the state of one Verify.
type verification struct {
	files   Files
	keys    []note.Verifier // in the order of their rotations
	anchors []Anchor
	workers int

	report   Report
	problems problems
	stopped  bool        // at a checkpoint that cannot be trusted
	previous *YearReport // the year before the one being verified
	lastTime int64       // of the entry before, milliseconds since 1970-01-01
	steps    *steps
}

func (v *verification) key() note.Verifier { return v.keys[len(v.keys)-1] }

func (v *verification) run(ctx context.Context) error {
	list, err := v.topLevel(ctx)
	if err != nil {
		return err
	}
	for _, year := range list {
		if err := v.verifyYear(ctx, year); err != nil {
			return err
		}
		if v.stopped {
			break // what is not signed says nothing, nor what follows it
		}
	}
	if v.report.Entries == 0 && v.problems.count == 0 {
		return ErrNoLog
	}
	for _, a := range v.anchors { // those of the years there are have been taken out
		if v.stopped {
			break
		}
		v.problems.add(a.Name, NoEntry, "is of a year, or a log, that is not there: the log was rolled back, or is another")
	}
	v.listOpenSteps()
	v.report.Problems, v.report.Failures = v.problems.list, v.problems.count
	for _, k := range v.keys {
		if text, ok := k.(fmt.Stringer); ok {
			v.report.Keys = append(v.report.Keys, text.String())
		}
	}
	return nil
}

// topLevel returns the years, and reports everything else that lies beside them.
func (v *verification) topLevel(ctx context.Context) ([]int, error) {
	for name, err := range v.files.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		_, isYear := parseYear(strings.TrimSuffix(name, "/"))
		if !isYear || !strings.HasSuffix(name, "/") {
			v.problems.add(strings.TrimSuffix(name, "/"), NoEntry, "does not belong here")
		}
	}
	return years(ctx, v.files)
}

// verifyYear verifies one year's log. Problems are noted; an error is for what
// cannot be read.
func (v *verification) verifyYear(ctx context.Context, year int) error {
	names, err := listYear(ctx, v.files, yearName(year))
	if err != nil {
		return err
	}
	opened, staged, err := v.snapshot(ctx, year)
	if errors.Is(err, fs.ErrNotExist) {
		v.uncommittedYear(year, names)
		return nil
	}
	if errors.Is(err, errCheckpointText) || errors.Is(err, errCheckpointYear) {
		v.problems.add(yearName(year)+"/"+checkpointName, NoEntry, "%v", errors.Unwrap(err))
		v.stopped = true
		return nil
	}
	if err != nil {
		return err
	}
	y := newYearCheck(v, opened, takeInventory(names, opened.checkpoint.Size), staged)
	trusted, err := y.checkKeys(ctx)
	if err != nil || !trusted {
		v.stopped = true
		return err
	}
	y.takeAnchors()
	if err := y.stream(ctx); err != nil {
		return err
	}
	return y.finish(ctx)
}

// snapshot opens a year's log with the staging that leads to its checkpoint,
// both of the same moment.
func (v *verification) snapshot(ctx context.Context, year int) (*view, stagedEntries, error) {
	for {
		opened, err := openView(ctx, v.files, year)
		if err != nil {
			return nil, stagedEntries{}, err
		}
		var s stagedEntries
		s.from, s.entries, s.err = loadStaged(ctx, opened)
		again, err := openView(ctx, v.files, year)
		if err != nil || again.checkpoint == opened.checkpoint {
			return opened, s, err
		}
	}
}

// uncommittedYear is a year of which only staged batches may exist: its first
// writer died, or was overtaken, before its checkpoint.
func (v *verification) uncommittedYear(year int, names []string) {
	dir, inv := yearName(year), takeInventory(names, 0)
	for _, name := range inv.unknown {
		v.problems.add(dir+"/"+name, NoEntry, "does not belong here")
	}
	if inv.tiles || len(inv.rotations) > 0 {
		v.problems.add(dir+"/"+checkpointName, NoEntry, "is missing")
	}
	for _, name := range inv.staging {
		v.report.Leftovers = append(v.report.Leftovers, dir+"/"+name)
	}
}

// listOpenSteps lists the intents that no outcome followed, oldest first.
func (v *verification) listOpenSteps() {
	var list []stepSlot
	for step, state := range v.steps.open {
		list = append(list, stepSlot{step, state})
	}
	v.report.OpenSteps = int64(len(list))
	slices.SortFunc(list, func(a, b stepSlot) int { return cmp.Compare(a.state, b.state) })
	for _, o := range list[:min(len(list), maxListed)] {
		v.report.Open = append(v.report.Open, OpenStep{v.position(o.state.ordinal()), o.step})
	}
}

// position turns an entry's ordinal in the whole log, from 1, into its place.
func (v *verification) position(ordinal int64) Position {
	index := ordinal - 1
	for _, y := range v.report.Years {
		if index < y.Size {
			return Position{y.Year, index}
		}
		index -= y.Size
	}
	return Position{}
}
