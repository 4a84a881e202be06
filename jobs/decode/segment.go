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
	var datasets []*config.Dataset
	for i := range p.Datasets {
		if p.Datasets[i].Input.Format == config.Segment {
			datasets = append(datasets, &p.Datasets[i])
		}
	}
	paths := d.compileJSON(datasets, []string{"track", "page", "screen", "identify", "group", "alias"})
	clock := segmentClock{
		fields:    &d.fields,
		timestamp: paths.slot("timestamp"), original: paths.slot("originalTimestamp"),
		sent: paths.slot("sentAt"), received: paths.slot("receivedAt"),
	}
	d.when = clock.eventTime
	paths.end(d)
}

// compileTraining prepares d for records about training items.
func (d *Decoder) compileTraining(p *config.Policy) {
	var datasets []*config.Dataset
	notes := config.TrainingRecords()
	if p.Training != nil {
		datasets = append(datasets, notes)
	}
	paths := d.compileJSON(datasets, notes.Input.Types)
	at := segmentClock{fields: &d.fields, timestamp: paths.slot("at")}
	d.when = func() (time.Time, Reason) { return at.instant(at.timestamp) }
	paths.end(d)
}

// paths gathers the JSON paths that are wanted.
type paths struct {
	root  *node
	slots int
}

func (p *paths) slot(path string) int { return p.root.add(path, &p.slots) }

// end makes room for the values, once all paths are known.
func (p *paths) end(d *Decoder) { d.fields.slots = make([]field, p.slots) }

// compileJSON prepares d for records that are JSON objects with a type and a
// message id.
func (d *Decoder) compileJSON(datasets []*config.Dataset, types []string) *paths {
	p := &paths{root: &node{slot: -1}}
	kind, event, id := p.slot("type"), p.slot("event"), p.slot("messageId")
	calls := make([]call, len(types))
	for i, name := range types {
		calls[i].name = name
	}
	for _, dataset := range datasets {
		for j := range calls {
			if slices.Contains(dataset.Input.Types, calls[j].name) {
				calls[j].tables = append(calls[j].tables, chosen{len(d.tables), dataset.Input.Events})
			}
		}
		d.tables = append(d.tables, newTable(dataset, p.slot))
	}
	s := scanner{fields: &d.fields}
	d.extract = func(line []byte) Reason { return s.scan(line, p.root) }
	d.choose = func() int { return choose(calls, &d.fields, kind, event) }
	d.id = func() []byte {
		if f := d.fields.at(id); f.kind == text {
			return d.fields.text(f)
		}
		return nil
	}
	return p
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
	return at, Stored
}

// instant reads one of the call's times.
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
