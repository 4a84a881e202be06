package decode

import "time"

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
	if len(b) < len("2024-01-31T12:00:00Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		t, err := time.Parse(time.RFC3339Nano, string(b))
		return t.UTC(), err == nil
	}
	century, a := twoDigits(b[0], b[1])
	year, c := twoDigits(b[2], b[3])
	month, d := twoDigits(b[5], b[6])
	day, e := twoDigits(b[8], b[9])
	hour, f := twoDigits(b[11], b[12])
	minute, g := twoDigits(b[14], b[15])
	second, h := twoDigits(b[17], b[18])
	nanoseconds, i := fraction(b[19 : len(b)-1])
	year += 100 * century
	ok := a && c && d && e && f && g && h && i &&
		1 <= month && month <= 12 && 1 <= day && day <= daysIn(month, year) && hour < 24 && minute < 60 && second < 60
	if !ok {
		return time.Time{}, false
	}
	seconds := ((daysSince1970(year, month, day)*24+hour)*60+minute)*60 + second
	return time.Unix(int64(seconds), int64(nanoseconds)).UTC(), true
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
