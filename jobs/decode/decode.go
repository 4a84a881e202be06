package decode

import (
	"encoding/binary"
	"fmt"
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

	NoPurpose Reason = "no_purpose" // no dataset of the policy takes such a record
)

// Refused reports whether r means that the record may not be held at all, as
// opposed to not being readable.
func (r Reason) Refused() bool { return r == NoPurpose }

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
	Block  int       // index into Blocks, if stored
	Day    sinks.Day // UTC day of the event, if Dated
	Dated  bool
}

// Decoder decodes one input format for one policy. It is not safe for use by
// several goroutines at once.
type Decoder struct {
	blocks  []*sinks.Block
	tables  []table
	extract func(line []byte) Reason
	choose  func() int // which table takes the record; -1: none
	when    func() (time.Time, Reason)
	id      func() []byte // the record's own identity, if it has one
	fields  fields
	agents  agents
}

// New compiles the datasets of p that take records of the given format.
func New(p *config.Policy, format config.InputFormat) (*Decoder, error) {
	d := &Decoder{agents: agents{}}
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

// Blocks returns one block for each dataset that takes records of the format, in
// the policy's order. Decode appends to them; the caller empties them.
func (d *Decoder) Blocks() []*sinks.Block { return d.blocks }

// Decode reads one line, without its line break. The line is not kept.
func (d *Decoder) Decode(line []byte, from Origin) Fate {
	if reason := d.extract(line); reason != Stored {
		return Fate{Reason: reason}
	}
	i := d.choose()
	if i == unknownCall {
		return Fate{Reason: UnknownCall}
	}
	if i == noTable {
		return d.refuse()
	}
	at, reason := d.when()
	switch {
	case reason != Stored:
	case !storable(at):
		reason = BadTime
	case at.After(from.Now.Add(FutureTolerance)):
		reason = FutureTime
	}
	if reason != Stored {
		return Fate{Reason: reason}
	}
	t, day := &d.tables[i], sinks.DayOf(at)
	if column := t.appendRow(d, at); column != "" {
		return Fate{Reason: WrongType, Field: column, Day: day, Dated: true}
	}
	t.block.Days = append(t.block.Days, day)
	t.block.Records = append(t.block.Records, d.identity(line, from))
	t.block.Positions = append(t.block.Positions, from.Position)
	return Fate{Block: i, Day: day, Dated: true}
}

// refuse gives the fate of a record that no dataset takes, with its day if it
// has one, because refusals are counted by day.
func (d *Decoder) refuse() Fate {
	at, reason := d.when()
	return Fate{Reason: NoPurpose, Day: sinks.DayOf(at), Dated: reason == Stored && storable(at)}
}

// identity returns what a record and its copies have in common: the sender's
// message id, or else the place where the line stands and its bytes.
func (d *Decoder) identity(line []byte, from Origin) sinks.ID {
	if id := d.id(); len(id) > 0 {
		return hash(id)
	}
	return LineIdentity(line, from)
}

// LineIdentity returns the identity of a record that carries none of its own.
func LineIdentity(line []byte, from Origin) sinks.ID {
	var key [40]byte
	copy(key[:16], from.Seed[:])
	binary.LittleEndian.PutUint64(key[16:], from.Position)
	content := hash(line)
	copy(key[24:], content[:])
	return hash(key[:])
}

// Seed returns the Seed of a source, given its first line.
func Seed(firstLine []byte) sinks.ID { return hash(firstLine) }

func hash(b []byte) sinks.ID { return xxh3.Hash128(b).Bytes() }
