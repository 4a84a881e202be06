package decode

import (
	"bytes"
	"unicode/utf8"
)

// maxDepth bounds the nesting of objects and lists.
const maxDepth = 64

// scanner reads one JSON text (RFC 8259) from start to end: it checks all of it and
// keeps what a tree of paths wants. Of a repeated name the last value counts.
type scanner struct {
	data    []byte
	at      int
	marks   marks
	fields  *fields
	key     []byte
	nested  int  // places remembered in objects of which nothing is wanted
	unknown step // the last that was not known
}

// begin lets the scanner stand at a place in data.
func (s *scanner) begin(data []byte, at int) {
	s.data, s.at, s.marks.foreign = data, at, false
	s.marks.look(data, at)
}

// scan reads line, the one that its fields begin, which must be one object. What is not ASCII in JSON stands in
// strings, of which each is UTF-8 if the whole is.
func (s *scanner) scan(line []byte, root *node) Reason {
	s.begin(line, 0)
	reason := s.document(root)
	if (s.marks.foreign || reason != Stored) && !utf8.Valid(line) {
		return NotUTF8
	}
	return reason
}

func (s *scanner) document(root *node) Reason {
	s.space()
	if s.at >= len(s.data) || s.data[s.at] != '{' {
		if reason := s.skip(0); reason != Stored || !s.ended() {
			return NotJSON
		}
		return NotObject
	}
	data, at := s.data, s.at // s.at is set where others read on
	for n := root; ; {
		st := n.take(data[at:])
		if st == nil {
			var reason Reason
			s.at = at
			if st, reason = s.step(n); reason != Stored {
				return reason
			}
			at = s.at
		} else {
			if len(st.passed) > 0 {
				s.pass(st, at)
			}
			at += len(st.text)
		}
		if n = st.to; n == nil {
			return Stored
		}
		n.count++
		if st.quoted {
			if end, near := s.marks.near(at); near && end < len(data) && data[end] == '"' { // most values are short texts
				if n.slot >= 0 {
					s.fields.put(n.slot, at, end, text, false)
				}
				at = end + 1
				continue
			}
			at--
		} else if end, whole := wholeNumber(data, at); whole {
			if n.slot >= 0 {
				s.fields.put(n.slot, at, end, number, false)
			}
			at = end
			continue
		}
		s.at = at
		if reason := s.value(n); reason != Stored {
			return reason
		}
		at = s.at
	}
}

// step reads from behind n's value, or from the record's first brace, to the next value
// that is no object, or to the end. It is remembered, if all names in it are.
func (s *scanner) step(n *node) (*step, Reason) {
	st, start, from, plain := &s.unknown, n, s.at, true
	*st = step{passed: st.passed[:0]}
	for begins := n.parent == nil; ; { // whether an object begins at n
		object := n.parent
		if begins {
			if n.depth > maxDepth {
				return nil, TooDeep
			}
			object = n
			st.pass(n, s.at-from, true)
			s.at++
		}
		if s.next('}') {
			if n, begins = object, false; n.parent == nil {
				if !s.ended() {
					return nil, NotJSON
				}
				break
			}
			st.pass(n, s.at-from, false)
			continue
		}
		if !begins && !s.take(',') {
			return nil, NotJSON
		}
		member, known, ok := s.name(object)
		s.space()
		if !ok || s.at >= len(s.data) {
			return nil, NotJSON
		}
		n, plain = member, plain && known
		if begins = s.data[s.at] == '{' && !n.opaque; begins {
			continue
		}
		if st.to = n; s.take('"') {
			st.quoted = true
		}
		break
	}
	s.pass(st, from)
	if text := s.data[from:s.at]; plain && utf8.Valid(text) { // what it is taken for again may not be looked at
		start.learn(text, st)
	}
	return st, Stored
}

// pass notes the objects that begin and end in a step, which stands at a place.
func (s *scanner) pass(st *step, at int) {
	for _, p := range st.passed {
		if p.begins {
			p.of.count++
			p.of.from = at + p.at
		} else {
			s.fields.put(p.of.slot, p.of.from, at+p.at, composite, false)
		}
	}
}

func (s *scanner) ended() bool {
	s.space()
	return s.at == len(s.data)
}

// space skips white space. That there is none is the common case.
func (s *scanner) space() {
	for s.at < len(s.data) && s.data[s.at] <= ' ' {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next skips white space and takes c, if it comes next.
func (s *scanner) next(c byte) bool {
	s.space()
	return s.take(c)
}

// name reads the name of a member of n's object, and its colon. Plain says that the same
// text always leads to the same member.
func (s *scanner) name(n *node) (member *node, plain, ok bool) {
	s.space()
	from, escaped, ok := s.str()
	key := s.data[from:max(s.at-1, from)]
	if !ok || !s.next(':') {
		return nil, false, false
	}
	if escaped {
		s.key = unescape(s.key[:0], key)
		key = s.key
	}
	member = n.child(key)
	if member == nil && !escaped {
		member = s.remember(n, key)
	}
	if member == nil {
		return n.others(), false, true
	}
	return member, !escaped, true
}

// remember returns the place of a name in n's object that is met the first time; nil if
// there is no room for it.
func (s *scanner) remember(n *node, key []byte) *node {
	if len(key) > maxNameLength || n.unknown == maxNames || !n.wanted && s.nested == maxNested {
		return nil
	}
	n.unknown++
	if !n.wanted {
		s.nested++
	}
	return n.append(string(key))
}

// value reads a value that is no object, or any where n stands for several names, and
// keeps it if n has a slot for it.
func (s *scanner) value(n *node) Reason {
	from := s.at
	kind, reason, ok := composite, Stored, true
	switch s.data[from] {
	case '"':
		from, escaped, ok := s.str()
		if !ok {
			return NotJSON
		}
		if n.slot >= 0 {
			s.fields.put(n.slot, from, s.at-1, text, escaped)
		}
		return Stored
	case '{':
		reason = s.members(n.depth)
	case '[':
		reason = s.list(n.depth)
	case 't':
		kind, ok = truth, s.literal("true")
	case 'f':
		kind, ok = falsehood, s.literal("false")
	case 'n':
		kind, ok = absent, s.literal("null")
	default:
		kind, ok = number, s.number()
	}
	if reason == Stored && !ok {
		reason = NotJSON
	}
	if reason == Stored && n.slot >= 0 {
		s.fields.put(n.slot, from, s.at, kind, false)
	}
	return reason
}

// skip reads any value of which nothing is wanted.
func (s *scanner) skip(depth int) Reason {
	if s.at >= len(s.data) {
		return NotJSON
	}
	ok := false
	switch c := s.data[s.at]; c {
	case '"':
		_, _, ok = s.str()
	case '{':
		return s.members(depth + 1)
	case '[':
		return s.list(depth + 1)
	case 't':
		ok = s.literal("true")
	case 'f':
		ok = s.literal("false")
	case 'n':
		ok = s.literal("null")
	default:
		ok = s.number()
	}
	if !ok {
		return NotJSON
	}
	return Stored
}

// members reads an object of which nothing is wanted; the scanner stands at its
// brace.
func (s *scanner) members(depth int) Reason {
	if depth > maxDepth {
		return TooDeep
	}
	s.at++
	if s.next('}') {
		return Stored
	}
	for {
		s.space()
		if _, _, ok := s.str(); !ok || !s.next(':') {
			return NotJSON
		}
		s.space()
		if reason := s.skip(depth); reason != Stored {
			return reason
		}
		if s.next('}') {
			return Stored
		}
		if !s.take(',') {
			return NotJSON
		}
	}
}

// list reads a list; the scanner stands at its bracket.
func (s *scanner) list(depth int) Reason {
	if depth > maxDepth {
		return TooDeep
	}
	s.at++
	if s.next(']') {
		return Stored
	}
	for {
		s.space()
		if reason := s.skip(depth); reason != Stored {
			return reason
		}
		if s.next(']') {
			return Stored
		}
		if !s.take(',') {
			return NotJSON
		}
	}
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

// str reads a string and returns where it begins behind its quote; before the scanner
// stands the quote that it ends with.
func (s *scanner) str() (from int, escaped, ok bool) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return s.at, false, false
	}
	s.at++
	from = s.at
	for {
		s.at = s.marks.next(s.data, s.at)
		if s.at >= len(s.data) {
			s.at = len(s.data)
			return from, escaped, false
		}
		switch s.data[s.at] {
		case '"':
			s.at++
			return from, escaped, true
		case '\\':
			escaped = true
			if !s.escape() {
				return from, true, false
			}
		default: // a control character
			return from, escaped, false
		}
	}
}

// escape reads one escape sequence.
func (s *scanner) escape() bool {
	if s.at+1 >= len(s.data) {
		return false
	}
	c := s.data[s.at+1]
	s.at += 2
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		if s.at+4 > len(s.data) {
			return false
		}
		for _, h := range s.data[s.at : s.at+4] {
			if hexValue(h) == 0xFF {
				return false
			}
		}
		s.at += 4
		return true
	}
	return false
}

// number reads a number of RFC 8259: no leading zeros, no plus sign.
func (s *scanner) number() bool {
	s.take('-')
	switch {
	case s.take('0'):
	case !s.digits():
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		_ = s.take('+') || s.take('-')
		return s.digits()
	}
	return true
}

// wholeNumber returns where a number of digits alone ends, which most are, if another
// member or the object's end follows. What is not plainly one is left to value.
func wholeNumber(data []byte, at int) (end int, ok bool) {
	for end = at; end < len(data) && data[end]-'0' <= 9; end++ {
	}
	return end, end < len(data) && end > at && (data[end] == ',' || data[end] == '}') && (data[at] != '0' || end == at+1)
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}
