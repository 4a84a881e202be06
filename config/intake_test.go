package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// intake is put into the seed policy, in the place of its own: every rule about what is
// taken in.
const intake = `consent: {clause: C8, undecided: take, from: {targeting: traits.newsletter}}
input_files: {after: move, keep: P7D, clause: C12, rationale: to read again}
deduplication: P3D
minimum_age: {under: 18, clause: C9}
pseudonyms: {clause: C2, rotate: P1M}

datasets:
`

func TestFaultsOfIntakeRulesNamePlaceAndCure(t *testing.T) {
	t.Parallel()
	seed := string(Facesoft)
	seed = seed[:strings.Index(seed, "\nconsent:")] + seed[strings.Index(seed, "\n# What is collected"):]
	whole := strings.NewReplacer(
		"\ndatasets:\n", "\n"+intake,
		"    consent: marketing\n", "",
		"    legal_bases:\n      - basis: consent\n", "    consent: targeting\n    legal_bases:\n      - basis: consent\n",
		"allowed: [EEA]", "allowed: [EEA]\n  exclude: {clause: C10, countries: [RU]}",
		"from: remote_user,", "from: remote_user, derive: pseudonym,",
	).Replace(seed)
	if _, err := ParsePolicy("policy.yaml", []byte(whole)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, replacement, want string }{
		"a choice that is none":        {"undecided: take", "undecided: perhaps", `consent.undecided: "perhaps" is not a choice; use take, refuse`},
		"consent without a rule":       {"consent: {clause: C8, undecided: take, from: {targeting: traits.newsletter}}\n", "", "purposes rest on consent: say under consent what holds where nobody has decided"},
		"a category that is none":      {"consent: targeting", "consent: a.b", `"a.b" is not a category of consent; write a name of context.consent.categoryPreferences`},
		"a field of no category":       {"from: {targeting:", "from: {selling:", `consent.from.selling: no purpose rests on the category "selling"`},
		"a field that is none":         {"traits.newsletter}", "traits..newsletter}", `"traits..newsletter" is not a field`},
		"a horizon of hours":           {"deduplication: P3D", "deduplication: PT3H", "deduplication: copies are looked for on whole days, up to 366"},
		"a horizon of years":           {"deduplication: P3D", "deduplication: P3Y", "deduplication: copies are looked for on whole days"},
		"a disposal that is none":      {"after: move", "after: burn", `input_files.after: "burn" is not a disposal; use keep, move, delete`},
		"a file moved for ever":        {"after: move, keep: P7D", "after: move", "input_files.keep: moved files are personal data still"},
		"a deleted file that is kept":  {"after: move", "after: delete", "input_files.keep: only moved files are kept for a time"},
		"a disposal without a reason":  {"rationale: to read again", "rationale: ' '", "input_files.rationale: say why this long"},
		"an age that is none":          {"under: 18", "under: 0", "minimum_age.under: 0 is not an age"},
		"a field of an age that is no": {"under: 18", "age: [a..b], under: 18", `minimum_age.age[a..b]: "a..b" is not a field; write a dotted path`},
		"a country that is none":       {"countries: [RU]", "countries: [Russia]", `"Russia" is not a country; write an ISO 3166-1 code`},
		"no country":                   {"countries: [RU]", "countries: []", "name the countries whose people's records are refused"},
		"a rotation that is none":      {"rotate: P1M", "rotate: P2W", `pseudonyms.rotate: "P2W" is not a period of keys; use P1D, P1M or P1Y`},
		"pseudonyms without a rule":    {"pseudonyms: {clause: C2, rotate: P1M}\n", "", "columns derive pseudonyms: say under pseudonyms how long a key is used"},
		"a window that takes nothing":  {"keep: P13M", "late: never\n        keep: P13M", "say take or refuse, and only for the trigger event_time"},
		"a late account":               {"keep: P12M", "late: take\n        keep: P12M", "say take or refuse, and only for the trigger event_time"},
		"a pseudonym that is a number": {"from: properties.clicks,", "from: properties.clicks, derive: pseudonym,", "pseudonym is text; set the column's type to String"},
		"a pseudonym without a window": {"from: traits.phone,", "from: traits.phone, derive: pseudonym,", "its pseudonyms' keys are destroyed when the records' windows have passed; add a window from event_time"},
		"a time that is dropped":       {"{name: occurred_at, type: DateTime64(3), from: time,", "{name: occurred_at, type: DateTime64(3), derive: dropped,", "the time of the event cannot be dropped"},
		"a pseudonym looked for":       {"{name: user_id, type: String, from: userId, field: account.username, identifies: directly}\n      - {name: anonymous_id, type: String, from: [anonymousId, previousId], field: technical.device_id, identifies: directly}\n      - {name: full_name", "{name: user_id, type: String, from: userId, derive: pseudonym, field: account.username, identifies: directly}\n      - {name: anonymous_id, type: String, from: [anonymousId, previousId], field: technical.device_id, identifies: directly}\n      - {name: full_name", "a pseudonym is another one there and in every period"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(whole, c.old) {
				t.Fatalf("the policy does not hold %q", c.old)
			}
			_, err := ParsePolicy("policy.yaml", []byte(strings.Replace(whole, c.old, c.replacement, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got:  %v\nwant: %s", err, c.want)
			}
			var fault *Fault
			if !errors.As(err, &fault) || fault.Line == 0 || fault.Column == 0 {
				t.Errorf("no line and column: %v", err)
			}
		})
	}
}

func TestPurposeThatRestsOnNothingElseNeedsConsent(t *testing.T) {
	t.Parallel()
	p := &Policy{Purposes: []Purpose{{ID: "safety"}, {ID: "counting", Consent: "analytics"}, {ID: "selling", Consent: "targeting"}, {ID: "greeting", Consent: "analytics"}}}
	if got := p.ConsentCategories(); !slices.Equal(got, []string{"analytics", "targeting"}) {
		t.Errorf("%v", got)
	}
	for purposes, want := range map[string]string{
		"safety": "", "counting": "analytics", "selling counting": "analytics targeting", "counting safety": "", "greeting counting": "analytics analytics", "": "",
	} {
		if got := strings.Join(p.ConsentFor(strings.Fields(purposes)), " "); got != want {
			t.Errorf("%s: %q, want %q", purposes, got, want)
		}
	}
}

func TestLateRecordsAreTakenWhereTheyCanBePublished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w    Window
		want bool
	}{{Window{Action: Anonymise}, true}, {Window{Action: Erase}, false}, {Window{Action: Anonymise, Late: Refuse}, false}, {Window{Action: Erase, Late: Take}, true}} {
		if got := c.w.TakesLate(); got != c.want {
			t.Errorf("%+v: %v", c.w, got)
		}
	}
}
