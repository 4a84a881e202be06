package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// consentPolicy takes pages of people who have consented, and nothing undecided.
const consentPolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA]}
categories: [{id: c, clause: C1, description: d, fields: {f: f}}]
purposes:
  - {id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: consent}], consent: analytics}
  - {id: m, clause: C7, description: d, data: [d], legal_bases: [{basis: consent}], consent: marketing}
consent: {clause: C8, undecided: refuse, from: {marketing: traits.newsletter}}
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: events
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [page, identify]}
    subject: [user_id, anonymous_id]
    time: at
    retention: [{trigger: event_time, keep: P3M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: user_id, type: String, from: userId, field: c.f, identifies: directly}
      - {name: anonymous_id, type: String, from: anonymousId, field: c.f, identifies: directly}
      - {name: campaign, type: String, from: context.campaign.name, field: c.f, identifies: nobody, purposes: [m]}
`

var june = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)

// said is a call, n hours into June, of somebody who says something about analytics:
// yes, no or nothing.
func said(n int, who, analytics string) string {
	consent := ""
	switch analytics {
	case "yes":
		consent = `,"consent":{"categoryPreferences":{"analytics":true}}`
	case "no":
		consent = `,"consent":{"categoryPreferences":{"analytics":false}}`
	}
	return fmt.Sprintf(`{"type":"page","messageId":"%s-%d",%s,"timestamp":%q,"context":{"campaign":{"name":"summer"}%s}}`,
		strings.Map(func(r rune) rune {
			if strings.ContainsRune(`"{}:,`, r) {
				return -1
			}
			return r
		}, who), n, who, june.Add(time.Duration(n)*time.Hour).Format(time.RFC3339), consent)
}

// gated runs ingest with a gate on lines, and returns the counts.
func (s *site) gated(remember int, name string, lines ...string) map[sinks.Count]uint64 {
	s.Helper()
	job := s.ingestJob(s.write(name, []byte(strings.Join(lines, "\n")+"\n")))
	job.Gate = s.gate(remember)
	return s.must(job, june.AddDate(0, 0, 20)).Outcomes[0].Counts
}

func (s *site) gate(remember int) *jobs.Gate {
	s.Helper()
	gate, err := jobs.NewGate(s.Context(), s.policy, s.store, s.store, jobs.GateKeys{Consents: sinks.LedgerKey{1}, Erasures: s.erasureKeys()})
	if err != nil {
		s.Fatal(err)
	}
	gate.Remember(remember)
	return gate
}

// decided enters a decision of a person by hand.
func (s *site) decided(column, text, category string, granted bool, at time.Time) {
	s.Helper()
	job := &jobs.Consent{Ledger: s.store, Clause: "C8", Decisions: []sinks.ConsentDecision{{
		Subject: jobs.NewSubjectKeys(sinks.LedgerKey{1}).Of(column, []byte(text)), Category: category, Granted: granted, At: at, Origin: sinks.ConsentByOperator,
	}}}
	s.must(job, at)
}

func (s *site) erased(column, text string, until time.Time) {
	s.Helper()
	key, err := s.erasureKeys().At(until)
	if err != nil {
		s.Fatal(err)
	}
	subject := jobs.NewSubjectKeys(key).Of(column, []byte(text))
	if err := s.store.RecordErasures(s.Context(), []sinks.Erasure{{Subject: subject, Until: until, Request: sinks.NewID()}}); err != nil {
		s.Fatal(err)
	}
}

// A gate that remembers two people at most decides like one that remembers all.
var memories = map[string]int{"all in memory": 1000, "few in memory": 2}

const ann, bob, visitor = `"userId":"ann","anonymousId":"a-1"`, `"userId":"bob"`, `"anonymousId":"a-9"`

func TestLatestDecisionWins(t *testing.T) {
	t.Parallel()
	for name, remember := range memories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, []byte(consentPolicy))
			check := func(name string, stored, refused uint64, lines ...string) {
				t.Helper()
				c := s.gated(remember, name, lines...)
				if c["stored"] != stored || c["refused_no_consent"] != refused || c["read"] != stored+refused {
					t.Errorf("%s: %v; want %d stored and %d refused", name, c, stored, refused)
				}
			}
			check("nobody has decided", 0, 2, said(1, ann, ""), said(1, bob, ""))
			check("a record decides for those after it", 2, 0, said(10, ann, "yes"), said(11, ann, ""))
			check("and in later files, by whichever identifier", 1, 1, said(12, `"userId":"ann"`, ""), said(13, `"anonymousId":"a-1"`, ""))
			check("a withdrawal", 0, 2, said(20, ann, "no"), said(21, ann, ""))
			check("holds for what happened before it", 0, 1, said(15, ann, "yes"))
			check("until a later decision", 2, 0, said(30, ann, "yes"), said(31, ann, ""))
			s.decided("user_id", "ann", "analytics", false, june.Add(40*time.Hour))
			check("the operator's word counts alike", 0, 2, said(35, ann, "yes"), said(41, ann, ""))
			check("of an instant the refusal counts", 0, 1, said(40, ann, "yes"))
			s.decided("user_id", "bob", "analytics", true, june)
			check("for others too", 1, 0, said(42, bob, ""))
			check("a visitor's is his own", 1, 2, said(43, visitor, "yes"), said(44, `"anonymousId":"a-10"`, ""), said(44, ann, ""))
			for n := range 20 {
				who := fmt.Sprintf(`"userId":"many-%d"`, n)
				check(fmt.Sprint("many ", n), 2, 1, said(50, who, "yes"), said(51, who, ""), said(45, who, "no"))
			}
			check("what was said is remembered", 20, 0, func() (lines []string) {
				for n := range 20 {
					lines = append(lines, said(52, fmt.Sprintf(`"userId":"many-%d"`, n), ""))
				}
				return lines
			}()...)
			s.audited()
		})
	}
}

func TestColumnsFollowTheLedger(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(consentPolicy))
	identify := func(n int, newsletter string) string {
		return fmt.Sprintf(`{"type":"identify","messageId":"i%d","userId":"ann","timestamp":%q,"traits":{"newsletter":%s},"context":{"consent":{"categoryPreferences":{"analytics":true}}}}`, n, june.Add(time.Duration(n)*time.Hour).Format(time.RFC3339), newsletter)
	}
	s.gated(100, "calls", said(0, ann, "yes"), identify(1, "true"), said(2, ann, ""), identify(3, "false"), said(4, ann, ""))
	want := []string{"", "", "summer", "", ""}
	for i, row := range s.query("SELECT campaign FROM {personal}.events ORDER BY at") {
		if row[0] != want[i] {
			t.Errorf("row %d: campaign %q, want %q", i, row[0], want[i])
		}
	}
	history, err := s.store.ConsentsOf(t.Context(), []sinks.SubjectKey{jobs.NewSubjectKeys(sinks.LedgerKey{1}).Of("user_id", []byte("ann"))})
	if err != nil || len(history) != 3 {
		t.Errorf("the ledger has %v: %v", history, err)
	}
}

func TestErasedPersonStaysErased(t *testing.T) {
	t.Parallel()
	for name, remember := range memories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, []byte(consentPolicy))
			s.erased("user_id", "ann", june.Add(5*time.Hour))
			for n := range 10 {
				s.erased("user_id", fmt.Sprint("other-", n), june)
			}
			s.erased("anonymous_id", "a-9", june.Add(5*time.Hour))
			c := s.gated(remember, "calls", said(1, ann, "yes"), said(5, `"userId":"ann"`, "yes"), said(6, ann, "yes"), said(5, visitor, "yes"),
				said(1, `"anonymousId":"a-1"`, "yes"), said(1, bob, "yes"), said(5, `"userId":"other-3"`, "yes"))
			if c["refused_erased"] != 3 || c["stored"] != 4 {
				t.Errorf("counted %v", c)
			}
			if n := s.count("SELECT count() FROM {control}.consents WHERE decided_at = toDateTime64('2024-06-01 05:00:00', 3, 'UTC') AND subject != unhex('00')"); n != 1 {
				t.Errorf("%d decisions of that hour are in the ledger; only other-3's belongs there", n)
			}
		})
	}
}

// An erasure that is recorded while a file is being read holds for what follows.
func TestErasureDuringIngest(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(consentPolicy))
	var lines []string
	for n := range 250_000 { // eight groups, of which two may be on their way
		lines = append(lines, said(n%400, fmt.Sprintf(`"userId":"u-%d","x":%d`, n%7, n), "yes"))
	}
	path := s.write("calls", []byte(strings.Join(lines, "\n")+"\n"))
	first := true
	w := s.newWorker(func(statement string) {
		if statement == "insert_block" && first {
			first = false
			s.erased("user_id", "u-3", june.AddDate(1, 0, 0))
		}
	})
	job := w.ingestJob(path)
	job.Gate = s.gate(100)
	c := w.must(job, june.AddDate(0, 0, 20)).Outcomes[0].Counts
	if refused := c["refused_erased"]; refused == 0 || refused >= 250_000/7 || c["stored"]+refused != 250_000 {
		t.Errorf("counted %v", c)
	}
}

// What was stored before an interruption counts as stored, whatever was decided
// meanwhile; the account stays exact.
func TestDecisionsBetweenInterruptionAndRepetition(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(consentPolicy))
	var lines []string
	for n := range 70_000 {
		lines = append(lines, said(n%400, fmt.Sprintf(`"userId":"u-%d","x":%d`, n%7, n), map[bool]string{true: "yes", false: ""}[n%2 == 0]))
	}
	path := s.write("calls", []byte(strings.Join(lines, "\n")+"\n"))
	s.decided("user_id", "u-6", "analytics", false, june.AddDate(0, 0, 19))
	asOf := june.AddDate(0, 0, 20)
	s.interrupted(asOf, "insert_block", 1, path)
	before := s.count("SELECT count() FROM {personal}.events WHERE user_id = 'u-1'")
	if before == 0 {
		t.Fatal("nothing was stored before the interruption")
	}
	s.decided("user_id", "u-1", "analytics", false, asOf)
	s.decided("user_id", "u-6", "analytics", true, asOf)
	s.erased("user_id", "u-2", asOf)
	job := s.ingestJob(path)
	job.Gate = s.gate(100)
	c := s.must(job, asOf).Outcomes[0].Counts
	if n := s.count("SELECT count() FROM {personal}.events"); uint64(n) != c["stored"] || c["stored"]+c["refused"] != c["read"] || c["read"] != 70_000 {
		t.Errorf("counted %v, the table holds %d rows", c, n)
	}
	if n := s.count("SELECT count() FROM {personal}.events WHERE user_id = 'u-1'"); n != before {
		t.Errorf("%d rows of somebody who withdrew, %d before the interruption", n, before)
	}
	if n := s.count("SELECT count() FROM {personal}.events WHERE user_id = 'u-6'"); n != 10_000 {
		t.Errorf("%d rows of somebody who consented meanwhile, want all 10,000", n)
	}
	if got := s.count("SELECT sum(refused) FROM {control}.sources FINAL"); uint64(got) != c["refused"] {
		t.Errorf("the source's account has %d refused, the outcome %d", got, c["refused"])
	}
	s.audited()
}
