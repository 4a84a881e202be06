package traffic_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/facesoft/lapse/jobs/traffic"
)

func generate(t *testing.T, c traffic.Config) (folder, *traffic.Truth) {
	t.Helper()
	out := folder{}
	truth, err := traffic.Generate(t.Context(), c, out.create, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out, truth
}

func (f folder) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f)) {
		_, _ = fmt.Fprintf(h, "%s %d\n", name, f[name].Len())
		h.Write(f[name].Bytes())
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	first, _ := generated()
	again, _ := generate(t, small())
	if first.digest() != again.digest() {
		t.Error("two runs with one seed differ")
	}
	other := small()
	other.Seed++
	if out, _ := generate(t, other); out.digest() == first.digest() {
		t.Error("two runs with different seeds are the same")
	}
}

func TestCompressionChangesTheEncodingOnly(t *testing.T) {
	t.Parallel()
	c := small()
	c.Events, c.AccessLines, c.Images = 10_000, 0, 0
	c.Compression = traffic.Gzip
	packed, _ := generate(t, c)
	c.Compression = traffic.None
	plain, _ := generate(t, c)
	c.Compression = traffic.Zstd
	zipped, _ := generate(t, c)
	for name := range plain {
		want := plain[name].Bytes()
		if got := bytes.Join(packed.lines(t, name+".gz"), []byte{'\n'}); !bytes.Equal(append(got, '\n'), want) {
			t.Errorf("%s.gz does not hold what %s does", name, name)
		}
		r, err := zstd.NewReader(zipped[name+".zst"])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s.zst does not hold what %s does: %v", name, name, err)
		}
		r.Close()
	}
}

func TestFilesAreOrderedByReceiptWithinTheirMonth(t *testing.T) {
	t.Parallel()
	_, truth := generated()
	if len(truth.Telemetry) != small().Months {
		t.Errorf("%d files for %d months", len(truth.Telemetry), small().Months)
	}
	for _, f := range truth.Telemetry {
		var last time.Time
		for _, p := range parse(t)[f.Name] {
			if len(bytes.TrimSpace(p.line)) == 0 {
				t.Fatalf("%s: blank line", f.Name)
			}
			e := p.event
			if e == nil {
				continue
			}
			if e.ReceivedAt.Before(last) {
				t.Fatalf("%s: %s comes after %s", f.Name, e.ReceivedAt, last)
			}
			last = *e.ReceivedAt
			if want := "telemetry/" + last.Format("2006-01") + ".ndjson"; f.Name != want {
				t.Fatalf("%s holds an event of %s", f.Name, last)
			}
		}
	}
}

func TestAverageLineIsAboutAKilobyte(t *testing.T) {
	t.Parallel()
	_, truth := generated()
	total := traffic.Total(truth.Telemetry).Total
	if mean := total.Bytes / int64(total.Lines); mean < 900 || mean > 1000 {
		t.Errorf("lines are %d bytes long on average", mean)
	}
}

func TestFlatTrafficIsTheSameEveryDay(t *testing.T) {
	t.Parallel()
	c := small()
	c.Flat, c.AccessLines, c.Images, c.Dirt = true, 0, 0, traffic.Dirt{}
	_, truth := generate(t, c)
	mean := c.Events / int(c.Start.AddDate(0, c.Months, 0).Sub(c.Start).Hours()/24)
	for day, counts := range traffic.Total(truth.Telemetry).Days {
		if counts.Lines < mean-2 || counts.Lines > mean+3 {
			t.Errorf("%s: %d lines, want about %d", day, counts.Lines, mean)
		}
	}
}

// claimed returns the identifiers that the truth lists, with their kinds.
func claimed() map[string]traffic.IdentifierKind {
	_, truth := generated()
	all := map[string]traffic.IdentifierKind{}
	for kind, value := range truth.Identifiers() {
		all[value] = kind
	}
	return all
}

func TestIdentifiersCoverTheTelemetry(t *testing.T) {
	t.Parallel()
	all, met := claimed(), map[string]bool{}
	records(t, func(_ string, line []byte, e *event) {
		for _, value := range []string{
			e.UserID, e.AnonymousID, e.Context.Device.ID, e.Context.IP, e.Context.UserAgent,
			e.Traits.Email, e.Traits.Username, e.Traits.Phone,
		} {
			if value != "" && all[value] == "" {
				t.Fatalf("%q is not among the identifiers", value)
			}
			met[value] = true
		}
		if e.Type == "identify" && all[e.Traits.Name] != traffic.PersonName {
			t.Fatalf("%q is not among the names", e.Traits.Name)
		}
		for _, email := range emails.FindAllString(string(line), -1) {
			if all[strings.Replace(email, "%40", "@", 1)] != traffic.Email {
				t.Fatalf("%q is not among the e-mail addresses", email)
			}
		}
	})
	if len(met) < len(all)*7/10 {
		t.Errorf("only %d of %d identifiers stand in a structured field", len(met), len(all))
	}
}

var emails = regexp.MustCompile(`[a-z]+\.[a-z]+[0-9]+(@|%40)[a-z0-9.-]+[a-z]`)

func TestIdentifiersCoverTheAccessLog(t *testing.T) {
	t.Parallel()
	out, truth := generated()
	all := claimed()
	for _, f := range truth.Access {
		for _, line := range out.lines(t, f.Name) {
			fields := combined.FindStringSubmatch(string(line))
			if fields == nil {
				continue
			}
			for _, value := range []string{fields[1], fields[2], strings.ReplaceAll(fields[8], `\"`, `"`)} {
				if value != "-" && all[value] == "" {
					t.Fatalf("%q is not among the identifiers", value)
				}
			}
		}
	}
}

func TestPeopleHaveMostlyDistinctAddresses(t *testing.T) {
	t.Parallel()
	c := traffic.Default()
	c.Events, c.AccessLines, c.Images = 30_000, 0, 0
	_, truth := generate(t, c)
	addresses := 0
	for kind := range truth.Identifiers() {
		if kind == traffic.IPAddress {
			addresses++
		}
	}
	if addresses < c.People*9/10 {
		t.Errorf("%d addresses for %d people", addresses, c.People)
	}
}

// discard counts what it is given and keeps nothing.
func discard(string) (io.WriteCloser, error) { return open{io.Discard}, nil }

func TestMemoryDoesNotGrowWithTheNumberOfEvents(t *testing.T) {
	live := func(events int) (peak uint64) {
		c := traffic.Default()
		c.Events, c.AccessLines, c.Images, c.Compression = events, 0, 0, traffic.None
		_, err := traffic.Generate(t.Context(), c, discard, func(done, total int) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		})
		if err != nil {
			t.Fatal(err)
		}
		return peak
	}
	few, many := live(40_000), live(300_000)
	if many > few+4<<20 {
		t.Errorf("%d KiB live with 40,000 events, %d KiB with 300,000", few>>10, many>>10)
	}
}

func TestProgressEndsAtTheTotal(t *testing.T) {
	t.Parallel()
	c := small()
	last := 0
	_, err := traffic.Generate(t.Context(), c, discard, func(done, total int) {
		if want := c.Events + c.AccessLines + c.Images; total != want || done <= last {
			t.Fatalf("told %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || last != c.Events+c.AccessLines+c.Images {
		t.Errorf("ended at %d: %v", last, err)
	}
}

func TestErrorsEndTheRun(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	_, err := traffic.Generate(t.Context(), small(), func(string) (io.WriteCloser, error) { return nil, full }, nil)
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "telemetry/2024-01.ndjson") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = traffic.Generate(ctx, small(), discard, func(done, total int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after the context ended", err)
	}
}

func TestTheSmallestInputIsPossible(t *testing.T) {
	t.Parallel()
	c := small()
	c.People, c.Organisations, c.Months, c.Events, c.AccessLines, c.Images = 1, 1, 1, 10, 1, 1
	if _, truth := generate(t, c); traffic.Total(truth.Telemetry).Total.Lines < 10 || len(truth.Training.Items) != 1 {
		t.Errorf("%+v", truth.Telemetry)
	}
	c.Events, c.AccessLines, c.Images = 0, 0, 0
	if out, _ := generate(t, c); len(out) != 0 {
		t.Errorf("%d files of nothing", len(out))
	}
}

func TestImpossibleConfigurationsAreRefused(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*traffic.Config){
		"start":                 func(c *traffic.Config) { c.Start = c.Start.AddDate(0, 0, 3) },
		"months":                func(c *traffic.Config) { c.Months = 0 },
		"people":                func(c *traffic.Config) { c.People = 0 },
		"organisations":         func(c *traffic.Config) { c.Organisations = 0 },
		"events":                func(c *traffic.Config) { c.Events = -1 },
		"compression":           func(c *traffic.Config) { c.Compression = "lzma" },
		"share of broken":       func(c *traffic.Config) { c.Dirt.Broken = 1.5 },
		"exclude each other":    func(c *traffic.Config) { c.Dirt.Late, c.Dirt.Bots = 0.6, 0.6 },
		"traffic configuration": func(c *traffic.Config) { c.Images = -1 },
	} {
		c := traffic.Default()
		change(&c)
		if _, err := traffic.Generate(t.Context(), c, discard, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for _, compression := range []traffic.Compression{traffic.None, traffic.Gzip, traffic.Zstd} {
		b.Run(string(compression), func(b *testing.B) {
			c := traffic.Default()
			c.Events, c.AccessLines, c.Images, c.Compression = 300_000, 0, 0, compression
			b.ReportAllocs()
			for b.Loop() {
				truth, err := traffic.Generate(b.Context(), c, discard, nil)
				if err != nil {
					b.Fatal(err)
				}
				total := traffic.Total(truth.Telemetry).Total
				b.SetBytes(total.Bytes)
				b.ReportMetric(float64(total.Bytes)/float64(total.Lines), "B/line")
			}
		})
	}
}
