package traffic

import (
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Truth is what was written, counted as it was written and not read back.
type Truth struct {
	// Telemetry, Access and Manifests are the files of each kind, by month.
	Telemetry, Access, Manifests []*File

	// Accounts are the people whose userId stands in at least one readable
	// telemetry record, in the order of their user ids.
	Accounts []Account

	Training *Training

	seed   seed
	people *population
	agents map[string]struct{}
	passed uint64
}

// File is the account of one file, or of several added up by Total.
type File struct {
	Name  string
	Total Counts

	// Days splits Total by the UTC day on which each event truly happened, which
	// for telemetry is that of receivedAt - (sentAt - originalTimestamp). A
	// broken line counts on the day it was about before it broke.
	Days map[sinks.Day]*Counts

	// Types splits Total.Records by "type"; a line of an access log is a
	// "request".
	Types map[string]int

	// Damages splits Total.Broken.
	Damages map[Damage]int
}

// Counts are numbers of lines: Lines = Records + Duplicates + Broken.
type Counts struct {
	Lines      int
	Bytes      int64 // of all lines with their newlines, before compression
	Records    int   // readable and not a copy of an earlier line
	Duplicates int   // readable, with the messageId of an earlier line in this or an earlier file
	Broken     int   // unreadable

	// Refusable is the part of Duplicates whose first copy is NoConsent or UnderAge.
	Refusable int

	// Skewed to UnderAge are the parts of Records that Dirt describes; no
	// record is in two of them.
	Skewed, Late, Bots, NoConsent, UnderAge int
}

// Account is the use that one person made of the platform, by the readable
// records with their userId. Times are true event times.
type Account struct {
	UserID       string
	LastActivity time.Time
	Closed       time.Time // of "Account Deleted"; zero if there is none
}

// Total returns the sum of files.
func Total(files []*File) *File {
	sum := newFile("")
	for _, f := range files {
		sum.Total.add(&f.Total)
		for day, counts := range f.Days {
			sum.day(day).add(counts)
		}
		for kind, n := range f.Types {
			sum.Types[kind] += n
		}
		for damage, n := range f.Damages {
			sum.Damages[damage] += n
		}
	}
	return sum
}

func newFile(name string) *File {
	return &File{Name: name, Days: map[sinks.Day]*Counts{}, Types: map[string]int{}, Damages: map[Damage]int{}}
}

func (f *File) day(day sinks.Day) *Counts {
	counts := f.Days[day]
	if counts == nil {
		counts = new(Counts)
		f.Days[day] = counts
	}
	return counts
}

func (c *Counts) add(o *Counts) {
	c.Lines += o.Lines
	c.Bytes += o.Bytes
	c.Records += o.Records
	c.Duplicates += o.Duplicates
	c.Broken += o.Broken
	c.Refusable += o.Refusable
	c.Skewed += o.Skewed
	c.Late += o.Late
	c.Bots += o.Bots
	c.NoConsent += o.NoConsent
	c.UnderAge += o.UnderAge
}

func (f *File) addRecord(happened instant, size int, kind string, what fate) {
	one := Counts{Lines: 1, Bytes: int64(size), Records: 1}
	switch what {
	case skewed:
		one.Skewed = 1
	case late:
		one.Late = 1
	case bot:
		one.Bots = 1
	case refusing:
		one.NoConsent = 1
	case minor:
		one.UnderAge = 1
	}
	f.Types[kind]++
	f.account(happened, &one)
}

func (f *File) addDuplicate(happened instant, size int, what fate) {
	one := Counts{Lines: 1, Bytes: int64(size), Duplicates: 1}
	if what == refusing || what == minor {
		one.Refusable = 1
	}
	f.account(happened, &one)
}

func (f *File) addBroken(happened instant, size int, damage Damage) {
	f.Damages[damage]++
	f.account(happened, &Counts{Lines: 1, Bytes: int64(size), Broken: 1})
}

func (f *File) account(happened instant, one *Counts) {
	f.Total.add(one)
	f.day(sinks.DayOf(happened.time())).add(one)
}

// accounts lists what the people did under their user ids.
func accounts(people []person) []Account {
	var all []Account
	for i := range people {
		p := &people[i]
		if p.lastActivity == 0 {
			continue
		}
		a := Account{UserID: p.user, LastActivity: p.lastActivity.time()}
		if p.closed != 0 {
			a.Closed = p.closed.time()
		}
		all = append(all, a)
	}
	return all
}
