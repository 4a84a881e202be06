package config

import (
	"archive/zip"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpecsThatWouldNeverRunOrNeverEndAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "it is empty",
		"TZ=":                         "the time zone stands in time_zone",
		"CRON_TZ=UTC":                 "the time zone stands in time_zone",
		"TZ=Europe/London 0 2 * * *":  "the time zone stands in time_zone",
		"0 0 31 2 *":                  "there is no such day",
		"0 0 30 feb *":                "there is no such day",
		"@every -1h":                  "whole seconds",
		"@every 0s":                   "whole seconds",
		"@every 500ms":                "whole seconds",
		"@every 1500ms":               "whole seconds",
		"@every 200000h":              "whole seconds",
		"@every":                      "needs a duration",
		"@every day":                  "needs a duration",
		"@reboot":                     "not at the start",
		"@sometimes":                  "unrecognized descriptor",
		"* * *":                       "expected",
		"60 * * * *":                  "above maximum",
		"*/0 * * * *":                 "step of range",
		"5-1 * * * *":                 "beyond end of range",
		"0 2 * * *\n0 3 * * *":        "characters",
		strings.Repeat("1,", 200):     "longer than",
		"0 2 * * *; rm -rf":           "characters",
		"0 2 * * mon-sun,bankholiday": "bankholiday",
	} {
		if s, err := ParseSpec(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, s, err, want)
		}
	}
}

func TestSpecsRunAtTheirTimes(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ spec, after, want string }{
		{"30 2 * * *", "2026-01-10T02:30:00Z", "2026-01-11T02:30:00Z"},
		{"30 2 * * *", "2026-01-10T02:29:59.5Z", "2026-01-10T02:30:00Z"},
		{"30 2 * * *", "2026-07-10T00:00:00Z", "2026-07-10T01:30:00Z"}, // summer time
		{"30 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"}, // skipped by the clocks: at the change
		{"30 1 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"30 1 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"}, // comes twice: the first counts
		{"30 1 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"*/30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"}, // every hour: through both
		{"30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
		{"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"*/10 * * * * *", "2026-01-01T00:00:01Z", "2026-01-01T00:00:10Z"},
		{"@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
		{"@every 15m", "2026-01-01T00:07:00.25Z", "2026-01-01T00:15:00Z"},
		{"@every 15m", "1969-12-31T23:59:00Z", "1970-01-01T00:00:00Z"},
	} {
		after, err := time.Parse(time.RFC3339Nano, c.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := MustSpec(c.spec).Next(after, london).Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.spec, c.after, got, c.want)
		}
	}
}

// TestSpecsOverEveryZonesChangesOfTheClock compares with a walk, minute by minute,
// over each change of each zone's clocks in a year and a half: where the hours are
// named a run is due when the clock first shows its time or more, and else whenever
// the clock shows it.
func TestSpecsOverEveryZonesChangesOfTheClock(t *testing.T) {
	t.Parallel()
	type oracle struct {
		spec   string
		shows  func(wall time.Time) bool
		byHour bool
	}
	at := func(hour, minute int) func(time.Time) bool {
		return func(w time.Time) bool { return w.Hour() == hour && w.Minute() == minute }
	}
	oracles := []oracle{
		{"30 2 * * *", at(2, 30), false}, {"0 3 * * *", at(3, 0), false}, {"15 1 * * *", at(1, 15), false}, {"0 0 * * *", at(0, 0), false},
		{"59 23 * * *", at(23, 59), false}, {"0,30 1-2 * * *", func(w time.Time) bool { return (w.Hour() == 1 || w.Hour() == 2) && w.Minute()%30 == 0 }, false},
		{"20 * * * *", func(w time.Time) bool { return w.Minute() == 20 }, true}, {"*/15 * * * *", func(w time.Time) bool { return w.Minute()%15 == 0 }, true},
		{"@hourly", func(w time.Time) bool { return w.Minute() == 0 }, true},
	}
	changes := 0
	for _, name := range zones(t) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			continue // not a zone but one of the archive's tables
		}
		for _, change := range changesIn(zone, time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
			changes++
			from, to := change.Add(-26*time.Hour), change.Add(26*time.Hour)
			for _, o := range oracles {
				spec := MustSpec(o.spec)
				var got []time.Time
				for n := spec.Next(from, zone); n.Before(to); n = spec.Next(n, zone) {
					got = append(got, n)
				}
				if want := walk(o.shows, o.byHour, zone, from, to); !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Errorf("%s in %s around %s:\n%v\n%v", o.spec, name, change, got, want)
				}
			}
		}
	}
	if changes < 200 {
		t.Errorf("only %d changes were looked at", changes)
	}
}

func walk(shows func(time.Time) bool, byHour bool, zone *time.Location, from, to time.Time) (due []time.Time) {
	shown := wallClock(from.In(zone)) // the latest time that the clock has shown
	for at := from.Add(time.Minute); at.Before(to); at = at.Add(time.Minute) {
		wall := wallClock(at.In(zone))
		hit := byHour && shows(wall)
		if !byHour {
			for w := shown.Add(time.Minute); !w.After(wall); w = w.Add(time.Minute) {
				hit = hit || shows(w)
			}
		}
		if hit {
			due = append(due, at.UTC())
		}
		shown = later(shown, wall)
	}
	return due
}

// changesIn returns when a zone's offset changes; not when only its name does.
func changesIn(zone *time.Location, from, to time.Time) (changes []time.Time) {
	for at := from.In(zone); ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || !end.Before(to) {
			return changes
		}
		_, before := end.Add(-time.Second).Zone()
		if _, after := end.Zone(); after != before {
			changes = append(changes, end.UTC())
		}
		at = end
	}
}

func zones(t *testing.T) (names []string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("the toolchain is not there: %v", err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skipf("the toolchain's zones are not there: %v", err)
	}
	defer archive.Close() //nolint:errcheck // read only
	for _, f := range archive.File {
		if !f.FileInfo().IsDir() {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestMillionSpecsAreReadOrRefused makes specs of the pieces that specs are made of,
// and of what is none.
func TestMillionSpecsAreReadOrRefused(t *testing.T) {
	t.Parallel()
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	pieces := []string{
		"*", "*/5", "0", "59", "60", "-", "-1", "1-5", "5-1", "1-31/7", "*/0", "*/-1", "1,2,3", ",", "/", "?", "jan", "FEB", "mon-fri", "sun", "7", "31", "2",
		"@every", "@daily", "@hourly", "@yearly", "@", "-1h", "1h", "1s", "999999999999999999999", "0.5s", "TZ=", "CRON_TZ=", "CRON_TZ=UTC", "TZ=Europe/London", "=",
		"L", "W", "#", "\x00", "ſ", "\xff", "18446744073709551615", "*-5", "1-", "/5", "1/1", "\t", "4294967296",
	}
	r := rand.New(rand.NewPCG(1, 2))
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	read := 0
	for range n {
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
			if r.IntN(8) > 0 {
				b.WriteByte(' ')
			}
		}
		s, err := ParseSpec(b.String())
		if err != nil {
			continue
		}
		read++
		if next := s.Next(from, time.UTC); !next.After(from) {
			t.Fatalf("%q runs next at %s", b.String(), next)
		}
	}
	if read < n/1000 {
		t.Errorf("only %d were read", read)
	}
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"30 2 * * *", "@every 15m", "CRON_TZ=UTC", "0 0 29 2 *", "*/7 1-5,9 * jan mon"} {
		f.Add(s, int64(1_770_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, at int64) {
		s, err := ParseSpec(text)
		if err != nil || at < -5e9 || at > 5e9 {
			return
		}
		from := time.Unix(at, 0)
		if next := s.Next(from, time.UTC); !next.IsZero() && !next.After(from) {
			t.Errorf("%q after %s: %s", text, from, next)
		}
	})
}
