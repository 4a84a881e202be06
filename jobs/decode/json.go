package decode

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
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

	// The names that objects here have had, and the one the last object began with.
	seen   []*guess
	first  *guess
	others uint64 // unwanted names that there was no room for
}

// guess is a name that an object has had, and which one followed it the last time:
// most calls come from the same few programs, which write the same names in the
// same order, so that a comparison takes the place of a search.
type guess struct {
	quoted []byte // the name as it stood, with its quotes and the colon
	head   uint64 // its first eight bytes
	mask   uint64 // which of these there are
	child  *node  // nil: nobody wants the value
	next   *guess
	count  uint64 // how often nobody wanted it
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
	g.mask = math.MaxUint64
	if len(g.quoted) < 8 {
		g.mask = 1<<(8*len(g.quoted)) - 1
	}
	var head [8]byte
	copy(head[:], g.quoted)
	g.head = binary.LittleEndian.Uint64(head[:])
	n.seen = append(n.seen, g)
	return g
}

// begins reports whether data begins with the name. The first eight bytes tell most
// names apart, without a call.
func (g *guess) begins(data []byte) bool {
	return len(data) >= 8 && binary.LittleEndian.Uint64(data)&g.mask == g.head &&
		(len(g.quoted) <= 8 || bytes.HasPrefix(data[8:], g.quoted[8:]))
}

// scanner reads one JSON text (RFC 8259) in one pass: it checks all of it and
// keeps what a tree of paths wants. Of a repeated name the last value counts.
type scanner struct {
	data    []byte
	at      int
	garbled bool // a string was not UTF-8
	fields  *fields
	key     []byte
}

// scan reads line, which must be one object.
func (s *scanner) scan(line []byte, root *node) Reason {
	s.data, s.at, s.garbled = line, 0, false
	s.fields.begin()
	reason := s.document(root)
	if s.garbled || reason != Stored && !utf8.Valid(line) {
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
	for expected := &n.first; ; {
		var child *node
		if g := *expected; g != nil && g.begins(s.data[s.at:]) {
			s.at += len(g.quoted)
			if child, expected = g.child, &g.next; child == nil {
				g.count++
			}
		} else {
			var ok bool
			if child, expected, ok = s.name(n, expected); !ok {
				return NotJSON
			}
		}
		s.space()
		if s.at < len(s.data) && s.data[s.at] == '"' { // most values are strings
			raw, escaped, ok := s.str()
			if !ok {
				return NotJSON
			}
			if child != nil && child.slot >= 0 {
				s.fields.set(child.slot, field{raw: raw, kind: text, escaped: escaped})
			}
		} else if reason := s.value(child, depth); reason != Stored {
			return reason
		}
		if s.take(',') { // and most members are followed by another
			continue
		}
		if s.next('}') {
			return Stored
		}
		if !s.take(',') {
			return NotJSON
		}
	}
}

// name reads a name that was not expected, and its colon.
func (s *scanner) name(n *node, expected **guess) (child *node, next **guess, ok bool) {
	s.space()
	key, escaped, ok := s.str()
	if !ok || !s.next(':') {
		return nil, nil, false
	}
	if escaped {
		s.key = unescape(s.key[:0], key)
		key = s.key
	} else if g := n.guess(key); g != nil {
		if *expected = g; g.child == nil {
			g.count++
		}
		return g.child, &g.next, true
	}
	if child = n.child(key); child == nil {
		n.others++
	}
	return child, new(*guess), true
}

// value reads any value and keeps it if n has a slot for it.
func (s *scanner) value(n *node, depth int) Reason {
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
		raw, escaped, ok := s.str()
		if !ok {
			return NotJSON
		}
		if n.slot >= 0 {
			s.fields.set(n.slot, field{raw: raw, kind: text, escaped: escaped})
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
		s.fields.set(n.slot, field{raw: s.data[from:s.at], kind: kind})
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

// Eight bytes at a time: each constant holds one byte eight times.
const (
	ones    = 0x0101010101010101
	highs   = 0x80 * ones
	spaces  = 0x20 * ones
	quotes  = '"' * ones
	escapes = '\\' * ones
)

// str reads a string and returns what is between its quotes.
func (s *scanner) str() (raw []byte, escaped, ok bool) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return nil, false, false
	}
	s.at++
	from := s.at
	var foreign uint64 // bytes that are not ASCII
	for {
		foreign |= s.plain()
		if s.at == len(s.data) {
			return nil, escaped, false
		}
		switch s.data[s.at] {
		case '"':
			raw = s.data[from:s.at]
			s.at++
			if foreign != 0 && !utf8.Valid(raw) {
				s.garbled = true
			}
			return raw, escaped, true
		case '\\':
			escaped = true
			if !s.escape() {
				return nil, true, false
			}
		default: // a control character
			return nil, escaped, false
		}
	}
}

// plain skips the bytes that stand for themselves in a string. The result is not
// zero if some of them are not ASCII.
func (s *scanner) plain() (foreign uint64) {
	at, data := s.at, s.data
	for ; at+8 <= len(data); at += 8 {
		word := binary.LittleEndian.Uint64(data[at:])
		if end := special(word); end != 0 {
			n := bits.TrailingZeros64(end) &^ 7
			s.at = at + n/8
			return foreign | word&highs&(1<<n-1)
		}
		foreign |= word & highs
	}
	for ; at < len(data); at++ {
		c := data[at]
		if c == '"' || c == '\\' || c < ' ' {
			break
		}
		foreign |= uint64(c & 0x80)
	}
	s.at = at
	return foreign
}

// special marks, with its high bit, the first byte of a word that is a quote, a
// backslash or below a space; what is marked behind that one may be none. With its
// second bit turned, a quote is below '!', as all that is below a space, and nothing
// else is.
func special(word uint64) uint64 {
	low, escape := word^2*ones, word^escapes
	return ((low-'!'*ones)&^low | (escape-ones)&^escape) & highs
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
