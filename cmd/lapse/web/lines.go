package web

import (
	"bytes"
	"net/http"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// addedBytes is more than a line has beyond its event, the batch's context aside.
const addedBytes = 320

// lines appends a line for each event.
func (p *splitter) lines(dst []byte, received time.Time) []byte {
	at := received.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`)
	start := len(dst)
	for i := range p.events {
		from := len(dst)
		dst = p.line(dst, &p.events[i], at)
		if len(p.context) > 0 && len(dst)-from > p.limits.EventBytes+addedBytes {
			p.refuseEvent(i, "larger than %d bytes with the batch's context", p.limits.EventBytes)
			return nil
		}
		if len(dst)-start > p.limits.BatchBytes+len(p.events)*addedBytes {
			p.refuse(http.StatusRequestEntityTooLarge, "the batch is larger than %d bytes once its context stands in each event", p.limits.BatchBytes)
			return nil
		}
	}
	return dst
}

// line appends the line of one event; received is a JSON string.
func (p *splitter) line(dst []byte, e *event, received []byte) []byte {
	from := len(dst)
	own := &e.values
	merges := len(p.context) > 0 && (own[contextField] == nil || own[contextField][0] == '{')
	edited := e.edited || merges && own[contextField] != nil
	dst = append(append(dst, `{"receivedAt":`...), received...)
	if edited {
		for f, value := range own {
			if value != nil && !(field(f) == contextField && merges) && !(field(f) == kindField && p.kind != "") {
				dst = appendMember(dst, fieldNames[f], value)
			}
		}
	}
	if own[sentAtField] == nil && p.sentAt != nil {
		dst = appendMember(dst, "sentAt", p.sentAt)
	}
	if own[originalTimestampField] == nil && own[timestampField] == nil {
		dst = appendMember(dst, "timestamp", received)
	} else if own[originalTimestampField] == nil && isTime(own[timestampField]) {
		dst = appendMember(dst, "originalTimestamp", own[timestampField])
	}
	if own[messageIDField] == nil {
		dst = append(append(append(dst, `,"messageId":"`...), sinks.NewID().String()...), '"')
	}
	if p.kind != "" && (edited || own[kindField] == nil) {
		dst = append(append(dst, `,"type":`...), p.kind...)
	}
	if merges {
		dst = p.appendContext(dst, own[contextField])
	}
	dst = e.appendRest(dst, edited)
	flatten(dst[from:])
	return append(dst, '}', '\n')
}

func appendMember(dst []byte, name string, value []byte) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return append(dst, value...)
}

// appendRest appends what the event has beside what is in the line already.
func (e *event) appendRest(dst []byte, edited bool) []byte {
	switch {
	case e.empty:
		return dst
	case !edited:
		return append(append(dst, ','), e.raw[1:len(e.raw)-1]...)
	}
	s := scanner{data: e.raw}
	s.object(0, func(name []byte) bool {
		f, from := fieldOf(name), s.nameAt
		ok := s.value(1)
		if f == otherField {
			dst = append(append(dst, ','), e.raw[from:s.at]...)
		}
		return ok
	})
	return dst
}

// appendContext appends an event's context, which may be nil, and what the batch's
// says beyond it.
func (p *splitter) appendContext(dst, own []byte) []byte {
	said := map[string]bool{}
	dst = append(dst, `,"context":{`...)
	if own != nil {
		s := scanner{data: own}
		s.object(0, func(name []byte) bool {
			said[string(name)] = true
			return s.value(1)
		})
		dst = append(dst, own[1:len(own)-1]...)
	}
	for _, m := range p.context {
		if said[m.name] {
			continue
		}
		if len(said) > 0 {
			dst = append(dst, ',')
		}
		said[m.name] = true
		dst = append(dst, m.raw...)
	}
	return append(dst, '}')
}

// flatten makes one line of JSON: line breaks stand between its tokens only.
func flatten(json []byte) {
	for _, lineBreak := range []byte{'\n', '\r'} {
		rest := json
		for i := bytes.IndexByte(rest, lineBreak); i >= 0; i = bytes.IndexByte(rest, lineBreak) {
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}
