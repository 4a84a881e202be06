package jobs_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

// exactPolicy holds every call, with the consent and at the age that its people state.
var exactPolicy = strings.NewReplacer(
	"types: [page]", "types: [track, page, screen, identify, group]",
	"[{basis: contract}]}]", "[{basis: consent}], consent: analytics}]\nconsent: {clause: C8, undecided: refuse}\nminimum_age: {under: 18, clause: C9}",
	"properties.size", "properties.duration_ms", "UInt8", "Nullable(UInt32)",
).Replace(replayPolicy)

// TestAccountOfDirtyInputIsExact ingests input with all the dirt there is, with every
// gate, and compares each file and each day with what the generator counted as it wrote
// (I2). A long run (LAPSE_SOAK) has a million events.
func TestAccountOfDirtyInputIsExact(t *testing.T) {
	t.Parallel()
	c := traffic.Default()
	c.Months, c.People, c.Events, c.AccessLines, c.Images, c.Compression = 3, 2000, 50_000, 0, 0, traffic.Zstd
	if os.Getenv("LAPSE_SOAK") != "" {
		c.People, c.Events = 20_000, 1_000_000
	}
	c.Dirt = traffic.Dirt{Duplicates: 0.05, LaterFile: 0.3, Broken: 0.01, Late: 0.03, Skewed: 0.02, NoConsent: 0.02, UnderAge: 0.01}
	s := newSite(t, []byte(exactPolicy))
	truth, err := traffic.Generate(t.Context(), c, func(name string) (io.WriteCloser, error) {
		if !strings.HasPrefix(name, "telemetry/") {
			return nopCloser{io.Discard}, nil
		}
		return os.Create(s.write(name, nil))
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	asOf := c.Start.AddDate(0, c.Months, 0)
	gate := s.gate(1 << 16)
	gated := func(job *jobs.Ingest) *jobs.Ingest {
		job.Gate = gate
		return job
	}
	refused := map[sinks.Count]uint64{}
	for _, file := range truth.Telemetry { // one after the other: copies lie in later files
		report := s.must(gated(s.ingestJob(filepath.Join(s.input(), filepath.FromSlash(file.Name)))), asOf)
		source := s.sourceOf(report)
		for _, reason := range sinks.RefusalCounts {
			refused[reason] += report.Outcomes[0].Counts[reason]
		}
		undated, dated := account{}, map[sinks.Day]account{}
		for _, d := range source.Days {
			a := account{int(d.Read), int(d.Stored), int(d.Quarantined), int(d.Refused), int(d.Duplicate)}
			if d.Dated {
				dated[d.Day] = a
			} else {
				undated = a
			}
		}
		want := account{}
		for day, w := range file.Days {
			refusals := w.NoConsent + w.UnderAge
			a := account{0, w.Records - refusals, 0, refusals + w.Refusable, w.Duplicates - w.Refusable}
			got := dated[day]
			undated = undated.plus(account{0, 0, got.quarantined, 0, 0}) // a broken line may have a day, or none
			got.read, got.quarantined = 0, 0
			if got != a {
				t.Errorf("%s, %s: counted %+v, truth %+v", file.Name, day, got, a)
			}
			want = want.plus(a)
		}
		if undated.quarantined != file.Total.Broken {
			t.Errorf("%s: %d were quarantined, truth %d", file.Name, undated.quarantined, file.Total.Broken)
		}
		want.read, want.quarantined = file.Total.Lines, file.Total.Broken
		if got := total(report); got != want {
			t.Errorf("%s: counted %+v, truth %+v", file.Name, got, want)
		}
	}
	w := traffic.Total(truth.Telemetry).Total
	if got := int(refused[sinks.CountRefusedConsent] + refused[sinks.CountRefusedAge]); got != w.NoConsent+w.UnderAge+w.Refusable || refused[sinks.CountRefusedAge] == 0 {
		t.Errorf("refused %v, truth %+v", refused, w)
	}
	if got, want := s.count("SELECT count() FROM {personal}.events"), w.Records-w.NoConsent-w.UnderAge; got != want || got != s.count("SELECT uniqExact(lapse_record) FROM {personal}.events") {
		t.Errorf("the table holds %d rows, truth %d", got, want)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != w.Broken {
		t.Errorf("the quarantine holds %d, truth %d", n, w.Broken)
	}
	t.Logf("%+v", w)
}
