package jobs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
)

// A copy is one as far as the policy's horizon goes, and a record of its own beyond.
func TestDeduplicationHorizon(t *testing.T) {
	t.Parallel()
	for rule, days := range map[string]int{"": 7, "deduplication: P1D\n": 1, "deduplication: P2W\n": 14} {
		t.Run(fmt.Sprint(days, " days"), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, []byte(strings.Replace(consentPolicy, "quarantine:", rule+"quarantine:", 1)))
			call := func(day int) string {
				return fmt.Sprintf(`{"type":"page","messageId":"same","userId":"ann","timestamp":"2024-05-%02dT12:00:00Z","context":{"consent":{"categoryPreferences":{"analytics":true}}}}`, day)
			}
			first := s.gated(100, "first", call(1))
			near := s.gated(100, "near", call(1+days), call(1))
			far := s.gated(100, "far", call(2+days))
			if first[sinks.CountStored] != 1 || near[sinks.CountDuplicate] != 2 || far[sinks.CountStored] != 1 {
				t.Errorf("first %v, within the horizon %v, beyond it %v", first, near, far)
			}
		})
	}
}
