package decode

import "unicode/utf8"

// kind is the JSON type of a field; a web log's fields are strings and numbers.
type kind uint8

const (
	absent kind = iota // not there, or null
	text
	number
	truth
	falsehood
	composite // an object or a list
)

// field is one value of the record being decoded. Its bytes are the line's.
type field struct {
	raw     []byte // a string without its quotes; else as it stands
	kind    kind
	escaped bool // a string with backslashes
}

// span is where a field stands in the line: a line has less than 4 GiB. It belongs to
// the current record only if it carries its number, so that nothing needs clearing, and
// has no pointers, which the garbage collector would want to know of.
type span struct {
	from, to uint32
	record   uint32
	kind     kind
	escaped  bool
}

// fields are the values found in a line, by slot.
type fields struct {
	line    []byte
	slots   []span
	record  uint32
	scratch []byte
	base    []field // what the records of a batch have in common, by slot; else nil
}

// begin starts a new record.
func (f *fields) begin(line []byte) {
	f.line = line
	f.record++
	if f.record == 0 { // after 2^32 records, old marks would be taken for new ones
		clear(f.slots)
		f.record = 1
	}
}

// put keeps the bytes of the line from one place to another.
func (f *fields) put(slot, from, to int, kind kind, escaped bool) {
	s := &f.slots[slot]
	s.from, s.to, s.record, s.kind, s.escaped = uint32(from), uint32(to), f.record, kind, escaped
}

// set is put for a part of the line.
func (f *fields) set(slot int, v field) {
	from := 0
	if len(v.raw) > 0 {
		from = offsetIn(f.line, v.raw)
	}
	f.put(slot, from, from+len(v.raw), v.kind, v.escaped)
}

func (f *fields) at(slot int) field {
	if v := &f.slots[slot]; v.record == f.record {
		return field{f.line[v.from:v.to], v.kind, v.escaped}
	}
	return f.inherited(slot)
}

func (f *fields) inherited(slot int) field {
	if f.base != nil {
		return f.base[slot]
	}
	return field{}
}

// inherit lets the records that follow have the present one's fields of the given
// slots where they have none themselves.
func (f *fields) inherit(slots []int) {
	base := make([]field, len(f.slots))
	for _, slot := range slots {
		base[slot] = f.at(slot)
	}
	f.base = base
}

func (f *fields) disinherit() { f.base = nil }

// text returns the field's text: a string unescaped, all else as it was written.
// It is valid until the next call.
func (f *fields) text(v field) []byte {
	if !v.escaped {
		return v.raw
	}
	f.scratch = unescape(f.scratch[:0], v.raw)
	return f.scratch
}

// unescape appends the JSON string s, which has been checked, to dst. Half a
// surrogate pair becomes U+FFFD, as encoding/json has it.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s[i+1:])
			i += 4
			if 0xD800 <= r && r < 0xDC00 && i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
				if low := hex4(s[i+3:]); 0xDC00 <= low && low < 0xE000 {
					r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r) // U+FFFD for half a pair
		default: // quote, backslash, slash
			dst = append(dst, s[i])
		}
	}
	return dst
}

func hex4(s []byte) (r rune) {
	for _, c := range s[:4] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xFF
}
