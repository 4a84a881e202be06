package decode

import (
	"encoding/binary"
	"time"
)

// storable reports whether t fits a table's partition key: ClickHouse's Date
// begins in 1970 and ends in 2149.
func storable(t time.Time) bool {
	return 0 <= t.Unix() && t.Unix() < firstOf2149
}

const firstOf2149 = 5648486400 // seconds of Unix time

// instant reads a field as a point in time: RFC 3339, or whole milliseconds since
// 1970.
func instant(f field) (time.Time, bool) {
	switch f.kind {
	case text:
		return parseRFC3339(f.raw)
	case number:
		n, ok := digits(f.raw)
		return time.UnixMilli(int64(n)).UTC(), ok && len(f.raw) <= 14
	}
	return time.Time{}, false
}

// maxTimeLength is how long a time may be written.
const maxTimeLength = 64

// parseRFC3339 reads a date and time with zone, such as 2024-01-31T12:00:00.123Z.
// The common form is read here; all else is left to the time package.
func parseRFC3339(b []byte) (time.Time, bool) {
	if len(b) > maxTimeLength {
		return time.Time{}, false
	}
	if len(b) < len("2024-01-31T12:00:00Z") || b[10] != 'T' || b[len(b)-1] != 'Z' {
		return anyTime(b)
	}
	date, clock := binary.LittleEndian.Uint64(b)^datePattern, binary.LittleEndian.Uint64(b[11:])^clockPattern
	if date&dateBetween|clock&clockBetween != 0 {
		return anyTime(b)
	}
	digits := (date|clock|(date+beyond9)|(clock+beyond9))&highs == 0
	date, clock = 10*date+date>>8, 10*clock+clock>>8 // the first of two digits becomes their number
	year, month := 100*int(date&0xFF)+int(date>>16&0xFF), int(date>>40&0xFF)
	day, dayOK := twoDigits(b[8], b[9])
	hour, minute, second := int(clock&0xFF), int(clock>>24&0xFF), int(clock>>48&0xFF)
	nanoseconds, fractionOK := fraction(b[19 : len(b)-1])
	if !digits || !dayOK || !fractionOK || month < 1 || month > 12 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	seconds := ((daysSince1970(year, month, day)*24+hour)*60+minute)*60 + second
	return time.Unix(int64(seconds), int64(nanoseconds)).UTC(), true
}

// Eight characters at a time: the patterns have a zero for each digit, and what is between
// the digits. A text differs from them by at most 9 in the place of a digit.
const (
	datePattern  = 0x2d30302d30303030 // 0000-00-
	dateBetween  = 0xFF0000FF00000000
	clockPattern = 0x30303a30303a3030 // 00:00:00
	clockBetween = 0x0000FF0000FF0000
	beyond9      = (0x7F - 9) * ones
)

// anyTime reads a time of a form that is not common.
func anyTime(b []byte) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	return t.UTC(), err == nil
}

// daysBefore are the days of a year before each month, in a year that begins in
// March, so that the leap day is the last.
var daysBefore = [13]int{0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275}

// daysSince1970 counts the days of the Gregorian calendar.
func daysSince1970(year, month, day int) int {
	if month < 3 {
		year--
	}
	year += 400 // so that it is not negative
	return 365*year + year/4 - year/100 + year/400 + daysBefore[month] + day - 1 - daysTo1970
}

const daysTo1970 = 719468 + 146097 // from 1 March, 400 years before the year 0

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysIn(month, year int) int {
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return 29
	}
	return monthDays[month]
}

func twoDigits(tens, units byte) (int, bool) {
	t, u := tens-'0', units-'0'
	return int(t)*10 + int(u), t <= 9 && u <= 9
}

// fraction reads ".123" as nanoseconds; nothing is 0.
func fraction(b []byte) (int, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != '.' || len(b) < 2 || len(b) > 10 {
		return 0, false
	}
	if len(b) == 4 { // most clocks tell milliseconds
		hundreds, ok := twoDigits('0', b[1])
		rest, too := twoDigits(b[2], b[3])
		return (100*hundreds + rest) * 1e6, ok && too
	}
	n, ok := digits(b[1:])
	for range 10 - len(b) {
		n *= 10
	}
	return n, ok
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}
