package auditlog

import (
	"bytes"
	"fmt"
	"time"
)

// maxSafeInteger is the largest integer that every JSON implementation keeps
// exactly (RFC 8785, section 3.2.2.3, and RFC 7493, section 2.2).
const maxSafeInteger = 1<<53 - 1

// scanner walks over the bytes of one entry. Failures are told in fixed words:
// the bytes may be anything, and nothing of them may reach an error's text.
type scanner struct {
	b      []byte
	pos    int
	member string // innermost member that failed
	reason string
}

// span is where a value stands in an entry.
type span struct{ begin, end int }

func (s *scanner) fail(reason string) bool {
	if s.reason == "" {
		s.reason = reason
	}
	return false
}

func (s *scanner) failAt(member, reason string) bool {
	if s.member == "" {
		s.member = member
	}
	return s.fail(reason)
}

func (s *scanner) err() error {
	if s.member == "" {
		return fmt.Errorf("byte %d: %s", s.pos, s.reason)
	}
	return fmt.Errorf("member %q at byte %d: %s", s.member, s.pos, s.reason)
}

func (s *scanner) skip(c byte) bool {
	if s.pos < len(s.b) && s.b[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) skipText(text string) bool {
	if end := s.pos + len(text); end <= len(s.b) && string(s.b[s.pos:end]) == text {
		s.pos = end
		return true
	}
	return false
}

// skipBytes skips a value that is not empty.
func (s *scanner) skipBytes(value []byte) bool {
	end := s.pos + len(value)
	if len(value) == 0 || end > len(s.b) || !bytes.Equal(s.b[s.pos:end], value) {
		return false
	}
	s.pos = end
	return true
}

// text returns the content of a string in which nothing is escaped, which holds
// for everything an entry may contain.
func (s *scanner) text() ([]byte, bool) {
	if !s.skip('"') {
		return nil, s.fail("is not a string")
	}
	for i := s.pos; i < len(s.b); i++ {
		if s.b[i] == '"' {
			text := s.b[s.pos:i]
			s.pos = i + 1
			return text, true
		}
	}
	return nil, s.fail("is not a string")
}

func wordForm(vocabulary []string) form {
	return func(s *scanner) bool {
		text, ok := s.text()
		if !ok {
			return false
		}
		for _, w := range vocabulary {
			if w == string(text) {
				return true
			}
		}
		return s.fail("is not a word of its vocabulary")
	}
}

// hexDigits is 1 for the digits of lower-case hexadecimal.
var hexDigits = func() (is [256]byte) {
	for _, c := range "0123456789abcdef" {
		is[c] = 1
	}
	return is
}()

func hexForm(size int) form {
	return func(s *scanner) bool {
		end := s.pos + 2*size + 2
		if end > len(s.b) || s.b[s.pos] != '"' || s.b[end-1] != '"' {
			return s.fail("is not a string of its fixed length")
		}
		valid := byte(1)
		for _, c := range s.b[s.pos+1 : end-1] {
			valid &= hexDigits[c]
		}
		s.pos = end
		return valid == 1 || s.fail("is not lower-case hexadecimal")
	}
}

// nameForm has the syntax of sinks.ParseName.
func nameForm(s *scanner) bool {
	text, ok := s.text()
	if !ok {
		return false
	}
	for i, c := range text {
		alphanumeric := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || c != '_' && c != '.' && c != '-') {
			return s.fail("is not a name")
		}
	}
	return 1 <= len(text) && len(text) <= 63 || s.fail("is not a name")
}

func numberForm(limit uint64) form {
	return func(s *scanner) bool {
		start, n := s.pos, uint64(0)
		for s.pos < len(s.b) && '0' <= s.b[s.pos] && s.b[s.pos] <= '9' && n <= limit {
			n = n*10 + uint64(s.b[s.pos]-'0')
			s.pos++
		}
		digits := s.pos - start
		if digits == 0 || digits > 1 && s.b[start] == '0' || n > limit {
			return s.fail("is not an integer from 0 to 2^53-1 without leading zeros")
		}
		return true
	}
}

func arrayForm(element form) form {
	return func(s *scanner) bool {
		if !s.skip('[') {
			return s.fail("is not an array")
		}
		for {
			if !element(s) {
				return false
			}
			if s.skip(']') {
				return true
			}
			if !s.skip(',') {
				return s.fail("is not an array")
			}
		}
	}
}

// mapForm takes advantage of the vocabulary being sorted, as the keys must be.
func mapForm(vocabulary []string, value form) form {
	keys := make([]string, len(vocabulary))
	for i, w := range vocabulary {
		keys[i] = `"` + w + `":`
	}
	return func(s *scanner) bool {
		if !s.skip('{') {
			return s.fail("is not an object")
		}
		next := 0
		for {
			for next < len(keys) && !s.skipText(keys[next]) {
				next++
			}
			if next == len(keys) {
				return s.fail("has a member that is unknown, repeated or out of order")
			}
			next++
			if !value(s) {
				return false
			}
			if s.skip('}') {
				return true
			}
			if !s.skip(',') {
				return s.fail("is not an object")
			}
		}
	}
}

// dateForm is YYYY-MM-DD, a day of the Gregorian calendar.
func dateForm(s *scanner) bool {
	text, ok := s.text()
	if !ok {
		return false
	}
	_, ok = parseDate(text)
	return ok && len(text) == len(time.DateOnly) || s.fail("is not a date")
}

// timeForm is what time.Time writes for UTC in whole milliseconds.
func timeForm(s *scanner) bool {
	text, ok := s.text()
	if !ok {
		return false
	}
	_, ok = parseTime(text)
	return ok || s.fail("is not a time in UTC of at most millisecond precision")
}
