package decode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// Reason says why a line did not become a row.
type Reason string

// The reasons. The first group is quarantined, the last is refused.
const (
	Stored      Reason = "" // it did
	NotJSON     Reason = "not_json"
	NotUTF8     Reason = "not_utf8"
	NotObject   Reason = "not_an_object"
	NotLogLine  Reason = "not_a_log_line"
	TooDeep     Reason = "nested_too_deep"
	TooLong     Reason = "line_too_long"
	UnknownCall Reason = "unknown_call"
	NoTime      Reason = "no_time"
	BadTime     Reason = "bad_time"
	FutureTime  Reason = "time_in_the_future"
	WrongType   Reason = "wrong_type"

	BatchTooLong Reason = "batch_too_long"

	NoPurpose      Reason = "no_purpose"      // no dataset of the policy takes such a record
	NoConsent      Reason = "no_consent"      // all purposes of its dataset rest on consent that is not given
	UnderAge       Reason = "under_age"       // it is about somebody who is too young
	ExcludedRegion Reason = "excluded_region" // it is about somebody in a country whose people's records are refused
	Erased         Reason = "erased"          // the person was erased
	Objected       Reason = "objected"        // the person has objected, and all purposes of its dataset rest on legitimate interests
	PastWindow     Reason = "past_window"     // its day is past its window, and the dataset takes none of those

	batchBody Reason = "batch" // it holds records and is none itself
)

// Refused reports whether r means that the record may not be held at all, as
// opposed to not being readable.
func (r Reason) Refused() bool {
	switch r {
	case NoPurpose, NoConsent, UnderAge, ExcludedRegion, Erased, Objected, PastWindow:
		return true
	}
	return false
}

// Revocable reports whether r follows from what somebody has decided, so that the
// same record may have been taken before.
func (r Reason) Revocable() bool { return r == NoConsent || r == Erased || r == Objected }

// FutureTolerance is how far a record's time may lie ahead of the time of
// reading, for clocks that are a little off.
const FutureTolerance = 24 * time.Hour

// Origin says where a line comes from.
type Origin struct {
	// Seed stands for the source in the identity of records that carry none: a
	// hash of its first line, so that a log that has grown, been rotated, renamed
	// or compressed is known again.
	Seed sinks.ID
	// Position is the offset of the line's first byte in the decompressed source.
	Position uint64
	// Now is the time of reading.
	Now time.Time
}

// Fate is what became of a line.
type Fate struct {
	Reason Reason
	Field  string    // the column of a wrong type
	Block  int       // index into Blocks, if stored or refused by a decision about the person
	Record sinks.ID  // its identity, if it was refused by such a decision
	Day    sinks.Day // UTC day of the event, if Dated
	Dated  bool
}

// Resources are what a Decoder uses beside the policy.
type Resources struct {
	// Keys has the keys of pseudonyms. A policy without pseudonyms needs none.
	Keys sinks.Keyring
	// Country returns the ISO 3166-1 code of the country of an address, empty if it
	// is not known. A policy that derives no country needs none.
	Country func(netip.Addr) string
	// Gate is asked about every record. There need not be one.
	Gate sinks.Gate
	// FirstDays are those of each dataset with a window from event_time. Records of
	// earlier days are refused where the policy says so. A dataset that is left out has
	// no such day.
	FirstDays map[string]FirstDays
}

// FirstDays are the earliest days, UTC, of a dataset whose windows have not passed.
type FirstDays struct {
	All sinks.Day
	Of  map[string]sinks.Day // of organisations with windows of their own, by name
}

// Decoder decodes one input format for one policy. It is not safe for use by
// several goroutines at once.
type Decoder struct {
	resources  Resources
	blocks     []*sinks.Block
	tables     []table
	extractor  func(*fields) func(line []byte) Reason // makes what finds the fields in a line
	extract    func(line []byte) Reason
	choose     func() int // which table takes the record, or one of the special results
	when       func() (time.Time, Reason)
	id         func() []byte // the record's own identity, if it has one
	fields     fields
	roots      []*node // of the wanted paths of JSON records, one for each extractor
	batch      int     // slot of a batch
	inherited  []int   // slots that a batch's records inherit
	envelope   envelope
	admission  admission
	given      consents // under which the record in hand is held
	agents     agents
	pseudonyms pseudonyms
	scratch    []byte
	err        error
}

// New compiles the datasets of p that take records of the given format.
func New(p *config.Policy, format config.InputFormat, r Resources) (*Decoder, error) {
	d := &Decoder{resources: r, agents: newAgents(), batch: noSlot}
	if err := d.checkResources(p, format); err != nil {
		return nil, err
	}
	d.pseudonyms.keys = r.Keys
	if p.Pseudonyms != nil {
		d.pseudonyms.unit = sinks.KeyUnit(p.Pseudonyms.Rotate.String())
	}
	switch format {
	case config.Segment:
		d.compileSegment(p)
	case config.WebLog:
		d.compileWebLog(p)
	case config.TrainingNotes:
		d.compileTraining(p)
	default:
		return nil, fmt.Errorf("compile decoder: %q is not an input format", format)
	}
	for _, t := range d.tables {
		d.blocks = append(d.blocks, t.block)
	}
	return d, nil
}

// checkResources makes sure that what the policy derives can be derived.
func (d *Decoder) checkResources(p *config.Policy, format config.InputFormat) error {
	for i := range p.Datasets {
		for _, c := range p.Datasets[i].Columns {
			switch {
			case p.Datasets[i].Input.Format != format:
			case c.Derive == config.DeriveCountry && d.resources.Country == nil:
				return fmt.Errorf("the policy derives a country from an address (%s.%s): name a country database in the settings (country_database: FILE.mmdb)", p.Datasets[i].Name, c.Name)
			case c.Derive == config.DerivePseudonym && d.resources.Keys == nil:
				return fmt.Errorf("the policy derives pseudonyms (%s.%s), and there is no place for their keys", p.Datasets[i].Name, c.Name)
			}
		}
	}
	return nil
}

// Err returns the first error of a resource. What was decoded since then may not be
// stored.
func (d *Decoder) Err() error { return d.err }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// Blocks returns one block for each dataset that takes records of the format, in
// the policy's order. Decode appends to them; the caller empties them.
func (d *Decoder) Blocks() []*sinks.Block { return d.blocks }

// Decode reads one record, without its line break. It is not kept.
func (d *Decoder) Decode(record []byte, from Origin) Fate {
	d.fields.begin(record)
	return d.decide(d.extract(record), record, from)
}

// decide decides what becomes of a record whose fields have been found.
func (d *Decoder) decide(reason Reason, record []byte, from Origin) Fate {
	if reason != Stored {
		return Fate{Reason: reason}
	}
	d.agents.raw = nil
	i := d.choose()
	switch i {
	case unknownCall:
		return Fate{Reason: UnknownCall}
	case severalRecords:
		return Fate{Reason: batchBody}
	}
	at, reason := d.when()
	fate := Fate{Dated: reason == Stored && storable(at)}
	if fate.Dated {
		fate.Day = sinks.DayOf(at)
	}
	if i == noTable {
		fate.Reason = NoPurpose
		return fate
	}
	t := &d.tables[i]
	d.given, fate.Reason = d.admission.admit(d, t, decidedAt(at, fate.Dated, from))
	if fate.Reason != Stored {
		if fate.Block = i; fate.Reason.Revocable() {
			fate.Record = d.identity(record, from)
		}
		return fate
	}
	if reason = past(reason, at, from.Now); reason != Stored {
		return Fate{Reason: reason}
	}
	if at.After(from.Now) { // a clock that is a little off
		at = from.Now
		fate.Day = sinks.DayOf(at)
	}
	if fate.Day < t.firstDay(d) {
		fate.Reason = PastWindow
		return fate
	}
	if column := t.appendRow(d, at); column != "" {
		fate.Reason, fate.Field = WrongType, column
		return fate
	}
	t.block.Days = append(t.block.Days, fate.Day)
	t.block.Records = append(t.block.Records, d.identity(record, from))
	t.block.Positions = append(t.block.Positions, from.Position)
	fate.Block = i
	return fate
}

// decidedAt returns the time for which it is decided whether a record may be held.
func decidedAt(at time.Time, dated bool, from Origin) time.Time {
	if dated && at.Before(from.Now) {
		return at
	}
	return from.Now
}

// past returns why a time cannot be that of a record read at now.
func past(reason Reason, at, now time.Time) Reason {
	switch {
	case reason != Stored:
		return reason
	case !storable(at):
		return BadTime
	case at.After(now.Add(FutureTolerance)):
		return FutureTime
	}
	return Stored
}

// identity returns what a record and its copies have in common: the sender's
// message id, or else the place where the line stands and its bytes.
func (d *Decoder) identity(line []byte, from Origin) sinks.ID {
	if id := d.id(); len(id) > 0 {
		return digest(id)
	}
	return LineIdentity(line, from)
}

// LineIdentity returns the identity of a record that carries none of its own.
func LineIdentity(line []byte, from Origin) sinks.ID {
	var key [40]byte
	copy(key[:16], from.Seed[:])
	binary.LittleEndian.PutUint64(key[16:], from.Position)
	content := digest(line)
	copy(key[24:], content[:])
	return digest(key[:])
}

// Seed returns the Seed of a source, given its first line.
func Seed(firstLine []byte) sinks.ID { return digest(firstLine) }

func digest(b []byte) sinks.ID { return xxh3.Hash128(b).Bytes() }
