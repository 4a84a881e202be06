package decode

import "time"

// storable reports whether t fits a table's partition key: ClickHouse's Date
// begins in 1970 and ends in 2149.
func storable(t time.Time) bool {
	return t.Unix() >= 0 && t.Year() < 2149
}

// instant reads a field as a point in time: RFC 3339, or whole milliseconds since
// 1970.
func instant(f *field) (time.Time, bool) {
	switch f.kind {
	case text:
		return parseRFC3339(f.raw)
	case number:
		n, ok := digits(f.raw)
		return time.UnixMilli(int64(n)).UTC(), ok && len(f.raw) <= 14
	}
	return time.Time{}, false
}

// parseRFC3339 reads a date and time with zone, such as 2024-01-31T12:00:00.123Z.
// The common form is read here; all else is left to the time package.
func parseRFC3339(b []byte) (time.Time, bool) {
	if len(b) < len("2024-01-31T12:00:00Z") || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[len(b)-1] != 'Z' {
		t, err := time.Parse(time.RFC3339Nano, string(b))
		return t.UTC(), err == nil
	}
	year, a := digits(b[0:4])
	month, c := digits(b[5:7])
	day, d := digits(b[8:10])
	hour, e := digits(b[11:13])
	minute, g := digits(b[14:16])
	second, h := digits(b[17:19])
	nanoseconds, i := fraction(b[19 : len(b)-1])
	ok := a && c && d && e && g && h && i &&
		1 <= month && month <= 12 && 1 <= day && day <= daysIn(month, year) && hour < 24 && minute < 60 && second < 60
	if !ok {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanoseconds, time.UTC), true
}

func daysIn(month, year int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
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
