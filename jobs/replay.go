package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// Replay reads quarantined records again, after the policy or the program has been
// mended, as if the input files that they came from were being read: with their place
// there, the batch they stood in, and the time they were first read. Those that can be
// read now are stored, refused or recognised as duplicates, and move to these in the
// account of their file; the others stay as they are.
type Replay struct {
	Ingest     *Ingest // how records are taken in; it needs no Inputs
	Quarantine sinks.QuarantineReplay
	Personal   sinks.PersonalTables
	Which      sinks.QuarantineSelection
}

var _ Job = (*Replay)(nil)

const (
	// replaySources is how many sources are replayed between two entries in the audit log:
	// with all of them together, what has been read leaves the quarantine.
	replaySources = 256
	// replayRecords and replayBytes are how much is read at once; of so few records each
	// is looked for in the store by itself.
	replayRecords = manySuspects - 1
	replayBytes   = 16 << 20
	// replayGroup stands in insert tokens where the number of a group does.
	replayGroup = -1
)

// Kind implements Job.
func (*Replay) Kind() sinks.JobKind { return sinks.JobReplay }

// Batch implements Job.
func (*Replay) Batch(steps []Step) int { return min(len(steps), replaySources) }

// Parallel implements Job.
func (*Replay) Parallel() int { return 1 }

// Plan implements Job: a step for each input file.
func (j *Replay) Plan(ctx context.Context, now time.Time) ([]Step, error) {
	sources, err := j.Quarantine.QuarantinedSources(ctx, j.Which, now)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, len(sources))
	for i, q := range sources {
		steps[i] = Step{
			ID: sinks.HashID(string(sinks.ActionReplaySource), q.Digest.String()), Action: sinks.ActionReplaySource,
			Source: q.Digest, Rows: q.Records, Bytes: q.RawBytes, Rule: sinks.RuleQuarantined, Clause: j.Ingest.Policy.Quarantine.Clause,
			Reason: fmt.Sprintf("%d records of %s were set aside", q.Records, q.Path),
		}
		if q.State != sinks.SourceComplete {
			steps[i].Blocked = "the file has not been read to its end: run ingest first"
		}
	}
	return steps, nil
}

// Execute implements Job. Nothing else is ingested meanwhile: whether a record is a
// duplicate depends on what has been stored before it.
func (j *Replay) Execute(ctx context.Context, in Session, steps []Step) []Outcome {
	unlock, err := j.Ingest.Locks.Lock(ctx, string(sinks.JobIngest))
	if err != nil {
		return failAll(steps, err)
	}
	defer unlock()
	outcomes := make([]Outcome, len(steps))
	var replayed []sinks.ID
	for i, s := range steps {
		if outcomes[i], err = j.replay(ctx, in, s); err != nil {
			outcomes[i] = failed(s, err)
			continue
		}
		replayed = append(replayed, s.Source)
	}
	left, err := j.remove(ctx, replayed, in.AsOf)
	for i, s := range steps {
		switch {
		case outcomes[i].Err != nil:
		case err != nil:
			outcomes[i] = failed(s, err)
		default:
			o := absent(s, left)
			o.Counts = outcomes[i].Counts
			outcomes[i] = o
		}
	}
	return outcomes
}

// remove deletes what has been replayed from the quarantine, and ends the replay of its
// sources. What is set aside from now on goes into new partitions: it is not taken for
// what was deleted.
func (j *Replay) remove(ctx context.Context, sources []sinks.ID, asOf time.Time) (left sinks.Absence, err error) {
	if err := sealQuarantine(ctx, j.Ingest.Locks, j.Personal); err != nil {
		return left, err
	}
	if left, err = j.Quarantine.RemoveReplayed(ctx, sources, asOf); err != nil || !left.Proven() {
		return left, err
	}
	sinks.Failpoint("replay.removed")
	for _, source := range sources {
		if err := j.Quarantine.EndReplay(ctx, source); err != nil {
			return left, err
		}
	}
	sinks.Failpoint("replay.accounted")
	return left, nil
}

// sealQuarantine closes all partitions of the quarantine.
func sealQuarantine(ctx context.Context, locks sinks.Locker, personal sinks.PersonalTables) error {
	unlock, err := locks.Lock(ctx, sealLock(sinks.QuarantineDataset))
	if err != nil {
		return err
	}
	defer unlock()
	stats, err := personal.Partitions(ctx, sinks.QuarantineDataset, lastDay)
	if err != nil {
		return err
	}
	partitions := make([]sinks.Partition, len(stats))
	for i, p := range stats {
		partitions[i] = p.Partition
	}
	if len(partitions) == 0 {
		return nil
	}
	return personal.Seal(ctx, sinks.QuarantineDataset, partitions)
}

// replay reads the quarantined records of one source again.
func (j *Replay) replay(ctx context.Context, in Session, s Step) (Outcome, error) {
	known, found, err := j.Ingest.Ledger.Source(ctx, s.Source)
	switch {
	case err != nil:
		return Outcome{}, err
	case !found || known.State != sinks.SourceComplete:
		return Outcome{}, fmt.Errorf("%w: the file of these records has not been read to its end", sinks.ErrConflict)
	}
	reader, err := newSourceReader(j.Ingest, in.AsOf, &input{format: config.InputFormat(known.Format)}, s.Source)
	if err != nil {
		return Outcome{}, err
	}
	r := &replayer{sourceReader: reader, quarantine: j.Quarantine, run: in.Run}
	reader.reading.again, reader.reading.aside, reader.decided = true, r.stays, r.decide
	if err := j.Quarantine.BeginReplay(ctx, s.Source); err != nil {
		return Outcome{}, err
	}
	sinks.Failpoint("replay.begun")
	for more := true; more; {
		if more, err = r.chunk(ctx, j.Which, in.AsOf); err != nil {
			return Outcome{}, err
		}
		sinks.Failpoint("replay.chunk")
	}
	counts := total(r.account.days())
	for reason, n := range r.refused {
		counts[reason] = n
	}
	return Outcome{Step: s, Counts: counts}, nil
}

// replayer reads the quarantined records of one source, some at a time.
type replayer struct {
	*sourceReader
	quarantine sinks.QuarantineReplay
	run        sinks.ID
	from       uint64 // position of the next record
	moved      map[uint64]*sinks.Replayed
}

// stays is what becomes of a record that still cannot be read.
func (r *replayer) stays(_ []byte, fate decode.Fate, from decode.Origin) {
	r.reading.group.account.of(fate.Day, fate.Dated).Quarantined++
	delete(r.moved, from.Position)
}

// decide notes what turned out to have become of a record.
func (r *replayer) decide(position uint64, fate sinks.ReplayFate) { r.moved[position].Fate = fate }

// chunk reads and stores the next records, and accounts for them.
func (r *replayer) chunk(ctx context.Context, which sinks.QuarantineSelection, asOf time.Time) (more bool, err error) {
	if r.reading.group.leave, err = enterAdmission(ctx, r.Locks); err != nil {
		return false, err
	}
	defer r.leaveAll() // where nothing is stored
	err = r.reading.gated(ctx, func() error { more, err = r.read(ctx, which, asOf); return err })
	if err != nil {
		return more, err
	}
	r.collect()
	if err := r.settle(ctx); err != nil {
		return more, err
	}
	stored := r.toStore()
	r.storeGroup(ctx, replayGroup, true)
	if err := r.waitStored(); err != nil {
		return more, err
	}
	sinks.Failpoint("replay.stored")
	for _, b := range stored {
		if err := b.check(ctx, r.Intake); err != nil {
			return more, err
		}
	}
	moved := make([]sinks.Replayed, 0, len(r.moved))
	for _, m := range r.moved {
		moved = append(moved, *m)
	}
	slices.SortFunc(moved, func(x, y sinks.Replayed) int { return int(int64(x.Position) - int64(y.Position)) })
	return more, r.quarantine.RecordReplayed(ctx, r.digest, r.run, moved)
}

// read decodes the next records.
func (r *replayer) read(ctx context.Context, which sinks.QuarantineSelection, asOf time.Time) (more bool, err error) {
	r.moved = map[uint64]*sinks.Replayed{}
	n, bytes := 0, 0
	err = r.quarantine.ReplayableRecords(ctx, r.digest, which, asOf, r.from, replayRecords, func(q sinks.QuarantinedRecord) (bool, error) {
		r.decode(q)
		r.from = q.Origin.Position + 1
		n++
		bytes += len(q.Raw) + len(q.Envelope)
		more = bytes >= replayBytes || n == replayRecords
		return bytes < replayBytes, r.reading.decoder.Err()
	})
	return more, err
}

// decode decodes one record.
func (r *replayer) decode(q sinks.QuarantinedRecord) {
	from := decode.Origin{Seed: q.Seed, Position: q.Origin.Position, Now: q.FirstSeen}
	fate := r.reading.decoder.Element([]byte(q.Raw), []byte(q.Envelope), from)
	m := &sinks.Replayed{
		Position: from.Position, Fate: sinks.ReplayStored, FromDated: q.Dated, FromDay: q.Day, Dated: fate.Dated, Day: fate.Day,
	}
	if fate.Reason.Refused() {
		m.Fate = sinks.ReplayRefused
	}
	r.moved[from.Position] = m
	r.reading.takeRecord([]byte(q.Raw), from, fate)
}

// expected are rows that a store has been given.
type expected struct {
	dataset     string
	records     []sinks.ID
	first, last sinks.Day
}

// toStore lists the rows that are about to be stored.
func (r *replayer) toStore() (rows []expected) {
	for _, o := range r.outlets {
		for _, b := range []*sinks.Block{o.rows, o.scattered.rows} {
			if b != nil && b.Rows() > 0 {
				rows = append(rows, expected{o.dataset, slices.Clone(b.Records), slices.Min(b.Days), slices.Max(b.Days)})
			}
		}
	}
	return rows
}

// check looks for the rows in the store.
func (e expected) check(ctx context.Context, intake sinks.Intake) error {
	known, err := intake.Known(ctx, e.dataset, e.records, e.first, e.last)
	if err == nil && len(known) != len(e.records) {
		err = fmt.Errorf("%w: %d rows were stored in %s, the table holds %d of them", sinks.ErrVerification, len(e.records), e.dataset, len(known))
	}
	return err
}
