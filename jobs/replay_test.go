package jobs_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// replayPolicy wants a size of every page, from where the records have a text at times.
const replayPolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA]}
categories: [{id: c, clause: C1, description: d, fields: {f: f}}]
purposes: [{id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}]
quarantine: {keep: P30D, clause: C12, rationale: r}
datasets:
  - name: events
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [page]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P3M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: userId, field: c.f, identifies: directly}
      - {name: network, type: String, from: context.ip, derive: network, field: c.f, identifies: indirectly}
      - {name: size, type: UInt8, from: properties.size, field: c.f, identifies: nobody}
`

// mendedPolicy takes the size from elsewhere, and refuses people of one country.
var mendedPolicy = strings.NewReplacer("properties.size", "properties.bytes", "allowed: [EEA]", "allowed: [EEA], exclude: {clause: C10, countries: [RU]}").Replace(replayPolicy)

func (s *site) replayJob(which sinks.QuarantineSelection) *jobs.Replay {
	return &jobs.Replay{Ingest: s.ingestJob(), Quarantine: s.store, Personal: s.store, Which: which}
}

// mend gives the site another policy.
func (s *site) mend(p *site) {
	s.policy, s.options.Policy = p.policy, p.policy
	s.worker = s.newWorker(nil)
}

// counts are those of the only step.
func counts(t *testing.T, r *jobs.Report) map[sinks.Count]uint64 {
	t.Helper()
	if len(r.Outcomes) != 1 {
		t.Fatalf("%d outcomes", len(r.Outcomes))
	}
	return r.Outcomes[0].Counts
}

func (s *site) sourceOf(r *jobs.Report) sinks.Source {
	s.Helper()
	source, found, err := s.store.Source(s.Context(), r.Outcomes[0].Step.Source)
	if err != nil || !found {
		s.Fatal(found, err)
	}
	return source
}

func TestReplayedRecordsMoveInTheAccountOfTheirFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(replayPolicy))
	day := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	asOf := day.AddDate(0, 0, 14)
	page := func(id, user, more string) string {
		return fmt.Sprintf(`{"type":"page",%s"userId":%q,"timestamp":%q%s}`, id, user, day.Format(time.RFC3339), more)
	}
	huge := `,"properties":{"size":"huge","bytes":7}`
	content := strings.Join([]string{
		page(`"messageId":"a",`, "ann", ""),
		`{"batch":[` + page("", "bob", huge) + `,` + page(`"messageId":"b",`, "bea", "") + `],"sentAt":"2024-06-01T13:00:00Z","receivedAt":"2024-06-01T13:00:05Z","context":{"ip":"198.51.100.77"}}`,
		`{"type":"page"`,
		page(`"messageId":"a",`, "ann", huge),
		page(`"messageId":"c",`, "rus", huge+`,"context":{"location":{"country":"RU"}}`),
		`{"type":"page","messageId":"d","timestamp":"noon"}`,
	}, "\n")
	path := s.write("a.ndjson", []byte(content))
	first := s.ingest(asOf, path)
	if got, want := total(first), (account{7, 2, 5, 0, 0}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	days := s.sourceOf(first).Days

	t.Run("nothing is mended", func(t *testing.T) {
		got := counts(t, s.must(s.replayJob(sinks.QuarantineSelection{}), asOf))
		if want := map[sinks.Count]uint64{sinks.CountRead: 5, sinks.CountQuarantined: 5}; !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if now := s.sourceOf(first).Days; !slices.Equal(now, days) {
			t.Errorf("the account became %+v", now)
		}
	})

	s.mend(newSite(t, []byte(mendedPolicy)))
	got := counts(t, s.must(s.replayJob(sinks.QuarantineSelection{Reason: "wrong_type"}), asOf))
	want := map[sinks.Count]uint64{sinks.CountRead: 3, sinks.CountStored: 1, sinks.CountDuplicate: 1, sinks.CountRefused: 1, sinks.CountRefusedRegion: 1}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	source := s.sourceOf(first)
	june := sinks.DayOf(day)
	wantDays := []sinks.SourceDay{{Dated: true, Day: june, Read: 5, Stored: 3, Refused: 1, Duplicate: 1}, {Read: 2, Quarantined: 2}}
	if !slices.Equal(source.Days, wantDays) {
		t.Errorf("%+v, want %+v", source.Days, wantDays)
	}
	sum, err := s.store.Account(t.Context())
	if want := (sinks.SourceDay{Read: 7, Stored: 3, Quarantined: 2, Refused: 1, Duplicate: 1}); err != nil || sum != want {
		t.Errorf("%+v, want %+v, %v", sum, want, err)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine WHERE reason IN ('not_json', 'bad_time', 'no_time')"); n != 2 || n != s.count("SELECT count() FROM {control}.quarantine") {
		t.Errorf("%d records are left in quarantine", n)
	}
	// The record of the batch has what the batch said: its address, and its clock.
	if got := fmt.Sprint(s.query("SELECT who, network, size, toString(at) FROM {personal}.events WHERE size > 0")); got != "[[bob 198.51.100.0 7 2024-06-01 12:00:05.000]]" {
		t.Error(got)
	}

	t.Run("again", func(t *testing.T) {
		s.must(s.replayJob(sinks.QuarantineSelection{}), asOf)
		if now := s.sourceOf(first).Days; !slices.Equal(now, wantDays) {
			t.Errorf("the account became %+v", now)
		}
	})
	t.Run("a copy of the file", func(t *testing.T) { // every record is known, also the one without an id
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write([]byte(content))
		_ = w.Close()
		got := total(s.ingest(asOf, s.write("copy.gz", z.Bytes())))
		if want := (account{7, 0, 0, 1, 6}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	s.audited()
}

func TestDroppedRecordsAreGoneAndThoseUnderHoldStay(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(replayPolicy))
	asOf := time.Date(2024, 6, 15, 0, 0, 0, 0, time.UTC)
	later := asOf.AddDate(0, 0, 2)
	s.ingest(asOf, s.write("a.ndjson", []byte("{nonsense\n{more\n{}")))
	s.ingest(later, s.write("b.ndjson", []byte("{nonsense, too\n")))
	hold := &sinks.Hold{ID: sinks.NewID(), Dataset: sinks.QuarantineDataset, From: later.Add(-time.Hour), Reason: "r", PlacedBy: "b", PlacedAt: asOf}
	s.must(&jobs.HoldChange{Policy: s.policy, Register: s.store, Place: hold}, later)

	drop := func(which sinks.QuarantineSelection) *jobs.Report {
		return s.must(&jobs.Drop{Policy: s.policy, Quarantine: s.store, Personal: s.store, Locks: s.runner.Locks, Which: which}, later)
	}
	if n := counts(t, drop(sinks.QuarantineSelection{Reason: "not_json"}))[sinks.CountBefore]; n != 2 {
		t.Errorf("%d records were dropped, want 2: one of the three is under hold", n)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != 2 {
		t.Errorf("%d records are left, want 2", n)
	}
	if r := drop(sinks.QuarantineSelection{Reason: "not_json"}); r.Steps != 0 {
		t.Errorf("%d steps when there was nothing to do", r.Steps)
	}
	// What is held is not read again either.
	if r := s.must(s.replayJob(sinks.QuarantineSelection{}), later); r.Steps != 1 {
		t.Errorf("%d files were replayed, want 1", r.Steps)
	}
	if err := s.store.ReleaseHold(t.Context(), hold.ID, "b", later); err != nil {
		t.Fatal(err)
	}
	drop(sinks.QuarantineSelection{})
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != 0 {
		t.Errorf("%d records are left", n)
	}
	// A record that was dropped is set aside again where it turns up again.
	if got, want := total(s.ingest(later, s.write("c.ndjson", []byte("{nonsense\n{other")))), (account{2, 0, 2, 0, 0}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.audited()
}
