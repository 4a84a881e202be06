package traffic

import (
	"fmt"
	"time"
)

// Config says what to generate. The same Config gives the same bytes; a
// different Seed gives other people doing other things.
type Config struct {
	Seed uint64

	// Start is the first instant of a calendar month in UTC; the input covers
	// Months calendar months from there.
	Start  time.Time
	Months int

	// People is the number of persons with a lasting identity, about one in
	// twelve of whom only ever visits and never opens an account. A person needs
	// some 20 events to sign up, come back and leave as people do.
	People        int
	Organisations int

	// Events is the number of telemetry lines, broken ones included; duplicates
	// come on top.
	Events int

	// AccessLines is the number of access-log lines, broken ones included.
	AccessLines int

	// Images is the number of training images; each has 0 to 3 derivatives.
	Images int

	// Compression is applied to the telemetry files.
	Compression Compression

	// Flat spreads events evenly over hours and days, for benchmarks, in place
	// of working hours, weekends and growth.
	Flat bool

	Dirt Dirt
}

// Compression names the encoding of a file; the zero value means None.
type Compression string

// The supported encodings and, in Config, what they do to a file's name:
// nothing, ".gz", ".zst".
const (
	None Compression = "none"
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// Dirt holds the shares (0 to 1) of what is wrong, late or unwelcome in real
// traffic; a share of 0 switches that kind off.
//
// Broken, Skewed, Late, Bots, NoConsent and UnderAge exclude each other, so
// that a test can add up what each gate must have caught.
type Dirt struct {
	// Duplicates is the share of telemetry events sent a second time with the
	// same messageId, of which LaterFile (a share of Duplicates) arrives in the
	// next month's file, at most five days after the first copy.
	Duplicates float64
	LaterFile  float64

	// Broken is the share of telemetry lines that cannot be read as an event.
	Broken float64

	// Skewed is the share of events from a device whose clock is minutes to days
	// off: originalTimestamp and sentAt are wrong by the same amount.
	Skewed float64

	// Late is the share of events sent one hour to six days after they happened.
	Late float64

	// Bots is the share of events from crawlers.
	Bots float64

	// NoConsent is the share of events from visitors who refuse the analytics
	// category and therefore have a fresh anonymousId each time.
	NoConsent float64

	// UnderAge is the share of events from visitors whose age or birthday trait
	// says that they are under 18.
	UnderAge float64

	// BrokenAccess is the share of access-log lines that cannot be read, and
	// BotAccess that of lines from crawlers.
	BrokenAccess float64
	BotAccess    float64
}

// Default returns the configuration of the demonstration: 2,000 people and
// 300,000 events over the 18 months from January 2024.
func Default() Config {
	return Config{
		Seed:          1,
		Start:         time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC),
		Months:        18,
		People:        2_000,
		Organisations: 40,
		Events:        300_000,
		AccessLines:   30_000,
		Images:        500,
		Compression:   Gzip,
		Dirt: Dirt{
			Duplicates: 0.015, LaterFile: 0.1,
			Broken: 0.005, Skewed: 0.03, Late: 0.02,
			Bots: 0.02, NoConsent: 0.02, UnderAge: 0.002,
			BrokenAccess: 0.003, BotAccess: 0.05,
		},
	}
}

// end returns the first instant after the generated period.
func (c Config) end() time.Time { return c.Start.AddDate(0, c.Months, 0) }

func (c Config) validate() error {
	start := c.Start.UTC()
	if want := time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC); !start.Equal(want) {
		return fmt.Errorf("start %s: must be the first instant of a month in UTC", c.Start.Format(time.RFC3339))
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{
		{"months", c.Months, 1}, {"people", c.People, 1}, {"organisations", c.Organisations, 1},
		{"events", c.Events, 0}, {"access lines", c.AccessLines, 0}, {"images", c.Images, 0},
	} {
		if n.value < n.min {
			return fmt.Errorf("%s: %d is below %d", n.name, n.value, n.min)
		}
	}
	switch c.Compression {
	case "", None, Gzip, Zstd:
	default:
		return fmt.Errorf("compression %q: must be none, gzip or zstd", c.Compression)
	}
	return c.Dirt.validate()
}

func (d Dirt) validate() error {
	for _, s := range []struct {
		name  string
		share float64
	}{
		{"duplicates", d.Duplicates}, {"later file", d.LaterFile}, {"broken", d.Broken},
		{"skewed", d.Skewed}, {"late", d.Late}, {"bots", d.Bots}, {"no consent", d.NoConsent},
		{"under age", d.UnderAge}, {"broken access", d.BrokenAccess}, {"bot access", d.BotAccess},
	} {
		if !(s.share >= 0 && s.share <= 1) {
			return fmt.Errorf("share of %s: %g is not between 0 and 1", s.name, s.share)
		}
	}
	if sum := d.Broken + d.Skewed + d.Late + d.Bots + d.NoConsent + d.UnderAge; sum > 1 {
		return fmt.Errorf("shares of dirt that exclude each other add up to %g, more than 1", sum)
	}
	return nil
}

// fate is what befalls one event; at most one thing does.
type fate uint8

const (
	clean fate = iota
	broken
	skewed
	late
	bot
	refusing
	minor
)

// fate maps a number drawn from [0,1) to a fate.
func (d Dirt) fate(draw float64) fate {
	for _, s := range [...]struct {
		fate  fate
		share float64
	}{
		{late, d.Late}, {skewed, d.Skewed}, {bot, d.Bots},
		{refusing, d.NoConsent}, {broken, d.Broken}, {minor, d.UnderAge},
	} {
		if draw < s.share {
			return s.fate
		}
		draw -= s.share
	}
	return clean
}
