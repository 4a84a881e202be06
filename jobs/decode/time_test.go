package decode

import (
	"testing"
	"time"
)

func TestDatesAreThoseOfTheTimePackage(t *testing.T) {
	t.Parallel()
	for day := time.Date(1, 1, 1, 23, 59, 59, 123456789, time.UTC); day.Year() < 9999; day = day.AddDate(0, 0, 1) {
		if day.Year() == 400 { // the calendar repeats after 400 years
			day = time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		if day.Year() == 2401 {
			day = time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		if got, ok := parseRFC3339([]byte(day.Format(time.RFC3339Nano))); !ok || !got.Equal(day) {
			t.Fatalf("%s was read as %s, %v", day, got, ok)
		}
	}
	for _, text := range []string{"0000-02-29T00:00:00Z", "0000-01-01T00:00:00Z"} {
		want, _ := time.Parse(time.RFC3339, text)
		if got, ok := parseRFC3339([]byte(text)); !ok || !got.Equal(want) {
			t.Errorf("%s was read as %s, %v", text, got, ok)
		}
	}
}

// A time in the common form is read as the time package reads it, and so is what differs
// from it in one byte. Only a comma before the fraction is not taken, as in RFC 3339.
func TestTimesAreThoseOfTheTimePackage(t *testing.T) {
	t.Parallel()
	for _, common := range []string{"2024-02-29T23:59:58Z", "2023-11-30T00:00:00.7Z", "1999-12-31T12:30:45.123Z", "2024-01-10T20:03:07.123456789Z", "2024-02-29T23:59:58+01:00"} {
		for i := range common {
			for c := range 1 << 8 {
				text := []byte(common)
				text[i] = byte(c)
				want, err := time.Parse(time.RFC3339Nano, string(text))
				got, ok := parseRFC3339(text)
				if ok != (err == nil && c != ',') || ok && !got.Equal(want) {
					t.Fatalf("%q was read as %s, %v; the time package reads %s, %v", text, got, ok, want, err)
				}
			}
		}
	}
}
