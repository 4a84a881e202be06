package auditlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/facesoft/lapse/sinks"
)

// Rotate hands the log over to another key of the same name. The handover is an
// entry with the new public key, under a checkpoint signed by both keys, which is
// kept for good: it lets verification follow from the first key to the last. When
// Rotate returns, this Log signs with the new key, and every other process that
// has the old one gets ErrKeyRotated. The new key must therefore be where all
// writers find it, durably, before Rotate is called.
func (l *Log) Rotate(ctx context.Context, next Signer, actor sinks.Actor) error {
	r, err := l.newRotation(next, actor)
	if err == nil {
		err = l.submit(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("rotate audit key: %w", err)
	}
	return nil
}

func (l *Log) newRotation(next Signer, actor sinks.Actor) (*request, error) {
	r := &request{done: make(chan struct{})}
	r.by = provenance{actor: actor, run: sinks.NewID()}
	r.next = next
	e := ownEntry(sinks.ActionRotateKey, r.by, l.writer.now())
	e.NewKey = next.PublicKey()
	record, err := encodeUntimed(e)
	r.records = []untimed{record}
	return r, err
}

// checkNext refuses a key that cannot follow the writer's.
func (w *writer) checkNext(next Signer) error {
	if next.Name() != w.signer.Name() {
		return errors.New("the new key is of a log of another name")
	}
	if next.PublicKey() == w.signer.PublicKey() {
		return errors.New("the new key is the old key")
	}
	return nil
}

// use makes the writer sign with another key.
func (w *writer) use(key Signer) error {
	verifier, err := verifierOf(key.Name(), key.PublicKey())
	if err != nil {
		return err
	}
	w.signer, w.verifier = key, verifier
	return nil
}
