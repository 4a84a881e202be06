package web

// maxDepth bounds the nesting of objects and lists in an event; ingest reads no
// deeper ones.
const maxDepth = 64

// scanner reads JSON (RFC 8259) in one pass, checks all of it, and allocates
// nothing. It does not check that the text is valid UTF-8.
type scanner struct {
	data    []byte
	at      int
	nameAt  int // where the name of the member being read begins
	tooDeep bool
	key     []byte // a name without its escapes
}

// ended reports whether only white space is left.
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

// begins reports whether c comes next.
func (s *scanner) begins(c byte) bool {
	s.space()
	return s.at < len(s.data) && s.data[s.at] == c
}

// value takes any value, which the scanner stands before; it is nested in depth
// objects and lists.
func (s *scanner) value(depth int) bool {
	s.space()
	if s.at >= len(s.data) {
		return false
	}
	switch c := s.data[s.at]; c {
	case '"':
		_, ok := s.str()
		return ok
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.list(depth, nil)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// object takes an object, at whose brace the scanner stands. For each member it
// calls each with the name, valid until the next is read; each takes the value.
// With nil they are only checked.
func (s *scanner) object(depth int, each func(name []byte) bool) bool {
	if depth >= maxDepth {
		s.tooDeep = true
		return false
	}
	s.at++
	if s.next('}') {
		return true
	}
	for {
		s.space()
		name, ok := s.name()
		if !ok || !s.next(':') {
			return false
		}
		if each == nil {
			ok = s.value(depth + 1)
		} else {
			s.space()
			ok = each(name)
		}
		if !ok {
			return false
		}
		if s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// list takes a list, at whose bracket the scanner stands. Each takes an element.
func (s *scanner) list(depth int, each func() bool) bool {
	if depth >= maxDepth {
		s.tooDeep = true
		return false
	}
	s.at++
	if s.next(']') {
		return true
	}
	for {
		var ok bool
		if each == nil {
			ok = s.value(depth + 1)
		} else {
			s.space()
			ok = each()
		}
		if !ok {
			return false
		}
		if s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// name takes the name of a member, without its quotes and escapes.
func (s *scanner) name() ([]byte, bool) {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return nil, false
	}
	from := s.at
	escaped, ok := s.str()
	if !ok {
		return nil, false
	}
	s.nameAt = from
	name := s.data[from+1 : s.at-1]
	if escaped {
		s.key = unescape(s.key[:0], name)
		name = s.key
	}
	return name, true
}

// ordinary are the bytes that stand for themselves in a string.
var ordinary = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return table
}()

// str takes a string, at whose quote the scanner stands.
func (s *scanner) str() (escaped, ok bool) {
	data, at := s.data, s.at+1
	for {
		for at < len(data) && ordinary[data[at]] {
			at++
		}
		if at >= len(data) || data[at] < 0x20 {
			return false, false
		}
		if data[at] == '"' {
			s.at = at + 1
			return escaped, true
		}
		escaped = true
		n := escapeLength(data[at:])
		if n == 0 {
			return false, false
		}
		at += n
	}
}

// escapeLength returns the length of the escape that b begins with, 0 if it is none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if hexValue(c) < 0 {
				return 0
			}
		}
		return 6
	}
	return 0
}

func hexValue(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// unescape appends a name to dst as far as names are compared here: all of those
// looked for are ASCII.
func unescape(dst, name []byte) []byte {
	for i := 0; i < len(name); i++ {
		if name[i] != '\\' {
			dst = append(dst, name[i])
			continue
		}
		n := escapeLength(name[i:])
		if n == 6 {
			var r rune
			for _, c := range name[i+2 : i+6] {
				r = r<<4 | hexValue(c)
			}
			if r < 0x80 {
				dst = append(dst, byte(r))
			} else {
				dst = append(dst, name[i:i+6]...)
			}
		} else {
			dst = append(dst, name[i:i+n]...)
		}
		i += n - 1
	}
	return dst
}

func (s *scanner) literal(word string) bool {
	if len(s.data)-s.at < len(word) || string(s.data[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

// take takes a value and returns it as it is written.
func (s *scanner) take(depth int) ([]byte, bool) {
	s.space()
	from := s.at
	ok := s.value(depth)
	return s.data[from:s.at], ok
}

// number takes a number.
func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return false
	}
	if s.skip('.') && !s.digits() {
		return false
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) skip(c byte) bool {
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
