package jobs_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/keyring"
)

// gatedPolicy refuses by every reason that a record can tell itself, and keys
// pseudonyms by the month.
const gatedPolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA], exclude: {clause: C10, countries: [RU]}}
categories: [{id: c, clause: C1, description: d, fields: {f: f}}]
purposes: [{id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: consent}], consent: analytics}]
consent: {clause: C8, undecided: refuse}
minimum_age: {under: 18, clause: C9}
pseudonyms: {clause: C2, rotate: P1M}
quarantine: {keep: P1D, clause: C12, rationale: r}
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
      - {name: who, type: String, from: userId, derive: pseudonym, field: c.f, identifies: directly}
      - {name: network, type: String, from: context.ip, derive: network, field: c.f, identifies: indirectly}
      - {name: size, type: UInt8, from: properties.size, field: c.f, identifies: nobody}
`

// page is a page call of somebody who has consented, with more in its context.
func pageCall(n int, at time.Time, user, more string) string {
	return fmt.Sprintf(`{"type":"page","messageId":"m%d","userId":%q,"timestamp":%q,"context":{"ip":"198.51.100.77","consent":{"categoryPreferences":{"analytics":true}}%s}}`, n, user, at.Format(time.RFC3339), more)
}

func (s *site) keyring() *keyring.Folder {
	s.Helper()
	f, err := keyring.Open(filepath.Join(s.dir, "keys"))
	if err != nil {
		s.Fatal(err)
	}
	return f
}

func TestRefusedRecordsAreCountedByReasonAndLeaveNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(gatedPolicy))
	asOf := time.Date(2024, 6, 15, 0, 0, 0, 0, time.UTC)
	day := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	lines := []string{
		pageCall(1, day, "secret-1", ""),
		pageCall(2, day, "secret-2", `,"traits":{"age":12}`),
		pageCall(3, day, "secret-3", `,"location":{"country":"RU"}`),
		pageCall(4, day.AddDate(0, -4, 0), "secret-4", ""),
		strings.Replace(pageCall(5, day, "secret-5", ""), "true", "false", 1),
		strings.Replace(pageCall(6, day, "secret-6", ""), `"page"`, `"track"`, 1),
		strings.Replace(pageCall(7, day, "secret-7", `,"traits":{"birthday":"2012-01-01"}`), `"userId"`, `"properties":{"size":"huge"},"userId"`, 1),
		pageCall(1, day, "secret-1", ""),
	}
	job := s.ingestJob(s.write("calls", []byte(strings.Join(lines, "\n"))))
	job.Keys = s.keyring()
	report := s.must(job, asOf)
	want := map[sinks.Count]uint64{
		"read": 8, "stored": 1, "duplicate": 1, "refused": 6, "refused_under_age": 2, "refused_excluded_region": 1,
		"refused_past_window": 1, "refused_no_consent": 1, "refused_no_purpose": 1,
	}
	if got := report.Outcomes[0].Counts; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n != 1 {
		t.Errorf("%d rows are stored", n)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != 0 {
		t.Errorf("%d refused records are in the quarantine", n)
	}
	row := s.query("SELECT who, network FROM {personal}.events")[0]
	if who := row[0].(string); len(who) != 32 || strings.Contains(who, "secret") || row[1] != "198.51.100.0" {
		t.Errorf("stored %v", row)
	}
	s.audited()
}

func TestKeyIsDestroyedWhenItsRecordsAreGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(gatedPolicy))
	keys := s.keyring()
	ingest := func(n int, at time.Time) {
		job := s.ingestJob(s.write(fmt.Sprint("calls-", n), []byte(pageCall(n, at, "u", "")+"\n")))
		job.Keys = keys
		s.must(job, at.AddDate(0, 0, 1))
	}
	may, june := time.Date(2024, 5, 20, 0, 0, 0, 0, time.UTC), time.Date(2024, 6, 20, 0, 0, 0, 0, time.UTC)
	ingest(1, may)
	ingest(2, may.AddDate(0, 0, 3))
	ingest(3, june)
	names := map[string]int{}
	for _, row := range s.query("SELECT toString(toStartOfMonth(at)), uniqExact(who) FROM {personal}.events GROUP BY 1") {
		names[row[0].(string)] = int(row[1].(uint64))
	}
	if len(names) != 2 || names["2024-05-01"] != 1 || s.count("SELECT uniqExact(who) FROM {personal}.events") != 2 {
		t.Errorf("pseudonyms a month: %v", names)
	}
	purge := func(asOf time.Time) (destroyed int) {
		job := s.purgeJob()
		job.Keys = keys
		for _, o := range s.must(job, asOf).Outcomes {
			if o.Step.Action == sinks.ActionDestroyKey {
				destroyed++
				if o.Result != sinks.ResultDone || o.Step.Clause != "C2" || len(o.Stages) != 2 {
					t.Errorf("%+v", o)
				}
			}
		}
		return destroyed
	}
	// The windows of May's records have passed three months after the month's end.
	due := time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)
	if n := purge(due.Add(-time.Second)); n != 0 {
		t.Errorf("%d keys were destroyed early", n)
	}
	if n := purge(due); n != 1 {
		t.Errorf("%d keys were destroyed", n)
	}
	left, err := keys.Periods()
	if err != nil || len(left) != 1 || left[0] != sinks.KeyPeriodOf(sinks.KeyMonth, sinks.DayOf(june)) {
		t.Errorf("%v is left: %v", left, err)
	}
	if n := purge(due); n != 0 {
		t.Errorf("%d keys were destroyed again", n)
	}
	found := 0
	for _, e := range s.audited() {
		if e.Action == sinks.ActionDestroyKey {
			found++
		}
	}
	if found != 2 { // intent and outcome
		t.Errorf("%d entries tell of the key", found)
	}
}

// As long as there are records of a period, somebody may have to be found in them.
func TestKeyWaitsForRecordsThatAreStillHeld(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(gatedPolicy))
	keys := s.keyring()
	at := time.Date(2024, 5, 20, 0, 0, 0, 0, time.UTC)
	job := s.ingestJob(s.write("calls", []byte(pageCall(1, at, "u", "")+"\n")))
	job.Keys = keys
	s.must(job, at)
	purge := s.purgeJob()
	purge.Keys = keys
	for _, asOf := range []time.Time{at.AddDate(1, 0, 0), at.AddDate(1, 0, 1)} {
		steps, err := purge.Plan(t.Context(), asOf)
		if err != nil {
			t.Fatal(err)
		}
		actions := map[sinks.Action]int{}
		for _, step := range steps {
			actions[step.Action]++
		}
		if actions[sinks.ActionDestroyKey] != 0 || actions[sinks.ActionErasePartition] != 1 {
			t.Errorf("while a row is held: %v", actions)
		}
	}
	s.must(purge, at.AddDate(1, 0, 0))
	s.must(purge, at.AddDate(1, 0, 0))
	if left, err := keys.Periods(); err != nil || len(left) != 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

func TestFormatCanBeSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	// More broken lines than good ones: it looks like a log.
	content := []byte("oops\noops\noops\n" + `{"type":"page","messageId":"m","timestamp":"2024-05-01T00:00:00Z"}` + "\n")
	job := s.ingestJob(s.write("calls", content))
	job.Format = config.Segment
	if got, want := total(s.must(job, end(8))), (account{4, 1, 3, 0, 0}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// It is another file with another byte, and is taken for what it looks like; three of
	// its lines are in the quarantine already.
	if got, want := total(s.ingest(end(8), s.write("again", append(content, '\n')))), (account{4, 0, 1, 0, 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBatchBodiesAreAccountedRecordByRecord(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	call := func(id string) string {
		return fmt.Sprintf(`{"type":"page","messageId":%q,"userId":"u","timestamp":"2024-05-01T00:00:00Z"}`, id)
	}
	var content strings.Builder
	fmt.Fprintf(&content, `{"batch":[%s,%s,%s,7],"sentAt":"2024-05-01T00:00:01Z"}`+"\n", call("a"), call("b"), call("a"))
	fmt.Fprintln(&content, call("b"))
	content.WriteString(`{"batch":[` + strings.Repeat(`{},`, 8000) + call("c") + "]}\n") // more than one group of such
	for range 5 {
		content.WriteString(`{"batch":[` + strings.Repeat(`{},`, 8000) + call("c") + "]}\n")
	}
	got := total(s.ingest(end(8), s.write("bodies", []byte(content.String()))))
	if want := (account{5 + 6*8001, 3, 1 + 6*8000, 0, 2 + 5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLineOfAHundredMegabytesIsSetAside(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	var content bytes.Buffer
	z, err := zstd.NewWriter(&content)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprint(z, `{"type":"page","userId":"`)
	for range 100 {
		_, _ = z.Write(bytes.Repeat([]byte("x"), 1<<20))
	}
	_, _ = fmt.Fprintln(z, `"}`)
	_, _ = fmt.Fprintln(z, `{"type":"page","timestamp":"2024-05-01T00:00:00Z"}`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := total(s.ingest(end(8), s.write("calls", content.Bytes()))), (account{2, 1, 1, 0, 0}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	row := s.query("SELECT reason, length(raw) FROM {control}.quarantine")[0]
	if fmt.Sprint(row) != "[line_too_long 65536]" {
		t.Errorf("set aside: %v", row)
	}
}
