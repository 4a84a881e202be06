package config

import (
	"strings"
	"testing"
)

// Each is a column whose values cannot go before their rows do.
func TestExpiringColumnsAreChecked(t *testing.T) {
	t.Parallel()
	for column, c := range map[string]struct{ keep, want string }{
		"ip":          {"P14M", "the records go after P13M in any case"},
		"user_id":     {"P1M", "tells whose and of when a record is"},
		"occurred_at": {"P1M", "tells whose and of when a record is"},
		"url":         {"P1M", "would be empty by then"},
		"device_id":   {"P0D", "a window of no length"},
		"browser":     {"P1M", "would be empty by then"},
	} {
		was := "{name: " + column + ", type"
		policy := strings.Replace(string(Facesoft), "  - name: events\n", "  - name: events\n    # here\n", 1)
		before, after, _ := strings.Cut(policy, "# here")
		policy = before + strings.Replace(after, was, "{name: "+column+", expires: {keep: "+c.keep+", clause: C12, rationale: r}, type", 1)
		_, err := ParsePolicy("policy.yaml", []byte(policy))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", column, err, c.want)
		}
	}
}
