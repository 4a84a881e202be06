package traffic

import (
	"bytes"
	"math/rand/v2"
)

// Damage names what is wrong with a line that cannot be read.
type Damage string

// The kinds of damage to a telemetry line. None is repaired by reading on: a
// line without times, for one, has none at all, and one with unreadable times
// has four.
const (
	Truncated     Damage = "truncated"             // the line ends in the middle
	Garbage       Damage = "garbage"               // bytes of another protocol
	InvalidUTF8   Damage = "invalid_utf8"          // in a string; the JSON is otherwise whole
	EmptyObject   Damage = "empty_object"          // {}
	MissingType   Damage = "missing_type"          // the event is otherwise whole
	UnknownType   Damage = "unknown_type"          // "type":"pageview"
	MissingTimes  Damage = "missing_timestamps"    // none of the four
	BadTimes      Damage = "unreadable_timestamps" // all that are there
	TextForNumber Damage = "text_for_number"       // properties.duration_ms is a string
	TopLevelArray Damage = "top_level_array"       // the event is in an array
)

// The kinds of damage to an access-log line, besides Truncated (before the
// status) and Garbage.
const (
	BadTime       Damage = "unreadable_time"
	BadStatus     Damage = "unreadable_status"
	UnclosedQuote Damage = "unclosed_quote" // around the request
)

var telemetryDamages = []Damage{
	Truncated, Truncated, Truncated, Garbage, InvalidUTF8, EmptyObject, MissingType,
	UnknownType, MissingTimes, BadTimes, TextForNumber, TopLevelArray,
}

// unreadable are times that no reading of RFC 3339 accepts.
var unreadable = []string{"2024-13-45T99:61:00.000Z", "yesterday", "0000-00-00 00:00:00", "NaN", ""}

// damage breaks a line beyond reading and says how.
func (l *line) damage(r *rand.Rand) Damage {
	kind := pick(r, telemetryDamages)
	number := bytes.Index(l.bytes, []byte(`"duration_ms":`))
	if kind == TextForNumber && number < 0 {
		kind = Truncated
	}
	switch kind {
	case Truncated:
		l.bytes = l.bytes[:between(r, 20, len(l.bytes)-2)]
	case Garbage:
		l.bytes = appendGarbage(l.bytes[:0], r)
	case InvalidUTF8:
		at := bytes.Index(l.bytes, []byte(`"locale":"`)) + len(`"locale":"`)
		l.bytes[at], l.bytes[at+1] = 0xc3, 0x28
	case EmptyObject:
		l.bytes = append(l.bytes[:0], "{}"...)
	case MissingType:
		l.bytes = splice(l.bytes, 1, 1+len(`"type":"",`)+len(l.kind), "")
	case UnknownType:
		at := len(`{"type":"`)
		l.bytes = splice(l.bytes, at, at+len(l.kind), "pageview")
	case MissingTimes:
		l.bytes = splice(l.bytes, l.timesFrom, l.timesTo, "")
	case BadTimes:
		bad := pick(r, unreadable)
		times := appendText(nil, "timestamp", bad)
		times = appendText(times, "originalTimestamp", bad)
		times = appendText(appendText(times, "sentAt", bad), "receivedAt", bad)
		l.bytes = splice(l.bytes, l.timesFrom, l.timesTo, string(times))
	case TextForNumber:
		from := number + len(`"duration_ms":`)
		to := from
		for l.bytes[to] >= '0' && l.bytes[to] <= '9' {
			to++
		}
		l.bytes = splice(l.bytes, from, to, `"fast"`)
	case TopLevelArray:
		l.bytes = append(splice(l.bytes, 0, 0, "["), ']')
	}
	return kind
}

// splice replaces b[from:to] by text.
func splice(b []byte, from, to int, text string) []byte {
	return append(b[:from:from], append([]byte(text), b[to:]...)...)
}

// appendGarbage appends what arrives when somebody speaks TLS to a plain port.
func appendGarbage(b []byte, r *rand.Rand) []byte {
	b = append(b, 0x16, 0x03, 0x01, 0x02, 0x00)
	for range between(r, 20, 300) {
		if c := byte(r.Uint32()); c != '\n' && c != '\r' {
			b = append(b, c)
		}
	}
	return b
}
