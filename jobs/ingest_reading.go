package jobs

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

// A group of records is what is stored at once. Its bounds follow from the content
// alone, so that a repetition cuts the same groups.
const (
	groupRecords = 32 << 10 // at most sinks.MaxRows
	groupBytes   = 48 << 20
)

// reading decodes a source group by group. While it decodes one, the groups before it are
// being settled and stored: nobody else touches it meanwhile, and it touches nothing of
// theirs.
type reading struct {
	*Ingest
	now     time.Time
	in      *input
	decoder *decode.Decoder
	chunks  *ahead[*chunk] // of the source's lines
	chunk   *chunk         // in hand
	at      int            // index of the next line in it
	blocks  []*sinks.Block // the decoder's, one for each of its datasets, and the quarantine's
	again   bool           // rows of the source may be stored already
	group   readGroup
	bytes   int // of input, in the group

	// aside is what becomes of a record that cannot be read: setAside, but in a replay.
	aside    func(record []byte, fate decode.Fate, from decode.Origin)
	each     func(record []byte, from decode.Origin, fate decode.Fate) // takeRecord
	envelope []byte                                                    // of the record that is set aside
	waits    chan struct{}                                             // says that the next group is not admitted yet
}

// readGroup is what has become of the records in a group, beside the rows in the blocks.
type readGroup struct {
	records int
	more    bool // groups may follow
	account account
	refused map[sinks.Count]uint64  // by reason
	revoked map[int][]revokedRecord // by block
	on      []dayKey                // for the account, the event's day of each row in the quarantine's block
	leave   func()                  // called when the group is stored
}

// newReading compiles a policy for a format. It reads as at now.
func newReading(j *Ingest, now time.Time, in *input, source uint64) (*reading, error) {
	d, err := decode.New(j.Policy, in.format, decode.Resources{
		Keys: j.Keys, Country: j.Country, Gate: j.Gate, FirstDays: firstDays(j.Policy, now),
	})
	if err != nil {
		return nil, err
	}
	r := &reading{Ingest: j, now: now, in: in, decoder: d, waits: make(chan struct{})}
	r.blocks = append(r.blocks, d.Blocks()...)
	r.blocks = append(r.blocks, newQuarantineBlock())
	for _, b := range r.blocks {
		b.Source = source
	}
	r.each, r.aside = r.takeRecord, r.setAside
	return r, nil
}

// firstDays returns the earliest days of each dataset that are not past their windows.
func firstDays(p *config.Policy, now time.Time) map[string]decode.FirstDays {
	days := map[string]decode.FirstDays{}
	for i := range p.Datasets {
		if w, ok := p.Datasets[i].Window(config.EventTime); ok {
			e, _ := exemptionOf(w, now, p.TimeZone.Location())
			days[p.Datasets[i].Name] = decode.FirstDays{All: e.Before, Of: e.Organisations}
		}
	}
	return days
}

func newQuarantineBlock() *sinks.Block {
	return &sinks.Block{Dataset: sinks.QuarantineDataset, Columns: []*sinks.Column{
		{Name: "first_seen", Type: "DateTime64(3, 'UTC')", Width: 8},
		{Name: "reason", Type: "String"},
		{Name: "field", Type: "String"},
		{Name: "raw", Type: "String"},
		{Name: "envelope", Type: "String"},
		{Name: "seed", Type: "UUID", Width: 16},
		{Name: "dated", Type: "Bool", Width: 1},
		{Name: "event_day", Type: "Date", Width: 2},
	}}
}

// admissionPatience is for how long a reader tries to have its next group admitted. If
// that takes longer, somebody waits for what has been admitted.
const admissionPatience = 5 * time.Millisecond

// enter has the next group admitted; see enterAdmission. What is held back was admitted
// earlier, and goes first where somebody waits for that.
func (r *reading) enter(ctx context.Context) (err error) {
	soon, cancel := context.WithTimeout(ctx, admissionPatience)
	r.group.leave, err = enterAdmission(soon, r.Locks)
	cancel()
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	select {
	case r.waits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.group.leave, err = enterAdmission(ctx, r.Locks)
	return err
}

// begin has the next group decoded. The result comes when that is done.
func (r *reading) begin(ctx context.Context) (done chan error) {
	done = make(chan error, 1)
	go func() { done <- r.next(ctx) }()
	return done
}

// next has the next group admitted, and decodes its lines.
func (r *reading) next(ctx context.Context) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	return r.gated(ctx, func() error {
		for r.group.more = true; !r.full(); r.at++ {
			for r.at == len(r.chunk.lines) {
				c, err := r.chunks.next()
				if r.group.more = err == nil; errors.Is(err, io.EOF) {
					return r.decoder.Err()
				}
				if err != nil {
					return err
				}
				r.chunk, r.at = c, 0
			}
			r.take(&r.chunk.lines[r.at])
		}
		return r.decoder.Err()
	})
}

// gated decodes some records by what the gate has learned before, and enters afterwards
// what it has learned from them.
func (r *reading) gated(ctx context.Context, decode func() error) error {
	if r.Gate == nil {
		return decode()
	}
	if err := r.Gate.Learn(ctx); err != nil {
		return err
	}
	if err := decode(); err != nil {
		return err
	}
	return r.Gate.Settle(ctx)
}

// full reports whether the group in hand is as large as groups are.
func (r *reading) full() bool { return r.group.records >= groupRecords || r.bytes >= groupBytes }

// chunksAhead is how many chunks of lines are read and scanned before they are decoded.
const chunksAhead = 4

// open begins to read the source's lines, and to scan them.
func (r *reading) open() {
	scanner := r.decoder.Scanner()
	chunks := make([]*chunk, chunksAhead)
	for i := range chunks {
		chunks[i] = new(chunk)
	}
	r.chunk = new(chunk)
	r.chunks = newAhead(func(c *chunk) (*chunk, error) {
		err := r.in.fill(c)
		c.scanned.Reset()
		for i := range c.lines {
			if l := &c.lines[i]; !l.tooLong {
				l.scanned = c.scanned.Len()
				scanner.Scan(l.bytes, &c.scanned)
			}
		}
		return c, err
	}, chunks...)
}

// Close ends reading the lines.
func (r *reading) Close() { r.chunks.Close() }

// take decides the fate of the records in a line; whether a readable one is a
// duplicate is found out when its group is complete.
func (r *reading) take(l *line) {
	r.bytes += len(l.bytes)
	from := decode.Origin{Seed: r.in.seed, Position: l.position, Now: r.now}
	if l.tooLong {
		r.takeRecord(l.bytes, from, decode.Fate{Reason: decode.TooLong})
		return
	}
	r.decoder.Scanned(&r.chunk.scanned, l.scanned, l.bytes, from, r.each)
}

// takeRecord notes the fate of a record.
func (r *reading) takeRecord(record []byte, from decode.Origin, fate decode.Fate) {
	g := &r.group
	g.records++
	d := g.account.of(fate.Day, fate.Dated)
	d.Read++
	switch {
	case fate.Reason == decode.Stored:
	case fate.Reason.Refused():
		d.Refused++
		if g.refused == nil {
			g.refused, g.revoked = map[sinks.Count]uint64{}, map[int][]revokedRecord{}
		}
		g.refused[refusals[fate.Reason]]++
		if r.again && fate.Reason.Revocable() {
			g.revoked[fate.Block] = append(g.revoked[fate.Block], revokedRecord{fate, from.Position})
		}
	default:
		r.aside(record, fate, from)
	}
}

// refusals names the counts of the reasons to refuse a record.
var refusals = map[decode.Reason]sinks.Count{
	decode.NoPurpose:      sinks.CountRefusedPurpose,
	decode.NoConsent:      sinks.CountRefusedConsent,
	decode.UnderAge:       sinks.CountRefusedAge,
	decode.ExcludedRegion: sinks.CountRefusedRegion,
	decode.Erased:         sinks.CountRefusedErased,
	decode.PastWindow:     sinks.CountRefusedLate,
	decode.Objected:       sinks.CountRefusedObject,
}

// setAside puts a record that cannot be read into the quarantine's block.
func (r *reading) setAside(record []byte, f decode.Fate, from decode.Origin) {
	q := r.blocks[len(r.blocks)-1]
	q.Columns[0].AppendUint(uint64(r.now.UnixMilli()))
	q.Columns[1].AppendString([]byte(f.Reason))
	q.Columns[2].AppendString([]byte(f.Field))
	q.Columns[3].AppendString(record[:min(len(record), sinks.MaxRaw)])
	r.envelope = r.decoder.AppendEnvelope(r.envelope[:0])
	q.Columns[4].AppendString(r.envelope[:min(len(r.envelope), sinks.MaxRaw)])
	q.Columns[5].AppendID(from.Seed)
	q.Columns[6].AppendUint(dated(f))
	q.Columns[7].AppendUint(uint64(f.Day))
	q.Days = append(q.Days, sinks.DayOf(r.now))
	q.Records = append(q.Records, decode.LineIdentity(record, from))
	q.Positions = append(q.Positions, from.Position)
	r.group.on = append(r.group.on, keyOf(f.Day, f.Dated))
}

func dated(f decode.Fate) uint64 {
	if f.Dated {
		return 1
	}
	return 0
}
