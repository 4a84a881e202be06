package web

import (
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"
)

// Limits bound what one request may bring, decompressed.
type Limits struct {
	EventBytes int // of one event's JSON
	BatchBytes int // of a whole body
	Events     int // in a batch
}

// DefaultLimits are those of the HTTP tracking API.
var DefaultLimits = Limits{EventBytes: 32 << 10, BatchBytes: 500 << 10, Events: 2500}

// refusal says why a body is not taken. Its text holds nothing of the body.
type refusal struct {
	status     int
	index      int // of the event at fault, from 0; -1 if it is none's
	text       string
	retryAfter int // seconds; 0: trying again does not help
}

// splitter turns a body into lines for the spool: each event on a line of its own,
// as it was sent except that
//
//   - receivedAt is the time of receipt, whatever the sender claims;
//   - sentAt is the batch's where the event has none of its own;
//   - timestamp, which libraries send, is repeated as originalTimestamp, so that
//     ingest can correct the sender's clock; an event with neither happened when
//     it was received;
//   - messageId is made up where there is none;
//   - type is what the path says, where it says so;
//   - what the batch's context says stands in the context of each event that does
//     not say otherwise;
//   - writeKey is left out.
//
// It may be used again, by one goroutine at a time.
type splitter struct {
	scanner
	limits  Limits
	kind    string   // as JSON, if the path says it
	sentAt  []byte   // of the batch, as it is written
	context []member // of the batch
	events  []event
	listed  bool // whether there is a list of them
	fault   *refusal
}

// member is a part of an object: its name, and all of it as it is written.
type member struct {
	name string
	raw  []byte
}

// event is what matters of one event. The bytes are the body's.
type event struct {
	raw    []byte         // with its braces
	values [fields][]byte // as they are written; nil where there is none, or null
	empty  bool           // whether it has no member
	edited bool           // whether a member of it may not stand in the line as it is
}

// field is a member of an event that the collector looks at.
type field int

const (
	messageIDField field = iota
	sentAtField
	timestampField
	originalTimestampField
	kindField
	contextField
	fields           // how many have a value
	leftOut          // receivedAt and writeKey are the collector's affair
	otherField field = -1
)

var fieldNames = [fields]string{"messageId", "sentAt", "timestamp", "originalTimestamp", "type", "context"}

func fieldOf(name []byte) field {
	switch string(name) {
	case "messageId":
		return messageIDField
	case "sentAt":
		return sentAtField
	case "timestamp":
		return timestampField
	case "originalTimestamp":
		return originalTimestampField
	case "type":
		return kindField
	case "context":
		return contextField
	case "receivedAt", "writeKey":
		return leftOut
	}
	return otherField
}

// split appends the lines of a body to dst and says how many there are. The body is
// a batch, or one event of the kind that the path says.
func (p *splitter) split(dst, body []byte, pathKind string, limits Limits, received time.Time) (lines []byte, n int, fault *refusal) {
	p.reset(body, pathKind, limits)
	if !utf8.Valid(body) {
		p.refuse(http.StatusBadRequest, "the body is not UTF-8")
		return nil, 0, p.fault
	}
	var ok bool
	switch {
	case pathKind != "":
		p.space()
		ok = p.event()
	case p.begins('{'):
		ok = p.object(0, p.batchMember)
	}
	if ok && !p.ended() || !ok && p.fault == nil {
		p.refuse(http.StatusBadRequest, "malformed JSON at byte %d", p.at)
	}
	if p.fault == nil && pathKind == "" && !p.listed {
		p.refuse(http.StatusBadRequest, "there is no batch in the body")
	}
	if p.fault == nil {
		dst = p.lines(dst, received)
	}
	if p.fault != nil {
		return nil, 0, p.fault
	}
	return dst, len(p.events), nil
}

func (p *splitter) reset(body []byte, pathKind string, limits Limits) {
	clear(p.events)
	clear(p.context)
	*p = splitter{scanner: scanner{data: body, key: p.key}, limits: limits, events: p.events[:0], context: p.context[:0]}
	if pathKind != "" {
		p.kind = `"` + pathKind + `"`
	}
}

// refuse notes why the body is not taken. It returns false, for the scanner.
func (p *splitter) refuse(status int, format string, args ...any) bool {
	p.fault = &refusal{status: status, index: -1, text: fmt.Sprintf(format, args...)}
	return false
}

// refuseEvent notes that the body is not taken because of one event.
func (p *splitter) refuseEvent(index int, format string, args ...any) bool {
	p.refuse(http.StatusBadRequest, "event %d: %s", index, fmt.Sprintf(format, args...))
	p.fault.index = index
	return false
}

// batchMember takes a member of a batch's body. Of a repeated name the last counts.
func (p *splitter) batchMember(name []byte) bool {
	switch string(name) {
	case "batch":
		p.events, p.listed = p.events[:0], true
		if !p.begins('[') {
			return p.refuse(http.StatusBadRequest, "batch is not a list")
		}
		return p.list(0, p.event)
	case "sentAt":
		value, ok := p.take(1)
		if p.sentAt = nil; ok && !isNull(value) {
			p.sentAt = value
			if !isTime(value) {
				return p.refuse(http.StatusBadRequest, "sentAt is not a time")
			}
		}
		return ok
	case "context":
		p.context = p.context[:0]
		if p.begins('{') {
			return p.object(1, p.contextMember)
		}
	}
	return p.value(1)
}

func (p *splitter) contextMember(name []byte) bool {
	text, from := string(name), p.nameAt
	ok := p.value(2)
	p.context = append(p.context, member{text, p.data[from:p.at]})
	return ok
}

// event takes one event. Its nesting counts from its own braces.
func (p *splitter) event() bool {
	index, from := len(p.events), p.at
	if index >= p.limits.Events {
		return p.refuse(http.StatusBadRequest, "more than %d events in a batch", p.limits.Events)
	}
	if !p.begins('{') {
		if p.value(0) {
			return p.refuseEvent(index, "not an object")
		}
		return p.refuseEvent(index, "malformed JSON at byte %d", p.at)
	}
	p.events = append(p.events, event{empty: true})
	e := &p.events[index]
	ok := p.object(0, func(name []byte) bool { return p.eventMember(e, name) })
	e.raw = p.data[from:p.at]
	switch {
	case p.tooDeep:
		return p.refuseEvent(index, "nested more than %d deep", maxDepth)
	case !ok:
		return p.refuseEvent(index, "malformed JSON at byte %d", p.at)
	case len(e.raw) > p.limits.EventBytes:
		return p.refuseEvent(index, "larger than %d bytes", p.limits.EventBytes)
	}
	return true
}

// eventMember takes a member of an event.
func (p *splitter) eventMember(e *event, name []byte) bool {
	f := fieldOf(name)
	value, ok := p.take(1)
	e.empty = false
	switch {
	case f == otherField:
		return ok
	case f == leftOut:
		e.edited = true
		return ok
	case e.values[f] != nil, isNull(value), f == messageIDField && string(value) == `""`, f == kindField && p.kind != "" && string(value) != p.kind:
		e.edited = true
	}
	if e.values[f] = value; isNull(value) || f == messageIDField && string(value) == `""` {
		e.values[f] = nil
	}
	return ok
}

func isNull(value []byte) bool { return string(value) == "null" }

// isTime reports whether a value is short enough, and of a type, to be a time.
func isTime(value []byte) bool {
	return len(value) <= 64 && (value[0] == '"' || value[0] == '-' || '0' <= value[0] && value[0] <= '9')
}
