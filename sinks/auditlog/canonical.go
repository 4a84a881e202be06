package auditlog

import (
	"encoding"
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
	value    form
	optional bool
	zero     string // what an optional member never is, because it is left out instead
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
		m := member{
			name:     name,
			key:      `"` + name + `":`,
			value:    formOf(f.Type),
			optional: option != "",
			zero:     zeroText(f.Type),
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

func (o *object) form(s *scanner) bool { return o.scan(s, nil) }

// scan checks an object and, unless spans is nil, notes where each member's
// value stands; an absent member has an empty span.
func (o *object) scan(s *scanner, spans []span) bool {
	if !s.skip('{') {
		return s.fail("not an object")
	}
	first := true
	for i := range o.members {
		m := &o.members[i]
		start := s.pos
		if !first && !s.skip(',') || !s.skipText(m.key) {
			s.pos = start
			if m.optional {
				continue
			}
			return s.failAt(m.name, "is missing or out of order")
		}
		first = false
		begin := s.pos
		if !m.value(s) {
			return s.failAt(m.name, "is malformed")
		}
		if m.optional && string(s.b[begin:s.pos]) == m.zero {
			return s.failAt(m.name, "is empty and must be absent")
		}
		if spans != nil {
			spans[i] = span{begin, s.pos}
		}
	}
	if !s.skip('}') {
		return s.fail("has an unknown, repeated or misplaced member, or white space")
	}
	return true
}
