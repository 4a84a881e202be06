package decode

import (
	"bytes"
	"strings"
)

// Records reads a line and calls each for every record in it, one or, where the line
// is the body of a batch request of the Segment HTTP tracking API, those of the batch
// ({"batch": […]}). What stands beside the batch (its context, sentAt, receivedAt)
// holds for the records that do not say otherwise themselves. A record, like the
// line, is not kept.
func (d *Decoder) Records(line []byte, from Origin, each func(record []byte, from Origin, fate Fate)) {
	fate := d.Decode(line, from)
	if fate.Reason != batchBody {
		each(line, from, fate)
		return
	}
	list := d.fields.at(d.batch).raw
	if d.length(list) > maxBatch {
		fate.Reason = BatchTooLong
		each(line, from, fate)
		return
	}
	d.envelope = envelope{line, list}
	defer func() { d.envelope = envelope{} }()
	d.fields.inherit(d.inherited)
	defer d.fields.disinherit()
	elements := scanner{fields: &d.fields}
	elements.begin(list, 1)
	start := from.Position + uint64(offsetIn(line, list))
	for !elements.next(']') {
		elements.space()
		begin := elements.at
		_ = elements.skip(1) // the whole line has been found to be JSON
		record := list[begin:elements.at]
		from.Position = start + uint64(begin)
		fate := d.Decode(record, from)
		if fate.Reason == batchBody { // a batch in a batch
			fate.Reason = UnknownCall
		}
		each(record, from, fate)
		elements.next(',')
	}
}

// envelope is the line that holds a batch, and the batch in it.
type envelope struct{ line, list []byte }

// AppendEnvelope appends, while Records calls, the body of the batch that the record
// stands in, without any of its records; nothing if it stands in none.
func (d *Decoder) AppendEnvelope(to []byte) []byte {
	e := d.envelope
	if e.line == nil {
		return to
	}
	at := offsetIn(e.line, e.list)
	to = append(to, e.line[:at]...)
	to = append(to, '[', ']')
	return append(to, e.line[at+len(e.list):]...)
}

// Element decodes a record by itself that stood in a batch, given what AppendEnvelope
// has kept of that. Without an envelope it is Decode.
func (d *Decoder) Element(record, envelope []byte, from Origin) Fate {
	if len(envelope) > 0 {
		if fate := d.Decode(envelope, from); fate.Reason != batchBody {
			return fate
		}
		d.fields.inherit(d.inherited)
		defer d.fields.disinherit()
	}
	fate := d.Decode(record, from)
	if fate.Reason == batchBody {
		fate.Reason = UnknownCall
	}
	return fate
}

// maxBatch is how many records a batch may have. The API takes 500 KB, in which there
// is no room for more calls than this.
const maxBatch = 8192

// length counts the elements of a list that has been found to be JSON.
func (d *Decoder) length(list []byte) (n int) {
	elements := scanner{fields: &d.fields}
	elements.begin(list, 1)
	for !elements.next(']') {
		elements.space()
		_ = elements.skip(1)
		elements.next(',')
		n++
	}
	return n
}

// offsetIn returns where part, a slice of whole, begins in it.
func offsetIn(whole, part []byte) int { return cap(whole) - cap(part) }

// isBatch reports whether the record that was read is the body of a batch request.
func (d *Decoder) isBatch(kindSlot int) bool {
	return d.fields.at(kindSlot).kind == absent && bytes.HasPrefix(d.fields.at(d.batch).raw, []byte{'['})
}

// inheritable reports whether a batch can state a field for all of its records.
func inheritable(path string) bool {
	return path == "sentAt" || path == "receivedAt" || strings.HasPrefix(path, "context.")
}
