package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/note"
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
	} else if next, err := y.newKeyAt(ctx, y.size()); err == nil && next != nil && y.staged.entries != nil {
		// The rotation is the last batch, and its file one of those to be written.
		return y.checkRotation(ctx, y.size(), y.view.name(checkpointName), y.view.signed)
	}
	if _, err := openExactly(y.view.signed, signers...); err != nil {
		y.problems.add(y.view.name(checkpointName), NoEntry, "%v", err)
		return false, nil
	}
	return true, nil
}

// checkRotation checks a checkpoint that hands over to the key in its last entry.
func (y *yearCheck) checkRotation(ctx context.Context, size int64, name string, signed []byte) (trusted bool, err error) {
	next, err := y.newKeyAt(ctx, size)
	if err == nil && next == nil {
		err = errors.New("the last entry of this checkpoint rotates no key")
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("the entry with the new key is missing")
	}
	var c Checkpoint
	if err == nil {
		c, err = openExactly(signed, y.key(), next)
	}
	if err == nil && (c.Size != size || c.Year != y.view.checkpoint.Year) {
		err = errors.New("is of another size or year than its name says")
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		y.problems.add(name, NoEntry, "%v", err)
		return false, nil
	}
	y.keys = append(y.keys, next)
	y.rotations[size] = true
	y.states = append(y.states, state{size: size, root: c.Root, name: name})
	return true, nil
}

// newKeyAt returns the key that the last of the first size entries hands over
// to; nil if it does not.
func (y *yearCheck) newKeyAt(ctx context.Context, size int64) (note.Verifier, error) {
	if size > y.size() {
		return nil, errors.New("is beyond the checkpoint: the log was rolled back")
	}
	entries, err := y.view.bundle(ctx, (size-1)/tileWidth)
	if err != nil {
		return nil, err
	}
	var c checkedEntry
	if err := c.check(entries[(size-1)%tileWidth], nil); err != nil || !c.has(memberNewKey) {
		return nil, err
	}
	public, err := c.newKey()
	if err != nil {
		return nil, err
	}
	return verifierOf(y.key().Name(), public)
}
