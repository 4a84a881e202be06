package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// A chunk is what is stored at once. Its bounds follow from the content alone, so
// that a repetition cuts the same chunks.
const (
	chunkLines = 16 << 10
	chunkBytes = 16 << 20
)

// DeduplicationHorizon is how many days before and after a record's own its copy
// is looked for.
const DeduplicationHorizon = 7

// sourceReader reads one source chunk by chunk.
type sourceReader struct {
	*Ingest
	now        time.Time
	in         *input
	decoder    *decode.Decoder
	source     uint64
	digest     sinks.ID
	chunk      int
	quarantine *sinks.Block
	setAsideOn []dayKey // for the account: the event's day of each row of the quarantine
	stored     map[string]map[sinks.Day]uint64
	account    account
}

func newSourceReader(j *Ingest, now time.Time, in *input, digest sinks.ID) (*sourceReader, error) {
	d, err := decode.New(j.Policy, in.format)
	if err != nil {
		return nil, err
	}
	r := &sourceReader{
		Ingest: j, now: now, in: in, decoder: d, digest: digest, source: digest.Bits(),
		quarantine: newQuarantineBlock(), account: account{}, stored: map[string]map[sinks.Day]uint64{},
	}
	for _, b := range append(slices.Clone(d.Blocks()), r.quarantine) {
		b.Source = r.source
	}
	return r, nil
}

func newQuarantineBlock() *sinks.Block {
	return &sinks.Block{Dataset: sinks.QuarantineDataset, Columns: []*sinks.Column{
		{Name: "first_seen", Type: "DateTime64(3, 'UTC')", Width: 8},
		{Name: "reason", Type: "String"},
		{Name: "field", Type: "String"},
		{Name: "raw", Type: "String"},
	}}
}

// all reads the source to its end.
func (r *sourceReader) all(ctx context.Context) error {
	for {
		more, err := r.readChunk()
		if err != nil {
			return err
		}
		if err := r.storeChunk(ctx); err != nil {
			return err
		}
		if !more {
			return nil
		}
		sinks.Failpoint("ingest.chunk")
		r.chunk++
	}
}

// readChunk decodes the lines of the next chunk.
func (r *sourceReader) readChunk() (more bool, err error) {
	size := 0
	for n := 0; n < chunkLines && size < chunkBytes; n++ {
		l, err := r.in.next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		size += len(l.bytes)
		r.decode(l)
	}
	return true, nil
}

// decode decides the fate of a line; whether a readable one is a duplicate is
// found out when the chunk is stored.
func (r *sourceReader) decode(l line) {
	from := decode.Origin{Seed: r.in.seed, Position: l.position, Now: r.now}
	fate := decode.Fate{Reason: decode.TooLong}
	if !l.tooLong {
		fate = r.decoder.Decode(l.bytes, from)
	}
	d := r.account.of(fate.Day, fate.Dated)
	d.Read++
	switch {
	case fate.Reason == decode.Stored:
	case fate.Reason.Refused():
		d.Refused++
	default:
		r.setAside(l, fate, from)
	}
}

// setAside puts a line that cannot be read into the quarantine's block.
func (r *sourceReader) setAside(l line, f decode.Fate, from decode.Origin) {
	q := r.quarantine
	q.Columns[0].AppendUint(uint64(r.now.UnixMilli()))
	q.Columns[1].AppendString([]byte(f.Reason))
	q.Columns[2].AppendString([]byte(f.Field))
	q.Columns[3].AppendString(l.bytes[:min(len(l.bytes), keptOfRaw)])
	q.Days = append(q.Days, sinks.DayOf(r.now))
	r.setAsideOn = append(r.setAsideOn, keyOf(f.Day, f.Dated))
	q.Records = append(q.Records, decode.LineIdentity(l.bytes, from))
	q.Positions = append(q.Positions, l.position)
}

// storeChunk stores the rows that are not stored yet.
func (r *sourceReader) storeChunk(ctx context.Context) error {
	for _, b := range r.decoder.Blocks() {
		first, last := span(b.Days)
		fresh, err := r.tell(ctx, b, max(first-DeduplicationHorizon, 0), last+DeduplicationHorizon, func(i int, duplicate bool) {
			d := r.account.of(b.Days[i], true)
			if duplicate {
				d.Duplicate++
				return
			}
			d.Stored++
			r.countStored(b.Dataset, b.Days[i])
		})
		if err == nil {
			err = r.insert(ctx, b, fresh)
		}
		if err != nil {
			return err
		}
	}
	return r.storeQuarantine(ctx)
}

// storeQuarantine stores the lines that could not be read; those that were met
// before, in this file or a copy of it, are duplicates.
func (r *sourceReader) storeQuarantine(ctx context.Context) error {
	fresh, err := r.tell(ctx, r.quarantine, 0, sinks.DayOf(r.now)+1, func(i int, duplicate bool) {
		d := r.account.at(r.setAsideOn[i])
		if duplicate {
			d.Duplicate++
		} else {
			d.Quarantined++
		}
	})
	r.setAsideOn = r.setAsideOn[:0]
	if err != nil {
		return err
	}
	return r.insert(ctx, r.quarantine, fresh)
}

// tell finds out for each row of a block whether it is a duplicate: known from
// another place. What is known from this very place was stored before an
// interruption. The result marks the rows that are not stored yet.
func (r *sourceReader) tell(ctx context.Context, b *sinks.Block, first, last sinks.Day, count func(i int, duplicate bool)) ([]bool, error) {
	if b.Rows() == 0 {
		return nil, nil
	}
	known, err := r.Intake.Known(ctx, b.Dataset, b.Records, first, last)
	if err != nil {
		return nil, err
	}
	fresh := make([]bool, b.Rows())
	for i, id := range b.Records {
		mine := sinks.RowOrigin{Source: r.source, Position: b.Positions[i]}
		origin, found := known[id]
		count(i, found && origin != mine)
		if !found {
			fresh[i], known[id] = true, mine
		}
	}
	return fresh, nil
}

// insert sends the fresh rows of a block, each into the open batch of its day, and
// empties the block. Nothing is sealed in between.
func (r *sourceReader) insert(ctx context.Context, b *sinks.Block, fresh []bool) error {
	defer b.Reset()
	if slices.Contains(fresh, false) {
		b.Filter(fresh)
	}
	if b.Rows() == 0 {
		return nil
	}
	unlock, err := r.Locks.RLock(ctx, sealLock(b.Dataset))
	if err != nil {
		return err
	}
	defer unlock()
	open, err := r.Intake.OpenBatches(ctx, b.Dataset, b.Days)
	if err != nil {
		return err
	}
	var highest uint32
	b.Batches = b.Batches[:0]
	for _, day := range b.Days {
		b.Batches = append(b.Batches, open[day])
		highest = max(highest, open[day])
	}
	// The token stands for this place in this source. It holds no content, because
	// ClickHouse looks at nothing else: what it has under the token stays.
	token := sinks.HashID(r.digest.String(), b.Dataset, fmt.Sprint(r.chunk), fmt.Sprint(highest))
	sinks.Failpoint("ingest.insert")
	return r.Intake.Insert(ctx, b, token)
}

func (r *sourceReader) countStored(dataset string, day sinks.Day) {
	if r.stored[dataset] == nil {
		r.stored[dataset] = map[sinks.Day]uint64{}
	}
	r.stored[dataset][day]++
}

// check holds the account against the tables.
func (r *sourceReader) check(ctx context.Context) error {
	for dataset, want := range r.stored {
		got, err := r.Intake.StoredRows(ctx, dataset, r.source)
		if err != nil {
			return err
		}
		for day, n := range want {
			if got[day] != n {
				return fmt.Errorf("%w: %d rows of %s were stored in %s, the table holds %d", sinks.ErrVerification, n, day, dataset, got[day])
			}
		}
	}
	return nil
}

// sealLock names the lock that a writer of rows shares, and that sealing a
// partition takes alone: when it is sealed, no row is on its way into it.
func sealLock(dataset string) string { return "seal-" + dataset }

func span(days []sinks.Day) (first, last sinks.Day) {
	if len(days) == 0 {
		return 0, 0
	}
	return slices.Min(days), slices.Max(days)
}
