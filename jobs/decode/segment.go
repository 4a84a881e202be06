package decode

import (
	"slices"
	"time"

	"github.com/facesoft/lapse/config"
)

// Special results of choosing a table.
const (
	noTable        = -1
	unknownCall    = -2
	severalRecords = -3 // it is the body of a batch request
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
	paths := d.compileJSON(p, datasets, []string{"track", "page", "screen", "identify", "group", "alias"})
	d.compileAdmission(p, d.resources.Gate, paths.slot)
	d.batch = paths.slot("batch")
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
	paths := d.compileJSON(p, datasets, notes.Input.Types)
	at := segmentClock{fields: &d.fields, timestamp: paths.slot("at")}
	d.when = func() (time.Time, Reason) { return at.instant(at.timestamp) }
	paths.end(d)
}

// paths gathers the JSON paths that are wanted.
type paths struct {
	root      *node
	slots     int
	inherited []int // by the records of a batch
}

func (p *paths) slot(path string) int {
	known := p.slots
	slot := p.root.add(path, &p.slots)
	if slot >= known && inheritable(path) {
		p.inherited = append(p.inherited, slot)
	}
	return slot
}

// end lets d read the values, once all paths are known.
func (p *paths) end(d *Decoder) {
	d.extractor = func(f *fields) func([]byte) Reason {
		s, root := scanner{fields: f}, p.root.clone(nil)
		d.roots = append(d.roots, root)
		return func(line []byte) Reason { return s.scan(line, root) }
	}
	d.fields.slots, d.inherited = make([]span, p.slots), p.inherited
	d.extract = d.extractor(&d.fields)
}

// compileJSON prepares d for records that are JSON objects with a type and a
// message id.
func (d *Decoder) compileJSON(policy *config.Policy, datasets []*config.Dataset, types []string) *paths {
	p := &paths{root: newRoot()}
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
		d.tables = append(d.tables, d.newTable(policy, dataset, p.slot))
	}
	d.choose = func() int {
		i := choose(calls, &d.fields, kind, event)
		if i == unknownCall && d.batch != noSlot && d.isBatch(kind) {
			return severalRecords
		}
		return i
	}
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
//
// What a library sends has the device's time as its timestamp; originalTimestamp is
// the name under which Segment passes it on, beside the corrected one.
func (c *segmentClock) eventTime() (time.Time, Reason) {
	at, reason := c.instant(c.original)
	if reason == NoTime {
		at, reason = c.instant(c.timestamp)
	}
	if reason != Stored {
		return time.Time{}, reason
	}
	received, receivedReason := c.instant(c.received)
	if receivedReason != Stored {
		if stamp, stampReason := c.instant(c.timestamp); stampReason != NoTime {
			return stamp, stampReason
		}
		return at, Stored
	}
	if sent, sentReason := c.instant(c.sent); sentReason == Stored {
		at = received.Add(-sent.Sub(at))
	} else if stamp, stampReason := c.instant(c.timestamp); stampReason != NoTime {
		at, reason = stamp, stampReason
	}
	if at.After(received) {
		at = received
	}
	return at, reason
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
