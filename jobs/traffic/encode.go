package traffic

import (
	"strconv"
	"unicode/utf8"
)

// The functions below append JSON to a reused slice. Each field ends with a
// comma, which endObject takes back; keys, and the values given to appendText,
// hold no character that JSON would escape.

func appendText(b []byte, key, value string) []byte {
	b = appendKey(b, key)
	b = append(b, '"')
	b = append(b, value...)
	return append(b, '"', ',')
}

// appendBytes is appendText for a value in a slice.
func appendBytes(b []byte, key string, value []byte) []byte {
	b = append(appendKey(b, key), '"')
	b = append(b, value...)
	return append(b, '"', ',')
}

// appendEscaped is appendText for values that people typed.
func appendEscaped(b []byte, key, value string) []byte {
	b = append(appendKey(b, key), '"')
	for _, c := range value {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', '0'+byte(c>>4), "0123456789abcdef"[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"', ',')
}

func appendNumber(b []byte, key string, n int) []byte {
	b = strconv.AppendInt(appendKey(b, key), int64(n), 10)
	return append(b, ',')
}

func appendBool(b []byte, key string, v bool) []byte {
	b = strconv.AppendBool(appendKey(b, key), v)
	return append(b, ',')
}

func appendUUID(b []byte, key string, id uuid) []byte {
	b = append(appendKey(b, key), '"')
	return append(id.append(b), '"', ',')
}

func appendTime(b []byte, key string, t instant) []byte {
	b = append(appendKey(b, key), '"')
	return append(appendInstant(b, t), '"', ',')
}

func appendStrings(b []byte, key string, values []string) []byte {
	b = append(appendKey(b, key), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), v...), '"')
	}
	return append(b, ']', ',')
}

func beginObject(b []byte, key string) []byte { return append(appendKey(b, key), '{') }

func endObject(b []byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b = b[:last]
	}
	return append(b, '}', ',')
}

func appendKey(b []byte, key string) []byte {
	b = append(b, '"')
	b = append(b, key...)
	return append(b, '"', ':')
}

// instantLength is the length of the text form of an instant.
const instantLength = len("2024-01-31T12:34:56.789Z")

// appendInstant appends t in RFC 3339 with milliseconds, in UTC.
func appendInstant(b []byte, t instant) []byte {
	at := t.time()
	year, month, date := at.Date()
	hours, minutes, seconds := at.Clock()
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), date)
	b = appendTwo(append(b, 'T'), hours)
	b = appendTwo(append(b, ':'), minutes)
	b = appendTwo(append(b, ':'), seconds)
	milliseconds := int(t % second)
	b = append(b, '.', '0'+byte(milliseconds/100))
	return append(appendTwo(b, milliseconds%100), 'Z')
}

// appendTwo appends n, from 0 to 99, in two digits.
func appendTwo(b []byte, n int) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }
