package decode

import (
	"bytes"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/facesoft/lapse/config"
)

// The fields of a log line, in the order of config.WebLogFields.
const (
	remoteAddr = iota
	ident
	remoteUser
	logTime
	method
	path
	query
	protocol
	status
	size
	referrer
	userAgent
	webLogFields
)

// compileWebLog prepares d for the common log format of web servers and for the
// combined one, which adds the referrer and the user agent
// (https://httpd.apache.org/docs/2.4/logs.html#accesslog).
func (d *Decoder) compileWebLog(p *config.Policy) {
	slot := func(name string) int { return slices.Index(config.WebLogFields, name) }
	first := noTable
	for i := range p.Datasets {
		if p.Datasets[i].Input.Format == config.WebLog {
			d.tables = append(d.tables, d.newTable(p, &p.Datasets[i], slot))
			first = 0
		}
	}
	d.compileAdmission(p, d.resources.Gate, slot)
	d.fields.slots = make([]span, webLogFields)
	d.extractor = func(f *fields) func([]byte) Reason { return (&logLine{fields: f}).read }
	d.extract = d.extractor(&d.fields)
	d.choose = func() int { return first }
	d.when = func() (time.Time, Reason) {
		at, ok := parseLogTime(d.fields.at(logTime).raw)
		if !ok {
			return time.Time{}, BadTime
		}
		return at, Stored
	}
	d.id = func() []byte { return nil }
}

// logLine reads a line of a web server's log.
type logLine struct {
	fields *fields
	rest   []byte
}

// read takes a line apart. The parts are those of the format and nothing else: a
// line that has been cut short is not a log line.
func (l *logLine) read(line []byte) Reason {
	l.rest = line
	if !utf8.Valid(line) {
		return NotUTF8
	}
	ok := l.word(remoteAddr) && l.word(ident) && l.word(remoteUser) && l.bracketed(logTime)
	if !ok || !l.request() || !l.count(status) || !l.count(size) {
		return NotLogLine
	}
	if len(l.rest) > 0 && !(l.quoted(referrer) && l.quoted(userAgent) && len(l.rest) == 0) {
		return NotLogLine
	}
	return Stored
}

// set keeps a part; "-" stands for nothing.
func (l *logLine) set(slot int, v field) {
	if string(v.raw) == "-" || len(v.raw) == 0 {
		v.kind = absent
	}
	l.fields.set(slot, v)
}

func (l *logLine) word(slot int) bool {
	raw, rest, _ := bytes.Cut(l.rest, []byte{' '})
	if len(raw) == 0 {
		return false
	}
	l.set(slot, field{raw: raw, kind: text})
	l.rest = rest
	return true
}

func (l *logLine) count(slot int) bool {
	raw, rest, _ := bytes.Cut(l.rest, []byte{' '})
	if _, ok := digits(raw); !ok && string(raw) != "-" {
		return false
	}
	l.set(slot, field{raw: raw, kind: number})
	l.rest = rest
	return true
}

func (l *logLine) bracketed(slot int) bool {
	end := bytes.Index(l.rest, []byte("] "))
	if len(l.rest) == 0 || l.rest[0] != '[' || end < 0 {
		return false
	}
	l.set(slot, field{raw: l.rest[1:end], kind: text})
	l.rest = l.rest[end+2:]
	return true
}

// quoted takes a part between quotes, in which a backslash escapes a quote.
func (l *logLine) quoted(slot int) bool {
	v, ok := l.quote()
	if ok {
		l.set(slot, v)
	}
	return ok
}

func (l *logLine) quote() (v field, ok bool) {
	if len(l.rest) == 0 || l.rest[0] != '"' {
		return v, false
	}
	for i := 1; i < len(l.rest); i++ {
		switch l.rest[i] {
		case '\\':
			i++
		case '"':
			v = field{raw: l.rest[1:i], kind: text}
			l.rest = l.rest[i+1:]
			if len(l.rest) == 0 {
				return v, true
			}
			ok = l.rest[0] == ' '
			l.rest = l.rest[1:]
			return v, ok
		}
	}
	return v, false
}

// request takes the request line apart. What a client sent need not be a request
// line of HTTP; it is then kept whole as the path, so that no attack is lost.
func (l *logLine) request() bool {
	v, ok := l.quote()
	if !ok {
		return false
	}
	verb, rest, spaced := bytes.Cut(v.raw, []byte{' '})
	target, version := rest, []byte(nil)
	if i := bytes.LastIndexByte(rest, ' '); i >= 0 {
		target, version = rest[:i], rest[i+1:]
	}
	if !spaced || !bytes.HasPrefix(version, []byte("HTTP/")) {
		l.set(path, field{raw: v.raw, kind: text})
		return true
	}
	l.set(method, field{raw: verb, kind: text})
	l.set(protocol, field{raw: version, kind: text})
	before, after, _ := bytes.Cut(target, []byte{'?'})
	l.set(path, field{raw: before, kind: text})
	l.set(query, field{raw: after, kind: text})
	return true
}

// parseLogTime reads 17/May/2015:10:05:03 +0000.
func parseLogTime(b []byte) (time.Time, bool) {
	if len(b) > maxTimeLength {
		return time.Time{}, false
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", string(b))
	return t.UTC(), err == nil
}
