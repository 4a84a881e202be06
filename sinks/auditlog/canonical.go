package auditlog

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// A form checks that one value stands at the scanner's position in canonical
// form (RFC 8785, JSON Canonicalization Scheme) and moves behind it. Forms
// allocate nothing: verification runs them over every entry of the log.
type form func(s *scanner) bool

// object is the form of a struct: its members in the order of their names.
type object struct {
	members []member
}

type member struct {
	name     string
	key      string // with quotes and colon
	start    uint64 // the key's first 8 bytes, of which mask covers
	mask     uint64 // those it has: most members are absent, and told so by these
	value    form
	optional bool
	zero     string // what an optional member never is, because it is left out instead
	bounded  bool   // the value's end is told by its last byte
}

// formOf compiles the canonical form of a type out of its fields, so that the
// type of an entry is the only statement of the schema. A type without a closed
// set of values, such as a plain string, has no form: it panics, when the
// program starts, because such a field must never be added to an entry.
func formOf(t reflect.Type) form {
	if vocabulary, ok := vocabularies[t]; ok {
		return wordForm(vocabulary)
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return timeForm
	case reflect.TypeFor[sinks.Day]():
		return dateForm
	case reflect.TypeFor[sinks.Name]():
		return nameForm
	}
	switch t.Kind() {
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
			return hexForm(t.Len())
		}
	case reflect.Int, reflect.Uint64:
		return numberForm(maxSafeInteger)
	case reflect.Uint32:
		return numberForm(1<<32 - 1)
	case reflect.Struct:
		return objectOf(t).form
	case reflect.Pointer:
		return objectOf(t.Elem()).form
	case reflect.Slice:
		return arrayForm(formOf(t.Elem()))
	case reflect.Map:
		return mapForm(vocabularies[t.Key()], formOf(t.Elem()))
	}
	panic(fmt.Sprintf("auditlog: a field of type %v has no closed set of values", t))
}

func objectOf(t reflect.Type) *object {
	o := &object{}
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		key := `"` + name + `":`
		m := member{
			name:     name,
			key:      key,
			start:    firstBytes([]byte(key)),
			mask:     firstBytes(bytes.Repeat([]byte{0xff}, len(key))),
			value:    formOf(f.Type),
			optional: option != "",
			zero:     zeroText(f.Type),
			bounded:  !isNumber(f.Type),
		}
		if n := len(o.members); n > 0 && o.members[n-1].name >= name {
			panic(fmt.Sprintf("auditlog: field %s of %v is not in the order of JSON names", f.Name, t))
		}
		o.members = append(o.members, m)
	}
	return o
}

// zeroText returns how a type's zero value would be written. Vocabularies, names
// and composite values have no form for zero, so it does not matter for them.
func zeroText(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return `"0001-01-01T00:00:00Z"`
	case t.Kind() == reflect.Array:
		return `"` + strings.Repeat("00", t.Len()) + `"`
	}
	return "0"
}

// index returns the position of a member.
func (o *object) index(name string) int {
	for i, m := range o.members {
		if m.name == name {
			return i
		}
	}
	panic("auditlog: an entry has no member " + name)
}

func isNumber(t reflect.Type) bool {
	return vocabularies[t] == nil && (t.Kind() == reflect.Int || t.Kind() == reflect.Uint32 || t.Kind() == reflect.Uint64)
}

// memo has for each member of an object the last value that was found canonical.
// A value that is the same is canonical too, and most members of an entry repeat
// those of an entry shortly before.
type memo [maxMembers][]byte

func (o *object) form(s *scanner) bool { return o.scan(s, nil, nil) }

// scan checks an object and, unless spans is nil, notes where each member's
// value stands; an absent member has an empty span. What is in the memo, unless
// that is nil, need not be looked at again.
func (o *object) scan(s *scanner, spans []span, seen *memo) bool {
	if !s.skip('{') {
		return s.fail("not an object")
	}
	next := s.pos // where the next member's key must stand
	for i := range o.members {
		m := &o.members[i]
		if !s.isAt(next, m) {
			if m.optional {
				continue
			}
			return s.failAt(m.name, "is missing or out of order")
		}
		s.pos = next + len(m.key)
		begin := s.pos
		if seen == nil || !m.bounded || !s.skipBytes(seen[i]) {
			if !m.value(s) {
				return s.failAt(m.name, "is malformed")
			}
			if m.optional && string(s.b[begin:s.pos]) == m.zero {
				return s.failAt(m.name, "is empty and must be absent")
			}
			if seen != nil {
				seen[i] = s.b[begin:s.pos]
			}
		}
		if spans != nil {
			spans[i] = span{begin, s.pos}
		}
		if next = s.pos + 1; s.pos >= len(s.b) || s.b[s.pos] != ',' {
			next = len(s.b) // no further member
		}
	}
	if !s.skip('}') {
		return s.fail("has an unknown, repeated or misplaced member, or white space")
	}
	return true
}

// firstBytes returns the first 8 bytes of b, zeros standing for those it lacks.
func firstBytes(b []byte) uint64 {
	var first [8]byte
	copy(first[:], b)
	return binary.LittleEndian.Uint64(first[:])
}

// isAt reports whether a member's key stands at a position.
func (s *scanner) isAt(pos int, m *member) bool {
	if pos+8 <= len(s.b) {
		if binary.LittleEndian.Uint64(s.b[pos:])&m.mask != m.start {
			return false
		}
		if len(m.key) <= 8 {
			return true
		}
	}
	end := pos + len(m.key)
	return end <= len(s.b) && string(s.b[pos:end]) == m.key
}
