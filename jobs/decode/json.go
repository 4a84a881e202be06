package decode

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of objects and lists.
const maxDepth = 64

// node is a place in the tree of the JSON paths that are wanted.
type node struct {
	keys     []string
	children []*node
	slot     int // where the value goes; -1: nowhere

	// The names that objects here have had, and those the last objects began with.
	seen   []*guess
	first  guesses
	others uint64 // unwanted names that there was no room for
}

// guess is a name that an object has had, and which ones followed it the last times:
// most calls come from the same few programs, which write the same names in the
// same order, so that a comparison takes the place of a search.
type guess struct {
	quoted []byte    // the name as it stood, with its quotes and the colon
	head   [2]uint64 // its first sixteen bytes
	mask   [2]uint64 // which of these there are
	child  *node     // nil: nobody wants the value
	next   guesses
	count  uint64 // how often nobody wanted it
}

// guesses are the names that came last in one place, the very last first: a name that
// some calls have and others have not is followed by the one or the other.
type guesses [2]*guess

// take returns that with which data begins; nil if none of them does.
func (e *guesses) take(data []byte) *guess {
	if g := e[0]; g != nil && g.begins(data) {
		return g
	}
	if g := e[1]; g != nil && g.begins(data) {
		e[0], e[1] = g, e[0]
		return g
	}
	return nil
}

// The names remembered in one place, and their length, are bounded: they come
// from the input.
const (
	maxGuesses     = 64
	maxGuessLength = 64
)

// add makes sure that the dotted path is wanted, and returns its slot.
func (n *node) add(path string, slots *int) int {
	for name := range strings.SplitSeq(path, ".") {
		child := n.child([]byte(name))
		if child == nil {
			child = &node{slot: -1}
			n.keys, n.children = append(n.keys, name), append(n.children, child)
		}
		n = child
	}
	if n.slot < 0 {
		n.slot = *slots
		*slots++
	}
	return n.slot
}

func (n *node) child(key []byte) *node {
	for i, k := range n.keys {
		if k == string(key) {
			return n.children[i]
		}
	}
	return nil
}

// guess returns the guess that stands for a name without escapes; nil if there is
// no more room for it.
func (n *node) guess(key []byte) *guess {
	for _, g := range n.seen {
		if len(g.quoted) == len(key)+3 && string(g.quoted[1:len(key)+1]) == string(key) {
			return g
		}
	}
	if len(n.seen) == maxGuesses || len(key) > maxGuessLength {
		return nil
	}
	g := &guess{child: n.child(key)}
	g.quoted = append(append(append(g.quoted, '"'), key...), '"', ':')
	var head, mask [headSize]byte
	copy(head[:], g.quoted)
	for i := range min(headSize, len(g.quoted)) {
		mask[i] = 0xFF
	}
	for i := range g.head {
		g.head[i], g.mask[i] = binary.LittleEndian.Uint64(head[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	n.seen = append(n.seen, g)
	return g
}

const headSize = 16

// begins reports whether data begins with the name. The first sixteen bytes tell most
// names apart, without a call.
func (g *guess) begins(data []byte) bool {
	if len(data) < headSize {
		return bytes.HasPrefix(data, g.quoted)
	}
	return binary.LittleEndian.Uint64(data)&g.mask[0] == g.head[0] && binary.LittleEndian.Uint64(data[8:])&g.mask[1] == g.head[1] &&
		(len(g.quoted) <= headSize || bytes.HasPrefix(data[headSize:], g.quoted[headSize:]))
}

// scanner reads one JSON text (RFC 8259) from start to end: it checks all of it and
// keeps what a tree of paths wants. Of a repeated name the last value counts.
type scanner struct {
	data   []byte
	at     int
	marks  marks
	fields *fields
	key    []byte
}

// begin lets the scanner stand at a place in data.
func (s *scanner) begin(data []byte, at int) {
	s.data, s.at, s.marks.foreign = data, at, false
	s.marks.look(data, at)
}

// scan reads line, which must be one object. What is not ASCII in JSON stands in
// strings, of which each is UTF-8 if the whole is.
func (s *scanner) scan(line []byte, root *node) Reason {
	s.begin(line, 0)
	s.fields.begin(line)
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
	if reason := s.object(root, 1); reason != Stored {
		return reason
	}
	if !s.ended() {
		return NotJSON
	}
	return Stored
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

// object reads an object of which something is wanted; the scanner stands at its
// brace.
func (s *scanner) object(n *node, depth int) Reason {
	if depth > maxDepth {
		return TooDeep
	}
	s.at++
	if s.next('}') {
		return Stored
	}
	data, at := s.data, s.at // s.at is set where others read on
	for expected := &n.first; ; {
		var child *node
		if g := expected.take(data[at:]); g != nil {
			at += len(g.quoted)
			if child, expected = g.child, &g.next; child == nil {
				g.count++
			}
		} else {
			var ok bool
			s.at = at
			if child, expected, ok = s.name(n, expected); !ok {
				return NotJSON
			}
			at = s.at
		}
		from := at + 1
		if end, near := s.marks.near(from); near && end < len(data) && data[at] == '"' && data[end] == '"' { // most values are short texts
			if child != nil && child.slot >= 0 {
				s.fields.put(child.slot, from, end, text, false)
			}
			at = end + 1
		} else {
			s.at = at
			if reason := s.value(child, depth); reason != Stored {
				return reason
			}
			at = s.at
		}
		if at < len(data) && data[at] == ',' { // and most members are followed by another
			at++
			continue
		}
		s.at = at
		if s.next('}') {
			return Stored
		}
		if !s.take(',') {
			return NotJSON
		}
		at = s.at
	}
}

// name reads a name that was not expected, and its colon.
func (s *scanner) name(n *node, expected *guesses) (child *node, next *guesses, ok bool) {
	s.space()
	from, escaped, ok := s.str()
	key := s.data[from:max(s.at-1, from)]
	if !ok || !s.next(':') {
		return nil, nil, false
	}
	if escaped {
		s.key = unescape(s.key[:0], key)
		key = s.key
	} else if g := n.guess(key); g != nil {
		if expected[0] != g { // it is, if there is a space before it
			expected[0], expected[1] = g, expected[0]
		}
		if g.child == nil {
			g.count++
		}
		return g.child, &g.next, true
	}
	if child = n.child(key); child == nil {
		n.others++
	}
	return child, new(guesses), true
}

// value reads any value and keeps it if n has a slot for it.
func (s *scanner) value(n *node, depth int) Reason {
	s.space()
	if n == nil {
		return s.skip(depth)
	}
	if s.at >= len(s.data) {
		return NotJSON
	}
	from := s.at
	kind, reason, ok := composite, Stored, true
	switch c := s.data[s.at]; c {
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
		reason = s.object(n, depth+1)
	case '[':
		reason = s.list(depth + 1)
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
	if s.at < len(s.data) && s.data[s.at] == ',' { // most are whole
		return true
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
