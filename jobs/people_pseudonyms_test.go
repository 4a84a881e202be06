package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// A person whose identifier is held as a pseudonym, another one each month, is found by
// the identifier itself, erased, and refused afterwards.
func TestPeopleAreErasedWherePseudonymsStandForThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(strings.NewReplacer(
		"from: userId,", "from: userId, derive: pseudonym,",
		"quarantine:", "pseudonyms: {clause: C2, rotate: P1M}\nquarantine:",
	).Replace(replayPolicy)))
	asOf := time.Date(2024, 6, 15, 0, 0, 0, 0, time.UTC)
	var lines []string
	for n, month := range []int{4, 4, 5, 6} {
		for _, user := range []string{"ann", "bob"} {
			at := time.Date(2024, time.Month(month), 1+n, 12, 0, 0, 0, time.UTC)
			lines = append(lines, fmt.Sprintf(`{"type":"page","messageId":"%s%d","userId":%q,"timestamp":%q}`, user, n, user, at.Format(time.RFC3339)))
		}
	}
	ingest := func(name, content string) account {
		job := s.gatedIngest(s.write(name, []byte(content)))
		job.Keys = s.keyring()
		return total(s.must(job, asOf))
	}
	if got, want := ingest("a", strings.Join(lines, "\n")), (account{8, 8, 0, 0, 0}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	pseudonyms, err := jobs.NewPseudonyms(s.policy, s.keyring())
	if err != nil {
		t.Fatal(err)
	}
	ann := pseudonyms.Add([]sinks.Person{{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "who", Text: "ann"}}}})
	if n := len(ann[0].Identifiers); n != 4 {
		t.Fatalf("%d identifiers, want one and three pseudonyms", n)
	}
	if again := pseudonyms.Add(ann); len(again[0].Identifiers) != 4 {
		t.Errorf("pseudonyms of pseudonyms: %d identifiers", len(again[0].Identifiers))
	}
	request := sinks.Request{ID: ann[0].ID, Right: sinks.RightErasure, Received: asOf, History: []sinks.RequestNote{
		{Request: ann[0].ID, Event: sinks.RequestReceived, At: asOf, By: "dpo"}, {Request: ann[0].ID, Event: sinks.RequestAccepted, At: asOf, By: "dpo"},
	}}
	s.must(&jobs.RequestChange{Policy: s.policy, Register: s.store, People: ann, New: []sinks.Request{request}}, asOf)
	s.erase(asOf)
	if n := s.count("SELECT count() FROM {personal}.events"); n != 4 {
		t.Errorf("%d rows are left, want the other person's 4", n)
	}
	if got, want := ingest("b", strings.ReplaceAll(strings.Join(lines, "\n"), `"messageId":"`, `"messageId":"late-`)), (account{8, 4, 0, 4, 0}); got != want {
		t.Errorf("late: %+v, want %+v", got, want)
	}
	s.audited()
}
