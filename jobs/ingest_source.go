package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
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

// maxStoring is how many groups may be on their way to the store. With two of them the
// store always has one at hand while it acknowledges the other, and each group more
// would take the memory of its rows.
const maxStoring = 2

// sourceReader reads one source group by group. While one group is being read, those
// before it are being stored.
type sourceReader struct {
	*Ingest
	now        time.Time
	in         *input
	decoder    *decode.Decoder
	source     uint64
	digest     sinks.ID
	account    account
	refused    map[sinks.Count]uint64 // by reason
	outlets    []*outlet              // one for each of the decoder's datasets, and the quarantine
	quarantine *outlet
	again      bool // rows of the source may be stored already
	revoked    map[*outlet][]revokedRecord

	// aside is what becomes of a record that cannot be read: setAside, but in a replay.
	aside func(record []byte, fate decode.Fate, from decode.Origin)
	// decided is told of a record that turned out to be stored or a duplicate. It may be
	// nil.
	decided func(position uint64, fate sinks.ReplayFate)

	each     func(record []byte, from decode.Origin, fate decode.Fate) // takeRecord
	envelope []byte                                                    // of the record that is set aside
	storing  []*group                                                  // those before the current one, at most maxStoring
	leave    func()                                                    // called when the current group is stored
	kept     func()                                                    // called when the rows that are held back are stored; nil if there are none
	records  int                                                       // in the current group
	bytes    int                                                       // of input, in the current group
}

func newSourceReader(j *Ingest, now time.Time, in *input, digest sinks.ID) (*sourceReader, error) {
	d, err := decode.New(j.Policy, in.format, decode.Resources{
		Keys: j.Keys, Country: j.Country, Gate: j.Gate, FirstDays: firstDays(j.Policy, now),
	})
	if err != nil {
		return nil, err
	}
	r := &sourceReader{Ingest: j, now: now, in: in, decoder: d, digest: digest, source: digest.Bits(), refused: map[sinks.Count]uint64{}, revoked: map[*outlet][]revokedRecord{}}
	for _, b := range d.Blocks() {
		b.Source = r.source
		r.outlets = append(r.outlets, newOutlet(r, b))
	}
	r.quarantine = newOutlet(r, newQuarantineBlock(r.source))
	r.outlets = append(r.outlets, r.quarantine)
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

func newQuarantineBlock(source uint64) *sinks.Block {
	return &sinks.Block{Dataset: sinks.QuarantineDataset, Source: source, Columns: []*sinks.Column{
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

// all reads the source to its end.
func (r *sourceReader) all(ctx context.Context) error {
	for index, more := 0, true; more; index++ {
		var err error
		if err = r.enter(ctx); err != nil {
			r.leaveAll()
			return errors.Join(r.waitUntil(0), err)
		}
		more, err = r.readGroup(ctx)
		if err == nil {
			err = r.settle(ctx)
		}
		if err == nil {
			err = r.waitUntil(maxStoring - 1)
		}
		if err != nil {
			if errors.Is(err, sinks.ErrInvalidInput) { // what could be read stays
				err = errors.Join(err, r.storeHeldBack(ctx))
			}
			r.leaveAll()
			return errors.Join(r.waitUntil(0), err)
		}
		r.storeGroup(ctx, index, !more)
		sinks.Failpoint("ingest.chunk")
	}
	return r.waitUntil(0)
}

// waitUntil returns when no more than n groups are being stored.
func (r *sourceReader) waitUntil(n int) (err error) {
	for len(r.storing) > n {
		err = errors.Join(err, r.storing[0].wait())
		r.storing = r.storing[1:]
	}
	return err
}

// readGroup reads the lines of the next group.
func (r *sourceReader) readGroup(ctx context.Context) (more bool, err error) {
	if r.Gate != nil {
		if err := r.Gate.Learn(ctx); err != nil {
			return false, err
		}
		defer func() {
			if err == nil {
				err = r.Gate.Settle(ctx)
			}
		}()
	}
	r.records, r.bytes = 0, 0
	for !r.full() {
		l, err := r.in.next()
		if errors.Is(err, io.EOF) {
			return false, r.decoder.Err()
		}
		if err != nil {
			return false, err
		}
		r.bytes += len(l.bytes)
		r.take(l)
	}
	return true, r.decoder.Err()
}

// full reports whether the group in hand is as large as groups are: others may follow.
func (r *sourceReader) full() bool { return r.records >= groupRecords || r.bytes >= groupBytes }

// settle finds the duplicates in the group that has been read.
func (r *sourceReader) settle(ctx context.Context) error {
	if err := r.settleRevoked(ctx); err != nil {
		return err
	}
	for _, o := range r.outlets {
		if err := o.settle(ctx); err != nil {
			return err
		}
	}
	if r.known.full() { // all but this group is stored or will be, and can be learned anew
		if err := r.waitUntil(0); err != nil {
			return err
		}
		r.known.reset()
		for _, o := range r.outlets {
			o.covered = 0
			if r.known.follows(o.dataset) {
				r.known.remember(o.rows)
				o.leaving(r.known.remember)
			}
		}
	}
	return nil
}

// storeGroup begins to store the group that has been settled; with the last one, or when
// there are many, the rows that have been held back, too.
func (r *sourceReader) storeGroup(ctx context.Context, index int, last bool) {
	g := newGroup(r)
	for _, o := range r.outlets {
		g.store(ctx, o, o.rows, strconv.Itoa(index), o.admitted)
	}
	leave := []func(){r.leave}
	r.leave = nil
	switch some, many := r.holdsBack(); {
	case some && !last && !many:
		if r.kept == nil { // the group's admission is that of its rows, also the later ones
			r.kept, leave = leave[0], nil
		}
	default:
		r.storeScattered(ctx, g)
		leave = append(leave, r.kept)
		r.kept = nil
	}
	g.leaveAfter(leave)
	r.storing = append(r.storing, g)
}

// take decides the fate of the records in a line; whether a readable one is a
// duplicate is found out when its group is complete.
func (r *sourceReader) take(l line) {
	from := decode.Origin{Seed: r.in.seed, Position: l.position, Now: r.now}
	if l.tooLong {
		r.takeRecord(l.bytes, from, decode.Fate{Reason: decode.TooLong})
		return
	}
	r.decoder.Records(l.bytes, from, r.each)
}

// takeRecord notes the fate of a record.
func (r *sourceReader) takeRecord(record []byte, from decode.Origin, fate decode.Fate) {
	r.records++
	d := r.account.of(fate.Day, fate.Dated)
	d.Read++
	switch {
	case fate.Reason == decode.Stored:
	case fate.Reason.Refused():
		d.Refused++
		r.refused[refusals[fate.Reason]]++
		if r.again && fate.Reason.Revocable() {
			o := r.outlets[fate.Block]
			r.revoked[o] = append(r.revoked[o], revokedRecord{fate, from.Position})
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
func (r *sourceReader) setAside(record []byte, f decode.Fate, from decode.Origin) {
	q := r.quarantine.rows
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
	r.quarantine.on = append(r.quarantine.on, keyOf(f.Day, f.Dated))
}

func dated(f decode.Fate) uint64 {
	if f.Dated {
		return 1
	}
	return 0
}

// check holds the account against the tables.
func (r *sourceReader) check(ctx context.Context) error {
	for _, o := range r.outlets {
		if len(o.stored.days) == 0 {
			continue
		}
		got, err := r.Intake.StoredRows(ctx, o.dataset, r.source)
		if err != nil {
			return err
		}
		for day, want := range o.stored.days {
			if got[day] != *want {
				return fmt.Errorf("%w: %d rows of %s were stored in %s, the table holds %d", sinks.ErrVerification, *want, day, o.dataset, got[day])
			}
		}
	}
	return nil
}

// sealLock names the lock that a writer of rows shares, and that sealing a
// partition takes alone: when it is sealed, no row is on its way into it.
func sealLock(dataset string) string { return "seal-" + dataset }
