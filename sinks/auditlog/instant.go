package auditlog

// The time.Parse of the standard library accepts several spellings of one
// instant and takes longer than hashing the entry around it, so the one spelling
// of the log (RFC 3339, UTC, up to three fraction digits and no zero at their
// end) is read here.

// parseTime returns the milliseconds since 1970-01-01 of YYYY-MM-DDThh:mm:ss[.fff]Z.
func parseTime(b []byte) (int64, bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(b) < seconds+1 || b[len(b)-1] != 'Z' {
		return 0, false
	}
	days, ok := parseDate(b)
	if !ok || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	h, m, s := twoDigits(b[11:]), twoDigits(b[14:]), twoDigits(b[17:])
	ms, ok := parseFraction(b[seconds : len(b)-1])
	if !ok || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 {
		return 0, false
	}
	return ((days*24+h)*60+m)*60_000 + s*1000 + ms, true
}

// parseFraction returns the milliseconds of an empty text, ".f", ".ff" or ".fff".
func parseFraction(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != '.' || len(b) < 2 || len(b) > 4 || b[len(b)-1] == '0' {
		return 0, false
	}
	ms, scale := int64(0), int64(100)
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		ms += int64(c-'0') * scale
		scale /= 10
	}
	return ms, true
}

// parseDate returns the days since 1970-01-01 of the YYYY-MM-DD that b begins with.
func parseDate(b []byte) (int64, bool) {
	if len(b) < 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, year := twoDigits(b), twoDigits(b[2:])
	month, day := twoDigits(b[5:]), twoDigits(b[8:])
	if century < 0 || year < 0 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	year += century * 100
	if day > daysIn(year, month) {
		return 0, false
	}
	return daysBefore(year, month) + day - 1, true
}

// twoDigits returns the number b begins with, or -1.
func twoDigits(b []byte) int64 {
	tens, ones := b[0]-'0', b[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int64(tens)*10 + int64(ones)
}

func daysIn(year, month int64) int64 {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysBefore counts the days from 1970-01-01 to the first of the month in the
// proleptic Gregorian calendar. Years are taken to begin in March, so that the
// leap day is the last of its year.
func daysBefore(year, month int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	const marchToMarch = 719_468 // days from 0000-03-01 to 1970-01-01
	leap := year/4 - year/100 + year/400
	if year < 0 { // January and February of the year 0
		leap--
	}
	return year*365 + leap + (153*(month-3)+2)/5 - marchToMarch
}
