package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Anonymise publishes the partitions that are past their window in generalised
// form, and then deletes their personal rows. Where the policy asks for it, days are
// published before, and made anew in the end.
//
// The order is: seal, so that nothing is added; separate the rows that may not be
// touched yet, where there are any; stage; publish; verify with
// separate SQL; record the verification; drop; prove absence. A personal row goes
// only after the record of the verification is stored. Until then, everything is
// done again from the start after an interruption; from then on, only the drop is.
type Anonymise struct {
	Policy   *config.Policy
	Personal sinks.PersonalTables
	Publish  sinks.Publisher
	Locks    sinks.Locker
}

var _ Job = (*Anonymise)(nil)

// Small partitions are worked on together: the statements cost more than the rows.
const (
	anonymiseTogether = 62
	anonymiseRows     = 2_000_000
)

// How often partitions are begun with that somebody else finishes meanwhile, and the
// longest wait before they are looked at again.
const (
	conflictAttempts = 5
	conflictWait     = 200 * time.Millisecond
)

// Kind implements Job.
func (*Anonymise) Kind() sinks.JobKind { return sinks.JobAnonymise }

// Batch implements Job.
func (*Anonymise) Batch(steps []Step) int {
	return samePartitions(steps, anonymiseTogether, anonymiseRows)
}

// Parallel implements Job: partitions have nothing to do with each other.
func (*Anonymise) Parallel() int { return 2 }

// Plan implements Job.
func (j *Anonymise) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	due, err := planDatasets(ctx, j.Policy, j.Personal, config.Anonymise, sinks.ActionAnonymise, now)
	early, met := j.planEarly(ctx, now, due)
	return append(due, early...), errors.Join(err, met)
}

// Execute implements Job.
func (j *Anonymise) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	b := &anonymiseBatch{Anonymise: j, early: steps[0].Action == sinks.ActionPublish, dataset: steps[0].Dataset, asOf: in.AsOf, outcomes: make([]Outcome, len(steps))}
	for i, s := range steps {
		b.outcomes[i] = Outcome{Step: s, Result: sinks.ResultDone}
	}
	if err := b.run(ctx, steps); err != nil {
		for i := range b.outcomes {
			if o := &b.outcomes[i]; o.Err == nil && !b.ended[*o.Step.Partition] {
				o.Result, o.Err = sinks.ResultFailed, err
			}
		}
	}
	return b.outcomes
}

// anonymiseBatch is the work on some partitions of one dataset.
type anonymiseBatch struct {
	*Anonymise
	early    bool // the personal rows stay
	dataset  string
	asOf     time.Time
	outcomes []Outcome
	ended    map[sinks.Partition]bool // those with nothing left to do
	attempts int
}

// run carries the steps out. Where another process works on the same partitions
// at the same moment, what is left to do is looked at again.
func (b *anonymiseBatch) run(ctx context.Context, steps []Step) error {
	b.ended = map[sinks.Partition]bool{}
	for {
		b.attempts++
		attempt := b.attempt
		if b.early {
			attempt = b.attemptEarly
		}
		err := attempt(ctx, steps)
		if !errors.Is(err, sinks.ErrConflict) || b.attempts == conflictAttempts {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(rand.N(conflictWait)): // those who met do not meet again
		}
	}
}

func (b *anonymiseBatch) attempt(ctx context.Context, steps []Step) error {
	partitions := partitionsOf(steps)
	verified, err := b.verifiedBefore(ctx, partitions)
	if err != nil {
		return err
	}
	var todo []sinks.Partition
	for _, p := range partitions {
		if _, ok := verified[p]; !ok && !b.ended[p] {
			todo = append(todo, p)
		}
	}
	fresh, err := b.publish(ctx, todo)
	for _, pub := range fresh {
		verified[pub.Partition] = pub
	}
	return errors.Join(err, b.drop(ctx, verified))
}

// found returns what was published of the partitions before, and what is there of them.
func (b *anonymiseBatch) found(ctx context.Context, partitions []sinks.Partition) (map[sinks.Partition]sinks.Publication, map[sinks.Partition]sinks.Holding, error) {
	records, err := b.Publish.Publications(ctx, b.dataset, partitions)
	if err != nil {
		return nil, nil, err
	}
	held, err := b.Personal.Holdings(ctx, b.dataset, partitions)
	return records, held, err
}

// verifiedBefore returns the records of the partitions that an interrupted run had
// verified and begun to drop. A partition of which all rows are still there is
// done again instead: nothing is lost by it.
func (b *anonymiseBatch) verifiedBefore(ctx context.Context, partitions []sinks.Partition) (map[sinks.Partition]sinks.Publication, error) {
	records, held, err := b.found(ctx, partitions)
	if err != nil {
		return nil, err
	}
	exempt, err := b.exempt(ctx, partitions)
	if err != nil {
		return nil, err
	}
	begun := map[sinks.Partition]sinks.Publication{}
	for i := range b.outcomes {
		o := &b.outcomes[i]
		p := *o.Step.Partition
		pub, recorded := records[p]
		recorded = recorded && !pub.Early // it is made anew
		h := held[p]
		if b.ended[p] {
			continue
		}
		o.Stages = nil
		switch {
		case !recorded && h.Personal == 0:
			o.Result = sinks.ResultUnchanged
			b.ended[p] = true
		case !recorded || h.Personal >= pub.Rows && h.Personal > 0:
		case exempt[p].Stays() > 0:
			o.Result, b.ended[p] = sinks.ResultFailed, true
			o.Err = fmt.Errorf("%w: %d of its rows came under a legal hold while it was being dropped; it waits until that ends", sinks.ErrConflict, exempt[p].Stays())
		case h.Published > pub.Published && b.attempts < conflictAttempts: // for a moment, where another process publishes as well
			return nil, fmt.Errorf("%w: %d rows of %s are published, and not %d", sinks.ErrConflict, h.Published, p, pub.Published)
		case h.Published != pub.Published:
			o.Result, b.ended[p] = sinks.ResultFailed, true
			o.Err = fmt.Errorf("%w: %d of %d personal rows are gone, but %d rows are published and not %d", sinks.ErrVerification, pub.Rows-h.Personal, pub.Rows, h.Published, pub.Published)
		default:
			begun[p] = pub
		}
	}
	return begun, nil
}

// publish seals, stages, publishes, verifies and records partitions. Those that
// could be verified are returned even if others could not.
func (b *anonymiseBatch) publish(ctx context.Context, partitions []sinks.Partition) ([]sinks.Publication, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	if err := b.seal(ctx, partitions); err != nil {
		return nil, err
	}
	sinks.Failpoint("anonymise.sealed")
	partitions, err := b.separate(ctx, partitions)
	if err != nil || len(partitions) == 0 {
		return nil, err
	}
	staged, err := b.stage(ctx, partitions)
	if err != nil {
		return nil, err
	}
	sinks.Failpoint("anonymise.staged")
	verified, err := b.publishStaged(ctx, staged, partitions)
	return verified, errors.Join(err, staged.Discard(context.WithoutCancel(ctx)))
}

// stage makes partitions ready for publication while no identifiers expire in them: these
// are looked for in the texts.
func (b *anonymiseBatch) stage(ctx context.Context, partitions []sinks.Partition) (sinks.Staged, error) {
	unlock, err := b.Locks.RLock(ctx, fieldsLock(b.dataset))
	if err != nil {
		return nil, err
	}
	defer unlock()
	return b.Publish.Stage(ctx, b.dataset, partitions)
}

func (b *anonymiseBatch) publishStaged(ctx context.Context, staged sinks.Staged, partitions []sinks.Partition) ([]sinks.Publication, error) {
	for _, p := range partitions {
		err := staged.Publish(ctx, p)
		if errors.Is(err, sinks.ErrSuppression) { // the others may go on
			o := b.outcome(p)
			o.Result, o.Err, b.ended[p] = sinks.ResultFailed, err, true
			for _, pub := range staged.Publications() {
				if pub.Partition == p {
					describe(o, pub)
				}
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		b.reached(p, sinks.StagePublished)
		sinks.Failpoint("anonymise.published")
	}
	verifyErr := staged.Verify(ctx)
	sinks.Failpoint("anonymise.verified")
	var verified []sinks.Publication
	for _, pub := range staged.Publications() {
		if pub.VerifiedAt.IsZero() {
			continue
		}
		pub.Step, pub.Early = b.outcome(pub.Partition).Step.ID, b.early
		verified = append(verified, pub)
		b.reached(pub.Partition, sinks.StageVerified)
	}
	if len(verified) == 0 {
		return nil, verifyErr
	}
	if err := b.Publish.RecordPublications(ctx, verified); err != nil {
		return nil, errors.Join(verifyErr, err)
	}
	sinks.Failpoint("anonymise.recorded")
	return verified, verifyErr
}

// seal closes the partitions while nobody is writing.
func (b *anonymiseBatch) seal(ctx context.Context, partitions []sinks.Partition) error {
	unlock, err := b.Locks.Lock(ctx, sealLock(b.dataset))
	if err != nil {
		return err
	}
	defer unlock()
	return b.Personal.Seal(ctx, b.dataset, partitions)
}

// exemption says which rows may not be touched.
func (b *anonymiseBatch) exemption() (sinks.Exemption, error) {
	if b.early {
		return onlyHeld(b.asOf), nil
	}
	return exemption(b.Policy, b.dataset, b.asOf)
}

// exempt counts the rows of partitions that may not be touched.
func (b *anonymiseBatch) exempt(ctx context.Context, partitions []sinks.Partition) (map[sinks.Partition]sinks.Exempt, error) {
	e, err := b.exemption()
	if err != nil {
		return nil, err
	}
	return b.Personal.Exempt(ctx, b.dataset, partitions, e)
}

// separate moves what may not be touched out of the way, and returns the partitions in
// which something is left to do.
func (b *anonymiseBatch) separate(ctx context.Context, partitions []sinks.Partition) ([]sinks.Partition, error) {
	e, err := b.exemption()
	if err != nil {
		return nil, err
	}
	due, exempt, err := separate(ctx, b.Personal, b.dataset, partitions, e)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		o := b.outcome(p)
		o.Step.Held, o.Step.KeptLonger = exempt[p].Held, exempt[p].Later
		if !slices.Contains(due, p) {
			o.Result, b.ended[p] = sinks.ResultUnchanged, true
		}
	}
	sinks.Failpoint("anonymise.separated")
	return due, nil
}

// drop deletes the personal rows of partitions that are published and verified.
func (b *anonymiseBatch) drop(ctx context.Context, verified map[sinks.Partition]sinks.Publication) error {
	var partitions []sinks.Partition
	for _, o := range b.outcomes {
		if _, ok := verified[*o.Step.Partition]; ok {
			partitions = append(partitions, *o.Step.Partition)
		}
	}
	if len(partitions) == 0 {
		return nil
	}
	if err := b.nothingArrived(ctx, partitions, verified); err != nil {
		return err
	}
	exempt, err := b.exempt(ctx, partitions)
	if err != nil {
		return err
	}
	for p, e := range exempt {
		if e.Stays() > 0 {
			return fmt.Errorf("%w: %d rows of %s came under a legal hold", sinks.ErrConflict, e.Stays(), p)
		}
	}
	left, err := b.Personal.Drop(ctx, b.dataset, partitions)
	if err != nil {
		return err
	}
	sinks.Failpoint("anonymise.dropped")
	var gone []sinks.Publication
	for _, p := range partitions {
		o, pub := b.outcome(p), verified[p]
		b.ended[p] = true
		describe(o, pub)
		if a := left[p]; !a.Proven() {
			o.Result, o.Err = sinks.ResultFailed, fmt.Errorf("%w: after the drop there are %d rows, %d active, %d inactive and %d detached parts", sinks.ErrVerification, a.Rows, a.Active, a.Inactive, a.Detached)
			continue
		}
		b.reached(p, sinks.StageRemoved)
		b.reached(p, sinks.StageGone)
		pub.DroppedAt = time.Now().UTC()
		gone = append(gone, pub)
	}
	if len(gone) == 0 {
		return nil
	}
	return b.Publish.RecordPublications(ctx, gone)
}

// nothingArrived makes sure that no rows are dropped that were not published: those
// of a writer that knows nothing of the seal.
func (b *anonymiseBatch) nothingArrived(ctx context.Context, partitions []sinks.Partition, verified map[sinks.Partition]sinks.Publication) error {
	held, err := b.Personal.Holdings(ctx, b.dataset, partitions)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if n := held[p].Personal; n > verified[p].Rows {
			return fmt.Errorf("%w: %s held %d rows when it was published, and now %d", sinks.ErrConflict, p, verified[p].Rows, n)
		}
	}
	return nil
}

// describe writes what was published into an outcome.
func describe(o *Outcome, pub sinks.Publication) {
	o.Counts = map[sinks.Count]uint64{
		sinks.CountHeld: o.Step.Held, sinks.CountKeptLonger: o.Step.KeptLonger,
		sinks.CountBefore: pub.Rows, sinks.CountSubjects: pub.Subjects, sinks.CountPublished: pub.Published,
		sinks.CountGeneralised: pub.Generalised, sinks.CountSuppressed: pub.Suppressed, sinks.CountLoss: uint64(pub.Loss*1e6 + 0.5),
	}
	o.K, o.Query = &pub.K, pub.Query
}

func (b *anonymiseBatch) reached(p sinks.Partition, s sinks.Stage) { b.outcome(p).reached(s) }

func (b *anonymiseBatch) outcome(p sinks.Partition) *Outcome {
	for i := range b.outcomes {
		if *b.outcomes[i].Step.Partition == p {
			return &b.outcomes[i]
		}
	}
	return nil
}
