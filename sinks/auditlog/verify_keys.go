package auditlog

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkKeys follows the year's rotations from the key it begins with, and checks
// the checkpoint's signatures with what is then in force. It reports whether the
// checkpoint can be trusted. The entries that the rotations rest on are read here
// and again with all others; that the two are the same is what the states see to.
func (y *yearCheck) checkKeys(ctx context.Context) (trusted bool, err error) {
	for _, size := range y.inventory.rotations {
		signed, err := y.view.read(ctx, rotationName(size))
		if err != nil {
			return false, err
		}
		trusted, err := y.checkRotation(ctx, size, y.view.name(rotationName(size)), signed)
		if err != nil || !trusted {
			return false, err
		}
	}
	signers := []note.Verifier{y.key()}
	if y.rotations[y.size()] {
		signers = y.keys[len(y.keys)-2:]
	} else if y.endsInRotation() {
		// Its file is one of those that are yet to be written.
		return y.checkRotation(ctx, y.size(), y.view.name(checkpointName), y.view.signed)
	}
	if err := checkExactly(y.view.signed, signers...); err != nil {
		y.problems.add(y.view.name(checkpointName), NoEntry, "%v", err)
		return false, nil
	}
	for size := range y.rotations {
		if size > y.size() {
			y.problems.add(y.view.name(checkpointName), NoEntry, "is older than the key rotation at %d: the log was rolled back", size)
			return false, nil
		}
	}
	return true, nil
}

// endsInRotation reports whether the last staged entry rotates the key.
func (y *yearCheck) endsInRotation() bool {
	if len(y.staged.entries) == 0 {
		return false
	}
	return y.keyIn(y.staged.entries[len(y.staged.entries)-1]) != nil
}

// checkRotation checks a checkpoint that hands over to the key in its last entry.
// It is trusted for its signature by the old key, and the entry if it turns out to
// be in the tree of that checkpoint, which the states see to.
func (y *yearCheck) checkRotation(ctx context.Context, size int64, name string, signed []byte) (trusted bool, err error) {
	c, _, err := openCheckpoint(signed, y.key())
	if err == nil && (c.Size != size || c.Year != y.view.checkpoint.Year) {
		err = errors.New("is of another size or year than its name says")
	}
	if err != nil {
		y.problems.add(name, NoEntry, "%v", err)
		return false, nil
	}
	then := &view{files: y.files, dir: y.view.dir, checkpoint: c}
	entry, file, err := y.lastEntry(ctx, then)
	if err != nil {
		return false, err
	}
	next := y.keyIn(entry)
	if next != nil {
		err = checkExactly(signed, y.key(), next)
	}
	switch {
	case next == nil || err != nil && !agrees(ctx, then, entry):
		y.problems.add(file, size-1, "is not the entry with the new key that %s was signed for", name)
		return false, nil
	case err != nil:
		y.problems.add(name, NoEntry, "%v", err)
		return false, nil
	}
	y.keys = append(y.keys, next)
	y.rotations[size] = true
	y.states = append(y.states, state{size: size, root: c.Root, name: name})
	return true, nil
}

// lastEntry returns the last entry of an earlier checkpoint, nil if there is none
// to be had, and the file it is in. It looks at files as they were then, since
// nothing later can be trusted yet.
func (y *yearCheck) lastEntry(ctx context.Context, then *view) (entry []byte, file string, err error) {
	bundle := tile{entriesLevel, (then.checkpoint.Size - 1) / tileWidth, 0}
	bundle.width = bundle.widthAt(then.checkpoint.Size)
	file = y.stagedName()
	for _, t := range []tile{bundle.full(), bundle} {
		if _, err := y.view.read(ctx, t.path()); err == nil {
			file = y.view.name(t.path())
		}
	}
	entries, err := then.bundle(ctx, bundle.n)
	switch {
	case err == nil:
		return entries[bundle.width-1], file, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, y.view.name(bundle.path()), nil
	case errors.Is(err, errBundle) || errors.Is(err, errStaging):
		return nil, file, nil
	}
	return nil, "", err
}

// keyIn returns the key that an entry hands over to, nil if it does not.
func (y *yearCheck) keyIn(entry []byte) note.Verifier {
	var c checkedEntry
	if entry == nil || c.check(entry, nil) != nil || !c.has(memberNewKey) {
		return nil
	}
	public, err := c.newKey()
	if err != nil {
		return nil
	}
	next, err := verifierOf(y.key().Name(), public)
	if err != nil {
		return nil
	}
	return next
}

// agrees reports whether an entry is the last one that the tiles of a view have.
// A tile that cannot be read decides nothing.
func agrees(ctx context.Context, then *view, entry []byte) bool {
	t := tile{0, (then.checkpoint.Size - 1) / tileWidth, 0}
	t.width = t.widthAt(then.checkpoint.Size)
	data, err := then.tile(ctx, t)
	hashes, ok := splitHashes(data)
	return err != nil || !ok || len(hashes) != t.width || hashes[t.width-1] == tlog.RecordHash(entry)
}
