package config

import (
	"strings"
	"testing"
)

// Each is a view that could not be made, or would not say what it should.
func TestViewsAreChecked(t *testing.T) {
	t.Parallel()
	const good = "{name: daily_traffic, by: [day, call], description: records a day and kind}"
	for view, want := range map[string]string{
		"{name: events, by: [day], description: d}":                                    "events",
		"{name: x, by: [day]}":                                                         "say which question",
		"{name: x, description: d}":                                                    "give either 'by'",
		"{name: x, by: [day], returning: country, description: d}":                     "give either 'by'",
		"{name: x, by: [user_id], description: d}":                                     `"user_id" is no published column`,
		"{name: x, by: [response_ms], description: d}":                                 `"response_ms" is no published column`,
		"{name: x, by: [day, day], description: d}":                                    "twice",
		"{name: x, by: [day], measures: [country], description: d}":                    `"country" is no published measure`,
		"{name: x, by: [day], measures: [clicks], quantiles: [0.999], description: d}": "hundredths",
		"{name: x, returning: clicks, description: d}":                                 `"clicks" is no published column`,
	} {
		if !strings.Contains(string(Facesoft), good) {
			t.Fatal("the policy has no such view any more")
		}
		_, err := ParsePolicy("policy.yaml", []byte(strings.Replace(string(Facesoft), good, view, 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", view, err, want)
		}
	}
}
