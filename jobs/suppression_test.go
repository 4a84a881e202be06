package jobs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// A day of which too much would be suppressed stays as it is, and the run says why;
// the other days go on.
func TestDayOverTheSuppressionLimitIsNotPublished(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(string(config.Facesoft), "    publish:\n      k: 10\n", "    publish:\n      k: 10\n      suppression_limit: 5%\n", 1)
	s := newSite(t, []byte(policy))
	var b strings.Builder
	for day, people := range []int{12, 4} { // k is 10
		for n := range people {
			fmt.Fprintf(&b, `{"type":"page","messageId":"%d-%d","userId":"user%d","timestamp":"2024-01-0%dT10:00:00Z"}`+"\n", day, n, n, day+1)
		}
	}
	s.ingest(end(1), s.write("calls", []byte(b.String())))
	report, err := s.run(t.Context(), s.anonymiseJob(), end(40))
	if !errors.Is(err, sinks.ErrSuppression) || !strings.Contains(err.Error(), "4 of 4 rows fit no class, more than the suppression_limit of 0.05") || report.Result != sinks.ResultPartial {
		t.Errorf("%s: %v", report.Result, err)
	}
	if got := fmt.Sprint(s.query("SELECT toString(day), count() FROM {published}.events GROUP BY 1")); got != "[[2024-01-01 12]]" {
		t.Errorf("published are %s", got)
	}
	if n := s.count("SELECT count() FROM {personal}.events"); n != 4 {
		t.Errorf("%d personal rows are left, want the 4 that were not published", n)
	}
	for _, o := range report.Outcomes {
		if o.Counts[sinks.CountLoss] == 0 && o.Counts[sinks.CountSuppressed] > 0 {
			t.Errorf("%s: no loss is told: %v", o.Step.Partition, o.Counts)
		}
	}
}
