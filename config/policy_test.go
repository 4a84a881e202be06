package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
)

func TestFacesoftPolicyIsInOrder(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Purposes) != 12 {
		t.Errorf("%d purposes, want the twelve of the policy", len(p.Purposes))
	}
	clauses := map[string]bool{}
	for _, c := range p.Categories {
		clauses[c.Clause] = true
	}
	for _, want := range []string{"C1", "C2", "C3", "C4", "C5", "C6"} {
		if !clauses[want] {
			t.Errorf("no category describes %s", want)
		}
	}
	for _, trigger := range []Trigger{EventTime, AccountClosed, LastActivity, PurposeCompleted, ConsentWithdrawn} {
		if !usesTrigger(p, trigger) {
			t.Errorf("no window runs from %s", trigger)
		}
	}
}

func usesTrigger(p *Policy, t Trigger) bool {
	if _, ok := p.Training.Window(t); ok {
		return true
	}
	for i := range p.Datasets {
		if _, ok := p.Datasets[i].Window(t); ok {
			return true
		}
	}
	return false
}

// edit parses the seed policy with one text in it replaced.
func edit(t *testing.T, old, replacement string) (*Policy, error) {
	t.Helper()
	text := string(Facesoft)
	if !strings.Contains(text, old) {
		t.Fatalf("the policy does not hold %q", old)
	}
	return ParsePolicy("policy.yaml", []byte(strings.Replace(text, old, replacement, 1)))
}

func TestFaultsNamePlaceFieldAndCure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, replacement, want string }{
		"an unknown key":                {"time_zone: Europe/London", "time_zome: Europe/London", `policy.yaml:13:1: unknown key "time_zome"`},
		"a key that is there twice":     {"time_zone: Europe/London", "time_zone: Europe/London\ntime_zone: UTC", "policy.yaml:14:1: mapping key"},
		"a time zone that is none":      {"Europe/London", "London", `policy.yaml:13:12: "London" is not a time zone; write an IANA name`},
		"a period that is none":         {"keep: P30D", "keep: 30 days", `"30 days" is not a period; write an ISO 8601 duration such as P13M`},
		"a date that is none":           {"effective_from: 2018-11-28", "effective_from: 28/11/2018", `policy.yaml:11:17: "28/11/2018" is not a date; write YYYY-MM-DD`},
		"another format":                {"lapse: 1", "lapse: 2", "policy.yaml:8:8: lapse: this program reads format 1"},
		"a name for the audit log":      {"name: facesoft", "name: Face Soft", `name: "Face Soft" cannot stand in an audit entry`},
		"no region":                     {"allowed: [EEA]", "allowed: []", "regions.allowed: name at least one region"},
		"a basis that is none":          {"basis: consent", "basis: habit", `"habit" is not a legal basis; use one of consent, contract`},
		"a purpose that is none":        {"purposes: [handle_enquiries]", "purposes: [curiosity]", `datasets[enquiries].purposes[curiosity]: there is no purpose "curiosity" in the register`},
		"no purpose, no storage":        {"purposes: [handle_enquiries]", "purposes: []", "the column serves no purpose"},
		"a field that is none":          {"field: technical.ip_address", "field: technical.iq", `the categories have no field "technical.iq"; describe it there`},
		"a type that is none":           {"type: String, from: userId", "type: Text, from: userId", `"Text" is not a column type; use one of Bool, Date`},
		"a window of no length":         {"keep: P13M", "keep: P0D", "datasets[events].retention[event_time].keep: a window of no length would remove everything"},
		"a window without a reason":     {"rationale: Two weeks", "rationale: ' '\n# Two weeks", "quarantine.rationale: say why this long"},
		"at once, and later":            {"keep: P13M", "keep: P13M\n        at_once: true", "at_once goes with keep: P0D alone"},
		"at once, of no length":         {"keep: P6M", "at_once: true", "write how long, such as P0D for at once"},
		"no window":                     {"keep: P14D", "keep: P0D", "quarantine.keep: a window of no length"},
		"a trigger that does not fit":   {"trigger: consent_absent", "trigger: event_time", `"event_time" does not apply here; use one of child_unconfirmed, consent_absent`},
		"a child without a window":      {"  children: {under: 18, own_consent_over: 16, clause: C9}\n", "", "say who is a child, and how long what shows one is kept"},
		"a child of no age":             {"{under: 18,", "{under: 0,", "training.children.under: give ages in years"},
		"strays that go at once":        {"    keep: P7D\n", "    keep: P0D\n", "training.strays.keep: a window of no length"},
		"strays without a limit":        {"    max_share: 0.01\n", "", "training.strays.max_share: give the share of a bucket's objects"},
		"strays of no bucket":           {"    buckets: [training]\n", "", "training.strays.buckets: name the buckets of the settings"},
		"k below two":                   {"k: 10", "k: 1", "datasets[events].publish.k: k must be at least 2"},
		"an identifier published":       {"from: occurred_at, levels: [hour, day]", "from: ip, levels: [keep, any]", `"ip" identifies directly and may not be published`},
		"an identifier as sorting key":  {"order_by: [call]\n    retention:\n      - trigger: event_time", "order_by: [call, ip]\n    retention:\n      - trigger: event_time", "a sorting key stays in the parts' metadata"},
		"a text as measure":             {"from: clicks, measure: true", "from: title, measure: true", "a measure is a number that identifies nobody"},
		"a transform that is none":      {"levels: [hour, day]", "levels: [hour, century]", `"century" is not a transform; use one of any`},
		"a transform that does not fit": {"levels: [hour, day]", "levels: [url_path]", `"url_path" does not apply to DateTime64(3)`},
		"a level that is none":          {"- {page: 2, device_type: 1}", "- {page: 7, device_type: 1}", `"page" has the levels 0 to 2`},
		"a chain that becomes finer":    {"- {page: 2, device_type: 1}", "- {page: 0, device_type: 1}", `"page" becomes finer again`},
		"a path that is none":           {"from: context.locale", "from: context..locale", `"context..locale" is not a field of a segment record; write a dotted path`},
		"a log field that is none":      {"from: remote_user", "from: user", `"user" is not a field of a weblog record; use one of remote_addr`},
		"a call that is none":           {"types: [identify, group, alias]", "types: [identify, grope, alias]", `"grope" is no Segment call; use track, page`},
		"a reserved column":             {"{name: ip,", "{name: lapse_ip,", `"lapse_ip" is not a name`},
		"a reserved dataset":            {"name: enquiries\n", "name: quarantine\n", `"quarantine" is the name of a table of the program's own`},
		"two of a name":                 {"- name: enquiries\n", "- name: accounts\n", `"accounts" is there twice`},
		"an inactivity nobody sees":     {"keep: P13M", "keep: P3M", "last_activity looks back P12M, but events keeps its records for P3M only"},
		"bounds that do not ascend":     {"bands: [200, 300, 400, 500]", "bands: [200, 300, 250]", "the bounds of bands must ascend"},
		"coding with one bound":         {"bands: [200, 300, 400, 500]", "coded: [200]", "coded takes two bounds that ascend"},
		"coding that descends":          {"bands: [200, 300, 400, 500]", "coded: [200, 100]", "coded takes two bounds that ascend"},
		"an empty constant":             {"{bands: [200, 300, 400, 500]}", `{constant: ""}`, `"constant" takes a text of at most 64 bytes`},
		"a constant without its text":   {"{bands: [200, 300, 400, 500]}", "constant", `"constant" takes a text of at most 64 bytes`},
		"a constant for a time":         {"levels: [hour, day]", "levels: [hour, {constant: some time}]", `"constant" does not apply to DateTime64(3)`},
		"no people":                     {"{bands: [200, 300, 400, 500]}", "{rare: 1}", `rare takes a number of people of at least 2`},
		"rare without a number":         {"{bands: [200, 300, 400, 500]}", "rare", `"rare" takes a number`},
		"rare for a time":               {"levels: [hour, day]", "levels: [hour, {rare: 20}]", `"rare" does not apply to DateTime64(3)`},
		"rare where all are alike":      {"levels: [keep, {bands: [200, 300, 400, 500]}]", "levels: [any, {rare: 20}]", `the level before makes all values alike`},
		"rare that is no coarser":       {"levels: [keep, {bands: [200, 300, 400, 500]}]", "levels: [{rare: 20}, {rare: 9}]", `a coarser level must ask for more`},
		"a grid without a step":         {"{bands: [200, 300, 400, 500]}", "{grid: 0.0}", `grid takes the width of a cell`},
		"a grid of a text":              {"name: country, from: country, levels: [keep", "name: country, from: country, levels: [{grid: 1}", `"grid" does not apply to`},
		"a whole address":               {"name: country, from: country, levels: [keep", "name: country, from: ip, levels: [{ip_prefix: [32, 48]}", `with all of them it would be the address`},
		"a level of an identifier":      {"name: country, from: country, levels: [keep", "name: country, from: city, levels: [{columns: [country, user_id]}", `"user_id" must be a column of type String`},
		"a level of no column":          {"name: country, from: country, levels: [keep", "name: country, from: city, levels: [{columns: [county]}", `"county" must be a column of type String`},
		"a week of a text":              {"{bands: [200, 300, 400, 500]}", "week", `"week" does not apply to`},
		"a bound that is no number":     {"bands: [200, 300, 400, 500]", "bands: [ok]", `"ok" is not a whole number`},
		"no YAML":                       {"lapse: 1", "lapse: [1", "policy.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := edit(t, c.old, c.replacement)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:  %v\nwant: %s", err, c.want)
			}
			var fault *Fault
			if !errors.As(err, &fault) || fault.Line == 0 || fault.Column == 0 {
				t.Errorf("no line and column: %v", err)
			}
		})
	}
}

func TestEmptyPolicyIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "{}", "lapse: 1\n"} {
		if _, err := ParsePolicy("policy.yaml", []byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
	_, err := edit(t, "datasets:\n", "datasets: []\nunused:\n")
	if err == nil {
		t.Error("a policy without datasets was accepted")
	}
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("k: 10", "k: 1", "allowed: [EEA]", "allowed: []").Replace(string(Facesoft))
	_, err := ParsePolicy("policy.yaml", []byte(text))
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 3 { // k stands there twice
		t.Errorf("%v", err)
	}
}

func TestChainCarriesLevelsForward(t *testing.T) {
	t.Parallel()
	u := Publication{
		Columns: []PublishedColumn{{Name: "a", Levels: make([]Transform, 3)}, {Name: "m", Measure: true}, {Name: "b", Levels: make([]Transform, 2)}},
		Chain:   []map[string]int{{}, {"a": 1}, {"b": 1}, {"a": 2}},
	}
	want := [][]int{{0, 0}, {1, 0}, {1, 1}, {2, 1}}
	for i, v := range u.Vectors() {
		if v[0] != want[i][0] || v[1] != want[i][1] {
			t.Errorf("vector %d is %v, want %v", i, v, want[i])
		}
	}
}
