package traffic_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

// folder keeps the files of a run in memory.
type folder map[string]*bytes.Buffer

func (f folder) create(name string) (io.WriteCloser, error) {
	f[name] = new(bytes.Buffer)
	return open{f[name]}, nil
}

type open struct{ io.Writer }

func (open) Close() error { return nil }

// lines returns the lines of a file, decompressed if its name says so.
func (f folder) lines(t *testing.T, name string) [][]byte {
	t.Helper()
	all := f[name].Bytes()
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(all))
		if err != nil {
			t.Fatal(err)
		}
		if all, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) == 0 || all[len(all)-1] != '\n' {
		t.Fatalf("%s does not end with a newline", name)
	}
	return bytes.Split(all[:len(all)-1], []byte{'\n'})
}

// small is a run that has enough of everything and takes a fraction of a
// second.
func small() traffic.Config {
	c := traffic.Default()
	c.People, c.Events, c.AccessLines, c.Images, c.Months = 300, 40_000, 8_000, 150, 6
	c.Compression = traffic.None
	c.Dirt.Broken, c.Dirt.BrokenAccess, c.Dirt.Duplicates = 0.02, 0.02, 0.03
	return c
}

// generated is the small run, made once.
var generated = sync.OnceValues(func() (folder, *traffic.Truth) {
	f := folder{}
	truth, err := traffic.Generate(context.Background(), small(), f.create, nil)
	if err != nil {
		panic(err)
	}
	return f, truth
})

// parsed is a line of the small run's telemetry: an event or what is wrong.
type parsed struct {
	line   []byte
	event  *event
	damage traffic.Damage
}

var (
	parseOnce sync.Once
	parsings  map[string][]parsed
)

// parse returns the lines of the small run's telemetry by file.
func parse(t *testing.T) map[string][]parsed {
	t.Helper()
	parseOnce.Do(func() {
		parsings = map[string][]parsed{}
		out, truth := generated()
		for _, f := range truth.Telemetry {
			for _, line := range out.lines(t, f.Name) {
				e, damage := read(line)
				parsings[f.Name] = append(parsings[f.Name], parsed{line, e, damage})
			}
		}
	})
	return parsings
}

// event is what the tests read of a telemetry line.
type event struct {
	Type              string
	MessageID         string
	UserID            string
	AnonymousID       string
	Event             string
	Timestamp         *time.Time
	OriginalTimestamp *time.Time
	SentAt            *time.Time
	ReceivedAt        *time.Time
	Context           struct {
		IP, UserAgent string
		Device        struct{ ID string }
		Traits        struct {
			Age      int
			Birthday string
		}
		Consent struct{ CategoryPreferences map[string]bool }
	}
	Properties struct {
		DurationMS *int `json:"duration_ms"`
	}
	Traits struct{ Name, Email, Username, Phone string }
}

// happened is the corrected time of the Segment specification.
func (e *event) happened() time.Time {
	return e.ReceivedAt.Add(-e.SentAt.Sub(*e.OriginalTimestamp))
}

// read decodes a line or says what is wrong with it, in a plain way that shares
// nothing with the generator.
func read(line []byte) (*event, traffic.Damage) {
	switch {
	case line[0] == '[':
		return nil, traffic.TopLevelArray
	case line[0] != '{':
		return nil, traffic.Garbage
	case string(line) == "{}":
		return nil, traffic.EmptyObject
	case !json.Valid(line):
		return nil, traffic.Truncated
	case !utf8.Valid(line):
		return nil, traffic.InvalidUTF8
	}
	e := new(event)
	if err := json.Unmarshal(line, e); err != nil {
		if strings.Contains(err.Error(), "duration_ms") {
			return nil, traffic.TextForNumber
		}
		return nil, traffic.BadTimes
	}
	switch {
	case e.Type == "":
		return nil, traffic.MissingType
	case !slices.Contains([]string{"track", "page", "screen", "identify", "group"}, e.Type):
		return nil, traffic.UnknownType
	case e.OriginalTimestamp == nil && e.SentAt == nil && e.ReceivedAt == nil && e.Timestamp == nil:
		return nil, traffic.MissingTimes
	}
	return e, ""
}

var crawler = regexp.MustCompile(`(?i)bot|headless|python`)

// recountFile counts the lines of one file anew; seen holds the messageIds of
// this and earlier files. A broken line has no day left to read.
func recountFile(lines []parsed, seen map[string]bool) *traffic.File {
	f := &traffic.File{Days: map[sinks.Day]*traffic.Counts{}, Types: map[string]int{}, Damages: map[traffic.Damage]int{}}
	for _, p := range lines {
		f.Total.Lines++
		f.Total.Bytes += int64(len(p.line)) + 1
		if p.event == nil {
			f.Total.Broken++
			f.Damages[p.damage]++
			continue
		}
		day := sinks.DayOf(p.event.happened())
		if f.Days[day] == nil {
			f.Days[day] = new(traffic.Counts)
		}
		if seen[p.event.MessageID] {
			f.Total.Duplicates++
			f.Days[day].Duplicates++
			if refusable(p.event) {
				f.Total.Refusable++
				f.Days[day].Refusable++
			}
			continue
		}
		seen[p.event.MessageID] = true
		f.Types[p.event.Type]++
		recount(&f.Total, p.event)
		recount(f.Days[day], p.event)
	}
	return f
}

// refusable reports whether a record says that it may not be held.
func refusable(e *event) bool {
	return !e.Context.Consent.CategoryPreferences["analytics"] || e.Context.Traits.Age > 0 || e.Context.Traits.Birthday != ""
}

// recount adds a record to the counts the way a reader would.
func recount(c *traffic.Counts, e *event) {
	c.Records++
	switch {
	case crawler.MatchString(e.Context.UserAgent):
		c.Bots++
	case !e.Context.Consent.CategoryPreferences["analytics"]:
		c.NoConsent++
	case e.Context.Traits.Age > 0 || e.Context.Traits.Birthday != "":
		c.UnderAge++
	case e.ReceivedAt.Sub(*e.SentAt).Abs() > 2*time.Minute:
		c.Skewed++
	case e.SentAt.Sub(*e.OriginalTimestamp) > 30*time.Minute:
		c.Late++
	}
}

func TestTelemetryIsWhatTheTruthSays(t *testing.T) {
	t.Parallel()
	_, truth := generated()
	seen := map[string]bool{}
	for _, want := range truth.Telemetry {
		got := recountFile(parse(t)[want.Name], seen)
		if got.Total != want.Total {
			t.Errorf("%s: counted %+v, truth %+v", want.Name, got.Total, want.Total)
		}
		if !maps.Equal(got.Types, want.Types) || !maps.Equal(got.Damages, want.Damages) {
			t.Errorf("%s: counted %v and %v, truth %v and %v", want.Name, got.Types, got.Damages, want.Types, want.Damages)
		}
		broken := 0
		for day, w := range want.Days {
			broken += w.Broken
			g := traffic.Counts{}
			if got.Days[day] != nil {
				g = *got.Days[day]
			}
			g.Lines, g.Bytes, g.Broken = g.Records+g.Duplicates+w.Broken, w.Bytes, w.Broken
			if g != *w {
				t.Errorf("%s, %s: counted %+v, truth %+v", want.Name, day, g, *w)
			}
			delete(got.Days, day)
		}
		if broken != want.Total.Broken || len(got.Days) > 0 {
			t.Errorf("%s: days are missing or their broken lines do not add up", want.Name)
		}
	}
}

// combined is the combined log format with escaped quotes.
var combined = regexp.MustCompile(`^(\S+) \S+ (\S+) \[([^\]]+)\] "([A-Z]+ \S+ HTTP/[\d.]+)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

func TestAccessLogIsWhatTheTruthSays(t *testing.T) {
	t.Parallel()
	out, truth := generated()
	for _, want := range truth.Access {
		var got traffic.Counts
		days := map[sinks.Day]int{}
		var last time.Time
		scanner := bufio.NewScanner(bytes.NewReader(out[want.Name].Bytes()))
		for scanner.Scan() {
			got.Lines++
			got.Bytes += int64(len(scanner.Bytes())) + 1
			fields := combined.FindStringSubmatch(scanner.Text())
			if fields == nil {
				got.Broken++
				continue
			}
			at, err := time.Parse("02/Jan/2006:15:04:05 -0700", fields[3])
			if err != nil {
				got.Broken++
				continue
			}
			if at.Before(last) || at.Format("2006-01") != want.Name[len("access/"):len("access/")+7] {
				t.Fatalf("%s: %s is out of order", want.Name, at)
			}
			last = at
			got.Records++
			days[sinks.DayOf(at)]++
			if crawler.MatchString(fields[8]) {
				got.Bots++
			}
		}
		if got != want.Total {
			t.Errorf("%s: counted %+v, truth %+v", want.Name, got, want.Total)
		}
		for day, w := range want.Days {
			if days[day] != w.Records {
				t.Errorf("%s, %s: counted %d records, truth %d", want.Name, day, days[day], w.Records)
			}
		}
	}
}
