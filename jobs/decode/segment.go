package decode

import (
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
)

// Special results of choosing a table.
const (
	noTable     = -1
	unknownCall = -2
)

// call is a record type of the Segment specification, with the tables that take
// it in the policy's order.
type call struct {
	name   string
	tables []chosen
}

// chosen is a table and the event names it is restricted to.
type chosen struct {
	table  int
	events []string
}

// compileSegment prepares d for calls of the Segment specification
// (https://segment.com/docs/connections/spec/).
func (d *Decoder) compileSegment(p *config.Policy) {
	root, slots := &node{slot: -1}, 0
	slot := func(path string) int { return root.add(path, &slots) }
	callSlot, eventSlot, idSlot := slot("type"), slot("event"), slot("messageId")
	clock := segmentClock{
		fields:    &d.fields,
		timestamp: slot("timestamp"), original: slot("originalTimestamp"),
		sent: slot("sentAt"), received: slot("receivedAt"),
	}
	calls := []call{{name: "track"}, {name: "page"}, {name: "screen"}, {name: "identify"}, {name: "group"}, {name: "alias"}}
	for i := range p.Datasets {
		dataset := &p.Datasets[i]
		if dataset.Input.Format != config.Segment {
			continue
		}
		for j := range calls {
			if slices.Contains(dataset.Input.Types, calls[j].name) {
				calls[j].tables = append(calls[j].tables, chosen{len(d.tables), dataset.Input.Events})
			}
		}
		d.tables = append(d.tables, newTable(dataset, slot))
	}
	d.fields.slots = make([]field, slots)
	s := scanner{fields: &d.fields}
	d.extract = func(line []byte) Reason { return s.scan(line, root) }
	d.choose = func() int { return choose(calls, &d.fields, callSlot, eventSlot) }
	d.when = func(*table) (time.Time, Reason) { return clock.eventTime() }
	d.id = func() []byte {
		if f := d.fields.at(idSlot); f.kind == text {
			return d.fields.text(f)
		}
		return nil
	}
}

func choose(calls []call, f *fields, callSlot, eventSlot int) int {
	kind := f.at(callSlot)
	if kind.kind != text {
		return unknownCall
	}
	i := slices.IndexFunc(calls, func(c call) bool { return c.name == string(kind.raw) })
	if i < 0 {
		return unknownCall
	}
	for _, c := range calls[i].tables {
		if len(c.events) == 0 || slices.Contains(c.events, string(f.text(f.at(eventSlot)))) {
			return c.table
		}
	}
	return noTable
}

// segmentClock finds out when a call happened.
type segmentClock struct {
	fields                              *fields
	timestamp, original, sent, received int
}

// eventTime corrects the device's clock where the call tells enough: the event
// happened as long before the call was received as, by the device's own clock, it
// happened before the call was sent. The result is never later than the receipt.
// Otherwise the timestamp counts as it is.
// (https://segment.com/docs/connections/spec/common/#timestamps)
func (c *segmentClock) eventTime() (time.Time, Reason) {
	original, reason := c.instant(c.original)
	if reason == BadTime {
		return time.Time{}, reason
	}
	sent, sentReason := c.instant(c.sent)
	received, receivedReason := c.instant(c.received)
	at := original
	switch {
	case reason == Stored && sentReason == Stored && receivedReason == Stored:
		at = received.Add(-sent.Sub(original))
	default:
		stamp, stampReason := c.instant(c.timestamp)
		if stampReason == BadTime || stampReason == NoTime && reason == NoTime {
			return time.Time{}, stampReason
		}
		if stampReason == Stored {
			at = stamp
		}
	}
	if receivedReason == Stored && at.After(received) {
		at = received
	}
	if !storable(at) {
		return time.Time{}, BadTime
	}
	return at, Stored
}

func (c *segmentClock) instant(slot int) (time.Time, Reason) {
	f := c.fields.at(slot)
	if f.kind == absent {
		return time.Time{}, NoTime
	}
	t, ok := instant(f)
	if !ok {
		return time.Time{}, BadTime
	}
	return t, Stored
}
