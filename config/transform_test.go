package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Every form of a level is read, written as it is read, and accepted by the schema.
func TestLevelsAreWrittenAsTheyAreRead(t *testing.T) {
	schema := compileSchema(t)
	for _, level := range []string{
		"keep", "any", "url_without_query", "{constant: withheld}", "{bands: [0, 10, 100]}", "{coded: [18, 90]}",
		"{ip_prefix: [24, 48]}", "{rare: 20}", "{grid: 0.5}", "{columns: [country, region]}",
	} {
		var read, again Transform
		if err := yaml.Unmarshal([]byte(level), &read); err != nil {
			t.Fatalf("%s: %v", level, err)
		}
		written, err := yaml.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(written, &again); err != nil || read.String() != again.String() {
			t.Errorf("%s is written as %s (%v)", level, written, err)
		}
		for _, form := range []string{level, string(written)} {
			var policy map[string]any
			var value any
			if err := errors.Join(yaml.Unmarshal(Facesoft, &policy), yaml.Unmarshal([]byte(form), &value)); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			publish := policy["datasets"].([]any)[2].(map[string]any)["publish"].(map[string]any)
			publish["columns"].([]any)[1].(map[string]any)["levels"] = []any{value}
			if err := schema.Validate(asJSON(t, policy)); err != nil {
				t.Errorf("the schema refuses %s: %v", form, err)
			}
		}
	}
}

// What a level takes from another column is published when the records go, too.
func TestLevelsOfColumnsThatExpireAreRefused(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer(
		"identifies: indirectly}\n      - {name: duration_ms", "identifies: indirectly, expires: {keep: P1M, clause: C12, rationale: r}}\n      - {name: duration_ms",
		"name: country, from: country, levels: [keep", "name: country, from: country, levels: [{columns: [country, city]}",
	).Replace(string(Facesoft))
	if _, err := ParsePolicy("policy.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), `"city" is published when the records go`) {
		t.Error(err)
	}
}
