package traffic_test

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

// records calls do for every readable line of the small run, copies included.
func records(t *testing.T, do func(file string, line []byte, e *event)) {
	t.Helper()
	_, truth := generated()
	for _, f := range truth.Telemetry {
		for _, p := range parse(t)[f.Name] {
			if p.event != nil {
				do(f.Name, p.line, p.event)
			}
		}
	}
}

var sendingTimes = regexp.MustCompile(`"(sentAt|receivedAt)":"[^"]*"`)

func TestDuplicatesDifferInTheirSendingTimesOnly(t *testing.T) {
	t.Parallel()
	type copied struct {
		file     string
		line     []byte
		received time.Time
	}
	first := map[string]copied{}
	all, later := 0, 0
	records(t, func(file string, line []byte, e *event) {
		one, twice := first[e.MessageID]
		if !twice {
			first[e.MessageID] = copied{file, line, *e.ReceivedAt}
			return
		}
		all++
		if one.file != file {
			later++
		}
		if !bytes.Equal(sendingTimes.ReplaceAll(line, nil), sendingTimes.ReplaceAll(one.line, nil)) {
			t.Errorf("copies differ:\n%s\n%s", one.line, line)
		}
		if apart := e.ReceivedAt.Sub(one.received); apart <= 0 || apart > 5*24*time.Hour {
			t.Errorf("copies arrive %s apart", apart)
		}
	})
	// Nothing follows the last of the six months.
	if share := float64(later) / float64(all); share < 0.05 || share > 0.13 {
		t.Errorf("%d of %d duplicates stand in a later file", later, all)
	}
}

func TestCleanAndLateEventsFallOnOneDay(t *testing.T) {
	t.Parallel()
	c := small()
	start, end := c.Start, c.Start.AddDate(0, c.Months, 0)
	skews, behind := 0, 0
	records(t, func(_ string, _ []byte, e *event) {
		at := e.happened()
		if at.Before(start) || !at.Before(end) || at.After(*e.ReceivedAt) {
			t.Fatalf("%s happened at %s, received at %s", e.MessageID, at, e.ReceivedAt)
		}
		if wrong := e.ReceivedAt.Sub(*e.SentAt); wrong.Abs() > 2*time.Second {
			skews++
			if wrong > 0 {
				behind++
			}
			if e.Timestamp != nil && !e.Timestamp.Equal(*e.OriginalTimestamp) {
				t.Fatalf("%s has a third time", e.MessageID)
			}
			return
		}
		if e.Timestamp == nil || !e.Timestamp.Equal(*e.OriginalTimestamp) {
			t.Fatalf("%s: timestamp differs from originalTimestamp", e.MessageID)
		}
		if sinks.DayOf(*e.Timestamp) != sinks.DayOf(at) {
			t.Fatalf("%s: %s and %s", e.MessageID, e.Timestamp, at)
		}
	})
	if behind < skews/3 || behind > skews*2/3 {
		t.Errorf("%d of %d wrong clocks are slow", behind, skews)
	}
}

func TestSharesOfDirtAreKept(t *testing.T) {
	t.Parallel()
	_, truth := generated()
	d, total := small().Dirt, traffic.Total(truth.Telemetry).Total
	events := float64(total.Records + total.Broken)
	if int(events) != small().Events {
		t.Errorf("%d events, want %d", int(events), small().Events)
	}
	for what, n := range map[string]struct {
		got  int
		want float64
	}{
		"duplicates": {total.Duplicates, d.Duplicates}, "broken": {total.Broken, d.Broken},
		"skewed": {total.Skewed, d.Skewed}, "late": {total.Late, d.Late}, "bots": {total.Bots, d.Bots},
		"no consent": {total.NoConsent, d.NoConsent}, "under age": {total.UnderAge, d.UnderAge},
	} {
		if got := float64(n.got) / events; math.Abs(got-n.want) > 0.15*n.want+0.0005 {
			t.Errorf("%s: %.4f, want %.4f", what, got, n.want)
		}
	}
}

func TestAShareOfZeroSwitchesDirtOff(t *testing.T) {
	t.Parallel()
	c := small()
	c.Dirt = traffic.Dirt{}
	out, truth := generate(t, c)
	for _, total := range []traffic.Counts{traffic.Total(truth.Telemetry).Total, traffic.Total(truth.Access).Total} {
		if want := (traffic.Counts{Lines: total.Records, Bytes: total.Bytes, Records: total.Records}); total != want {
			t.Errorf("%+v", total)
		}
	}
	for _, f := range truth.Telemetry {
		for _, line := range out.lines(t, f.Name) {
			if !json.Valid(line) {
				t.Fatalf("%s", line)
			}
		}
	}
}

func TestNothingHappensAfterAnAccountIsDeleted(t *testing.T) {
	t.Parallel()
	last, closed := map[string]time.Time{}, map[string]time.Time{}
	records(t, func(_ string, _ []byte, e *event) {
		if e.UserID == "" {
			return
		}
		if at := e.happened(); at.After(last[e.UserID]) {
			last[e.UserID] = at
		}
		if e.Event == "Account Deleted" {
			closed[e.UserID] = e.happened()
		}
	})
	if len(closed) == 0 {
		t.Fatal("nobody deleted an account")
	}
	_, truth := generated()
	if len(truth.Accounts) != len(last) {
		t.Errorf("%d accounts, truth %d", len(last), len(truth.Accounts))
	}
	for _, a := range truth.Accounts {
		if !a.LastActivity.Equal(last[a.UserID]) || !a.Closed.Equal(closed[a.UserID]) {
			t.Errorf("counted %s and %s, truth %+v", last[a.UserID], closed[a.UserID], a)
		}
		if !a.Closed.IsZero() && a.LastActivity.After(a.Closed) {
			t.Errorf("%s was active at %s after closing at %s", a.UserID, a.LastActivity, a.Closed)
		}
	}
}

func TestVisitorsWithoutALastingIdentityComeOnce(t *testing.T) {
	t.Parallel()
	seen, messages := map[string]bool{}, map[string]bool{}
	records(t, func(_ string, _ []byte, e *event) {
		passing := crawler.MatchString(e.Context.UserAgent) || !e.Context.Consent.CategoryPreferences["analytics"] ||
			e.Context.Traits.Age > 0 || e.Context.Traits.Birthday != ""
		if !passing || messages[e.MessageID] {
			return
		}
		messages[e.MessageID] = true
		if e.UserID != "" || e.Context.Device.ID != "" || seen[e.AnonymousID] {
			t.Errorf("%s has a lasting identity", e.MessageID)
		}
		seen[e.AnonymousID] = true
		if e.Context.Traits.Age >= 18 {
			t.Errorf("%s is %d years old", e.MessageID, e.Context.Traits.Age)
		}
		if birthday := e.Context.Traits.Birthday; birthday != "" {
			born, err := time.Parse(time.DateOnly, birthday)
			if err != nil || born.AddDate(18, 0, 0).Before(*e.ReceivedAt) {
				t.Errorf("%s was born on %s: %v", e.MessageID, birthday, err)
			}
		}
	})
}
