package decode

import (
	"bytes"
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
}

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

// scanner reads one JSON text (RFC 8259) in one pass: it checks all of it and
// keeps what a tree of paths wants. Of a repeated name the last value counts.
type scanner struct {
	data   []byte
	at     int
	fields *fields
	key    []byte
}

// scan reads line, which must be one object.
func (s *scanner) scan(line []byte, root *node) Reason {
	s.data, s.at = line, 0
	s.fields.begin()
	if !utf8.Valid(line) {
		return NotUTF8
	}
	s.space()
	if s.at >= len(s.data) || s.data[s.at] != '{' {
		if reason := s.value(nil, 0); reason != Stored || !s.ended() {
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

func (s *scanner) space() {
	for s.at < len(s.data) {
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
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// object reads an object; the scanner stands at its brace.
func (s *scanner) object(n *node, depth int) Reason {
	if depth > maxDepth {
		return TooDeep
	}
	s.at++
	if s.next('}') {
		return Stored
	}
	for {
		s.space()
		key, escaped, ok := s.str()
		if !ok || !s.next(':') {
			return NotJSON
		}
		var child *node
		if n != nil {
			if escaped {
				s.key = unescape(s.key[:0], key)
				key = s.key
			}
			child = n.child(key)
		}
		s.space()
		if reason := s.value(child, depth); reason != Stored {
			return reason
		}
		if s.next('}') {
			return Stored
		}
		if !s.next(',') {
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
		if reason := s.value(nil, depth); reason != Stored {
			return reason
		}
		if s.next(']') {
			return Stored
		}
		if !s.next(',') {
			return NotJSON
		}
	}
}

// value reads any value and keeps it if n has a slot for it.
func (s *scanner) value(n *node, depth int) Reason {
	if s.at >= len(s.data) {
		return NotJSON
	}
	from := s.at
	v := field{kind: composite}
	reason, ok := Stored, true
	switch c := s.data[s.at]; c {
	case '"':
		v.kind = text
		v.raw, v.escaped, ok = s.str()
	case '{':
		reason = s.object(n, depth+1)
	case '[':
		reason = s.list(depth + 1)
	case 't':
		v.kind, ok = truth, s.literal("true")
	case 'f':
		v.kind, ok = falsehood, s.literal("false")
	case 'n':
		v.kind, ok = absent, s.literal("null")
	default:
		v.kind, ok = number, s.number()
	}
	if reason == Stored && !ok {
		reason = NotJSON
	}
	if reason != Stored || n == nil || n.slot < 0 {
		return reason
	}
	if v.kind != text {
		v.raw = s.data[from:s.at]
	}
	s.fields.set(n.slot, v)
	return Stored
}

func (s *scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

// plain marks the bytes that stand for themselves in a string.
var plain = func() (table [256]bool) {
	for c := 0x20; c < 256; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// str reads a string and returns what is between its quotes.
func (s *scanner) str() (raw []byte, escaped, ok bool) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return nil, false, false
	}
	s.at++
	from := s.at
	for s.at < len(s.data) {
		c := s.data[s.at]
		if plain[c] {
			s.at++
			continue
		}
		switch c {
		case '"':
			raw = s.data[from:s.at]
			s.at++
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
	return nil, escaped, false
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
