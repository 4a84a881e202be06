package config

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestDiffSaysInWordsWhatChangesForWhom(t *testing.T) {
	t.Parallel()
	before, err := ParsePolicy("before.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if same := Diff(before, before); len(same) > 0 {
		t.Errorf("a policy differs from itself: %v", same)
	}
	for _, c := range []struct{ old, new, want string }{
		{"keep: P13M", "keep: P12M", "events kept shorter: from event time: P12M, and not P13M"},
		{"keep: P13M", "keep: P26M", "events kept longer: from event time: P26M, and not P13M"},
		{"keep: P14D", "keep: P7D", "quarantine kept shorter: unreadable records: P7D, and not P14D"},
		{"keep: P5Y", "keep: P6Y", "training kept longer: from uploaded: P6Y, and not P5Y"},
		{"      k: 10\n", "      k: 5\n", "events more is done with it: published classes hold at least 5 people, and not 10"},
		{"country, levels: [keep, any]}", "country, levels: [{rare: 20}, any]}", "events changed: the column country is published otherwise: country as rare 20, any, and not country as keep, any"},
		{"        - {name: clicks, from: clicks, measure: true}\n", "", "events less is done with it: the column clicks is published no more"},
		{"        - {name: clicks, from: clicks, measure: true}\n", "        - {name: clicks, from: clicks, measure: true}\n        - {name: city, from: city, sensitive: {distinct_l: 3}}\n",
			"events more is done with it: the column city is published: city as it is, where classes have values enough; distinct_l 3"},
		{"      k: 10\n", "      k: 10\n      suppression_limit: 5%\n", "events changed: of each day's rows 5% may be suppressed, and not all"},
		{"        - {call: 1}\n", "", "events changed: rows are generalised in other steps (chain)"},
		{"allowed: [EEA]", "allowed: [EEA, UK]", "regions more is done with it: data may lie in UK"},
		{"working_days: 10", "within: P1M", "requests changed: are answered within P1M, and not 10 working days"},
		{"  - {id: buyers, clause: C11, description: \"the prospective buyer of, or investor in, our business or assets\"}\n", "",
			"recipients less is done with it: data may be disclosed to buyers no more"},
		{"    purposes: [security, internal_operations]\n", "    purposes: [security]\n", "requests less is done with it: is used for internal_operations no more"},
	} {
		raw := bytes.Replace(Facesoft, []byte(c.old), []byte(c.new), 1)
		after, err := ParsePolicy("after.yaml", raw)
		if err != nil {
			t.Fatalf("%s: %v", c.new, err)
		}
		var words []string
		for _, change := range Diff(before, after) {
			words = append(words, fmt.Sprintf("%s %s: %s", change.Concerns, change.Effect, change.Words))
		}
		if !strings.Contains(strings.Join(words, "\n"), c.want) {
			t.Errorf("%q for %q: %q", c.new, c.old, words)
		}
	}
}
