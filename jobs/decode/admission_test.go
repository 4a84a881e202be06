package decode

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// gatedPolicy has datasets whose columns and whole rest on consent, an age, excluded
// countries, and a window that refuses what comes late.
const gatedPolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA], exclude: {clause: C10, countries: [RU, CN]}}
categories:
  - {id: c, clause: C1, description: d, fields: {f: f}}
purposes:
  - {id: safety, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}
  - {id: counting, clause: C7, description: d, data: [d], legal_bases: [{basis: consent}], consent: analytics}
  - {id: selling, clause: C7, description: d, data: [d], legal_bases: [{basis: consent}], consent: targeting}
consent: {clause: C8, undecided: UNDECIDED}
minimum_age: {under: 18, clause: C9}
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: counted
    description: d
    clause: C1
    purposes: [counting, selling]
    input: {format: segment, types: [page]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: userId, field: c.f, identifies: directly, purposes: [counting]}
      - {name: ad, type: String, from: context.campaign.name, field: c.f, identifies: nobody, purposes: [selling]}
      - {name: size, type: UInt8, from: properties.size, field: c.f, identifies: nobody}
  - name: kept
    description: d
    clause: C1
    purposes: [safety, counting]
    input: {format: segment, types: [track, identify]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r, late: take}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: [userId, anonymousId], field: c.f, identifies: directly}
      - {name: ad, type: String, from: context.campaign.name, field: c.f, identifies: nobody, purposes: [selling]}
`

func gated(t *testing.T, undecided config.Choice, r Resources) *Decoder {
	t.Helper()
	p, err := config.ParsePolicy("policy.yaml", []byte(strings.Replace(gatedPolicy, "UNDECIDED", string(undecided), 1)))
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(p, config.Segment, r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatIsNotConsentedToIsNotStored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		undecided config.Choice
		call      string
		choices   string // of context.consent.categoryPreferences
		want      Reason
		who, ad   string
	}{
		{"refuse", "page", `{"analytics":true,"targeting":true}`, Stored, "u", "spring"},
		{"refuse", "page", `{"analytics":true,"targeting":false}`, Stored, "u", ""},
		{"refuse", "page", `{"analytics":true}`, Stored, "u", ""},
		{"take", "page", `{"analytics":true}`, Stored, "u", "spring"},
		{"refuse", "page", `{"analytics":false,"targeting":true}`, Stored, "", "spring"},
		{"refuse", "page", `{"analytics":false,"targeting":false}`, NoConsent, "", ""},
		{"take", "page", `{"analytics":false,"targeting":false}`, NoConsent, "", ""},
		{"take", "page", `{"analytics":"yes","targeting":1}`, NoConsent, "", ""}, // no clear consent is none
		{"refuse", "page", `{}`, NoConsent, "", ""},
		{"refuse", "page", `null`, NoConsent, "", ""},
		{"take", "page", `{}`, Stored, "u", "spring"},
		{"take", "page", `{"analytics":null,"targeting":false}`, Stored, "u", ""},
		{"refuse", "track", `{"analytics":false,"targeting":false}`, Stored, "u", ""}, // another purpose is left
		{"refuse", "track", `{"targeting":true}`, Stored, "u", "spring"},
	} {
		d := gated(t, c.undecided, Resources{})
		line := fmt.Sprintf(`{"type":%q,"userId":"u","timestamp":"2024-05-01T00:00:00Z","properties":{"size":1},"context":{"campaign":{"name":"spring"},"consent":{"categoryPreferences":%s}}}`, c.call, c.choices)
		fate := d.Decode([]byte(line), Origin{Now: now})
		if fate.Reason != c.want || !fate.Dated || fate.Day.String() != "2024-05-01" {
			t.Errorf("%s, %s where nobody has decided: %+v, want %q", line, c.undecided, fate, c.want)
			continue
		}
		if c.want == Stored {
			if got := values(d.Blocks()[fate.Block]); got["who"] != c.who || got["ad"] != c.ad {
				t.Errorf("%s: stored %v", line, got)
			}
		}
	}
}

func TestRecordsAboutThoseTooYoungAreRefused(t *testing.T) {
	t.Parallel()
	d := gated(t, config.Take, Resources{})
	for traits, young := range map[string]bool{
		`{}`: false, `{"age":17}`: true, `{"age":18}`: false, `{"age":17.9}`: true, `{"age":0}`: true, `{"age":"17"}`: true, `{"age":" 17 "}`: true, `{"age":"18"}`: false,
		`{"age":-1}`: false, `{"age":"unknown"}`: false, `{"age":1e300}`: false, `{"age":null}`: false, `{"age":[17]}`: false, `{"age":true}`: false, `{"age":""}`: false,
		`{"birthday":"2006-05-01"}`: false, `{"birthday":"2006-05-02"}`: true, `{"birthday":"2006-05-02T00:00:00Z"}`: true, `{"birthday":"2006-05-01T23:59:59+02:00"}`: false,
		`{"birthday":"2030-01-01"}`: true, `{"birthday":"soon"}`: false, `{"birthday":"2006-13-45"}`: false, `{"birthday":""}`: false,
		`{"birthday":1146528000000}`: true, `{"birthday":1146441600000}`: false, `{"birthday":-1}`: false, `{"birthday":true}`: false,
		`{"age":40,"birthday":"2010-01-01"}`: true,
	} {
		for _, line := range []string{
			fmt.Sprintf(`{"type":"identify","timestamp":"2024-05-01T12:00:00Z","traits":%s}`, traits),
			fmt.Sprintf(`{"type":"page","timestamp":"2024-05-01T12:00:00Z","context":{"traits":%s}}`, traits),
			// Nothing of it may reach the quarantine either.
			fmt.Sprintf(`{"type":"page","timestamp":"2024-05-01T12:00:00Z","properties":{"size":"large"},"context":{"traits":%s}}`, traits),
		} {
			fate := d.Decode([]byte(line), Origin{Now: now})
			if (fate.Reason == UnderAge) != young || !fate.Dated {
				t.Errorf("%s: %+v, want too young: %v", line, fate, young)
			}
		}
		line := fmt.Sprintf(`{"type":"identify","timestamp":"never","traits":%s}`, traits)
		if fate := d.Decode([]byte(line), Origin{Now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}); (fate.Reason == UnderAge) != young || fate.Dated {
			t.Errorf("%s: %+v, want too young: %v", line, fate, young)
		}
	}
}

func TestWhoIsBornOnALeapDayComesOfAgeOnTheFirstOfMarch(t *testing.T) {
	t.Parallel()
	d := gated(t, config.Take, Resources{})
	for at, young := range map[string]bool{"2022-02-28T23:59:59Z": true, "2022-03-01T00:00:00Z": false} {
		line := fmt.Sprintf(`{"type":"identify","timestamp":%q,"traits":{"birthday":"2004-02-29"}}`, at)
		if fate := d.Decode([]byte(line), Origin{Now: now}); (fate.Reason == UnderAge) != young {
			t.Errorf("%s: %+v, want too young: %v", line, fate, young)
		}
	}
}

func TestRecordsOfExcludedCountriesAreRefused(t *testing.T) {
	t.Parallel()
	d := gated(t, config.Take, Resources{})
	for country, want := range map[string]Reason{`"RU"`: ExcludedRegion, `"cn"`: ExcludedRegion, `" RU "`: ExcludedRegion, `"FR"`: Stored, `""`: Stored, `null`: Stored, `7`: Stored, `"RUS"`: Stored} {
		line := fmt.Sprintf(`{"type":"page","timestamp":"2024-05-01T00:00:00Z","context":{"location":{"country":%s}}}`, country)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != want {
			t.Errorf("%s: %+v, want %q", line, fate, want)
		}
	}
}

func TestLateRecordsAreRefusedWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	first := sinks.DayOf(time.Date(2024, 4, 20, 0, 0, 0, 0, time.UTC))
	d := gated(t, config.Take, Resources{FirstDays: map[string]FirstDays{"counted": {All: first}, "kept": {All: first}}})
	for _, c := range []struct {
		call, at string
		want     Reason
	}{
		{"page", "2024-04-19T23:59:59.999Z", PastWindow}, {"page", "2024-04-20T00:00:00Z", Stored},
		{"track", "2024-04-19T23:59:59.999Z", Stored}, {"track", "1990-01-01T00:00:00Z", Stored},
	} {
		line := fmt.Sprintf(`{"type":%q,"timestamp":%q}`, c.call, c.at)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != c.want || !fate.Dated || fate.Day.String() != c.at[:10] {
			t.Errorf("%s: %+v, want %q", line, fate, c.want)
		}
	}
}

// TestLateRecordsGoByTheWindowOfTheirOrganisation has the user stand for the organisation:
// one has a longer window than the dataset, one a shorter.
func TestLateRecordsGoByTheWindowOfTheirOrganisation(t *testing.T) {
	t.Parallel()
	p, err := config.ParsePolicy("policy.yaml", []byte(strings.Replace(gatedPolicy, "UNDECIDED", "take", 1)))
	if err != nil {
		t.Fatal(err)
	}
	counted, _ := p.Dataset("counted")
	counted.Organisation = "who"
	day := func(n int) sinks.Day { return sinks.DayOf(time.Date(2024, 4, n, 0, 0, 0, 0, time.UTC)) }
	d, err := New(p, config.Segment, Resources{FirstDays: map[string]FirstDays{
		"counted": {All: day(20), Of: map[string]sinks.Day{"longer": day(10), "shorter": day(25)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who, consent string
		day          int
		want         Reason
	}{
		{`"other"`, "true", 19, PastWindow}, {`"other"`, "true", 20, Stored},
		{`"longer"`, "true", 9, PastWindow}, {`"longer"`, "true", 10, Stored},
		{`"shorter"`, "true", 24, PastWindow}, {`"shorter"`, "true", 25, Stored},
		{`null`, "true", 19, PastWindow}, {`null`, "true", 20, Stored},
		// Without the consent that it needs the organisation is not stored: the row goes by the dataset's window.
		{`"longer"`, "false", 19, PastWindow}, {`"shorter"`, "false", 20, Stored},
	} {
		line := fmt.Sprintf(`{"type":"page","userId":%s,"timestamp":"2024-04-%02dT12:00:00Z","context":{"consent":{"categoryPreferences":{"analytics":%s,"targeting":true}}}}`, c.who, c.day, c.consent)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != c.want {
			t.Errorf("%s: %+v, want %q", line, fate, c.want)
		}
	}
}

// gate is one that knows a few people.
type gate struct {
	erased map[string]bool
	denies map[string]bool // have withdrawn every consent
	grants map[string]bool
	seen   []string
}

func (g *gate) Admit(c *sinks.Candidate) bool {
	g.seen = append(g.seen, fmt.Sprintf("%s %q %s", c.Dataset, c.Identifiers, c.At.Format(time.RFC3339)))
	for _, id := range c.Identifiers {
		for i := range c.Decisions {
			if g.denies[string(id)] {
				c.Decisions[i] = sinks.Denied
			}
			if g.grants[string(id)] {
				c.Decisions[i] = sinks.Granted
			}
		}
		if g.erased[string(id)] {
			return false
		}
	}
	return true
}

func (g *gate) Learn(context.Context) error  { return nil }
func (g *gate) Settle(context.Context) error { return nil }

func TestGateHasTheLastWord(t *testing.T) {
	t.Parallel()
	g := &gate{erased: map[string]bool{"erased": true}, denies: map[string]bool{"withdrew": true}, grants: map[string]bool{"agreed": true}}
	d := gated(t, config.Refuse, Resources{Gate: g})
	for user, want := range map[string]Reason{"erased": Erased, "withdrew": NoConsent, "agreed": Stored, "nobody": NoConsent} {
		line := fmt.Sprintf(`{"type":"page","userId":%q,"timestamp":"2024-05-01T00:00:00Z"}`, user)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != want {
			t.Errorf("%s: %+v, want %q", line, fate, want)
		}
		g.seen = nil
		line = fmt.Sprintf(`{"type":"page","userId":%q,"timestamp":"2024-05-01T00:00:00Z","context":{"consent":{"categoryPreferences":{"analytics":true}}}}`, user)
		if want == NoConsent && user == "nobody" {
			want = Stored
		}
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != want {
			t.Errorf("%s: %+v, want %q", line, fate, want)
		}
		if want := fmt.Sprintf("counted [%q] 2024-05-01T00:00:00Z", user); len(g.seen) != 1 || g.seen[0] != want {
			t.Errorf("the gate saw %q, want %q", g.seen, want)
		}
	}
}
