package jobs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

// ofAcme is what a few people send: ann for acme alone, bob for acme and for globex, cid
// for globex, dora for nobody.
const ofAcme = `{"type":"group","messageId":"1","userId":"ann","groupId":"acme","timestamp":"2024-01-02T10:00:00Z"}
{"type":"identify","messageId":"2","userId":"ann","timestamp":"2024-01-02T10:00:00Z","traits":{"email":"ann@acme.example"}}
{"type":"page","messageId":"3","userId":"ann","anonymousId":"a-ann","timestamp":"2024-01-02T10:01:00Z"}
{"type":"page","messageId":"4","anonymousId":"a-ann","timestamp":"2024-01-02T10:02:00Z"}
{"type":"page","messageId":"5","anonymousId":"kiosk","context":{"groupId":"acme"},"timestamp":"2024-01-02T10:03:00Z"}
{"type":"page","messageId":"6","userId":"dora","anonymousId":"kiosk","timestamp":"2024-01-02T10:04:00Z"}
{"type":"page","messageId":"7","anonymousId":"lobby","context":{"groupId":"acme"},"timestamp":"2024-01-02T10:05:00Z"}
{"type":"page","messageId":"8","anonymousId":"lobby","timestamp":"2024-01-02T10:06:00Z"}
{"type":"page","messageId":"9","userId":"bob","context":{"groupId":"acme"},"timestamp":"2024-01-02T10:07:00Z"}
{"type":"page","messageId":"10","userId":"bob","context":{"groupId":"globex"},"timestamp":"2024-01-02T10:08:00Z"}
{"type":"identify","messageId":"11","userId":"bob","timestamp":"2024-01-02T10:08:00Z","traits":{"email":"bob@example.org"}}
{"type":"page","messageId":"12","userId":"cid","context":{"groupId":"globex"},"timestamp":"2024-01-02T10:09:00Z"}
{"type":"page","messageId":"13","context":{"groupId":"acme"},"timestamp":"2024-01-02T10:10:00Z"}
{"type":"page","messageId":"14","context":{"groupId":"acme"},"timestamp":"never"}
`

// askFor enters an accepted request for the erasure of an organisation, and returns it with
// how its identifiers were found.
func (s *site) askFor(organisation string) (sinks.ID, string) {
	s.Helper()
	p := sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "organisation_id", Text: organisation}}}
	resolved, err := jobs.ResolvePeople(s.Context(), s.policy, s.store, []sinks.Person{p})
	if err != nil {
		s.Fatal(err)
	}
	s.must(&jobs.RequestChange{
		Policy: s.policy, Register: s.store, People: []sinks.Person{resolved[0].Person()},
		New: []sinks.Request{{ID: p.ID, Right: sinks.RightErasure, Received: end(1), History: []sinks.RequestNote{
			{Request: p.ID, Event: sinks.RequestReceived, At: end(1), By: "dpo"}, {Request: p.ID, Event: sinks.RequestAccepted, At: end(1), By: "dpo"},
		}}},
	}, end(1))
	var found []string
	for _, i := range resolved[0].Identifiers {
		found = append(found, fmt.Sprintf("%s=%s(%s,%v)", i.Column, i.Text, i.How, i.Shared))
	}
	return p.ID, strings.Join(found, " ")
}

// An organisation's records go, and who is known by it alone; who is tied to others, too,
// loses only the records that name it. What comes late is refused, and what a backup brings
// back is found.
func TestErasedOrganisationIsGoneAndStaysGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	path := s.write("calls", []byte(ofAcme))
	s.must(s.gatedIngest(path), end(1))
	for _, table := range []string{"{personal}.events", "{personal}.accounts"} {
		s.execute("CREATE TABLE " + backup(table) + " AS " + table)
		s.execute("INSERT INTO " + backup(table) + " SELECT * FROM " + table)
	}
	id, found := s.askFor("acme")
	want := "anonymous_id=a-ann(beside user_id,false) anonymous_id=kiosk(beside organisation_id,true) anonymous_id=lobby(beside organisation_id,false) " +
		"organisation_id=acme(named,false) user_id=ann(beside organisation_id,false) user_id=bob(beside organisation_id,true)"
	if found != want {
		t.Errorf("found %s\nwant  %s", found, want)
	}
	s.erase(end(1))
	if state := s.states([]sinks.ID{id})[0]; state != sinks.RequestDone {
		t.Errorf("the request is %s", state)
	}
	left := func() string {
		var rows []string
		for _, table := range []string{"events", "accounts"} {
			for _, r := range s.query("SELECT user_id, anonymous_id, organisation_id FROM {personal}." + table + " ORDER BY ALL") {
				rows = append(rows, fmt.Sprint(table, r))
			}
		}
		return strings.Join(rows, " ")
	}
	rest := "events[bob  globex] events[cid  globex] events[dora kiosk ] accounts[bob  ]"
	if got := left(); got != rest {
		t.Errorf("left: %s\nwant: %s", got, rest)
	}
	if n := s.count("SELECT count() FROM {control}.quarantine"); n != 0 {
		t.Errorf("%d records of the organisation are in the quarantine", n)
	}
	late := `{"type":"page","messageId":"late","userId":"eve","context":{"groupId":"acme"},"timestamp":"2024-01-20T10:00:00Z"}
{"type":"page","messageId":"later","userId":"ann","timestamp":"2024-01-20T10:00:00Z"}
{"type":"page","messageId":"anew","userId":"eve","context":{"groupId":"acme"},"timestamp":"2024-02-20T10:00:00Z"}
`
	c := s.must(s.gatedIngest(s.write("late", []byte(late+ofAcme))), end(2)).Outcomes[0].Counts
	if c["refused_erased"] != 2+9 || c["stored"] != 1 {
		t.Errorf("afterwards: %v", c)
	}
	s.execute("INSERT INTO {personal}.events SELECT * FROM {personal}.backup_events WHERE lapse_record NOT IN (SELECT lapse_record FROM {personal}.events)")
	s.execute("INSERT INTO {personal}.accounts SELECT * FROM {personal}.backup_accounts WHERE lapse_record NOT IN (SELECT lapse_record FROM {personal}.accounts)")
	s.must(s.sweepJob(), end(2))
	if got, want := left(), strings.Replace(rest, "events[dora kiosk ]", "events[dora kiosk ] events[eve  acme]", 1); got != want {
		t.Errorf("after a sweep: %s\nwant: %s", got, want)
	}
	if n := s.count("SELECT countIf(match(command, 'acme')) FROM system.mutations WHERE startsWith(database, '" + strings.TrimSuffix(s.options.Databases.Control, "lapse") + "')"); n != 0 {
		t.Errorf("%d mutations name it", n)
	}
	s.pairsUp()
}

func TestErasureOfAnOrganisationTakesItsTrainingItems(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	g := handful(3)
	g.files["notes"] = bytes.Replace(g.files["notes"], []byte(`"key":"a/2"`), []byte(`"key":"a/2","organisation":"acme"`), 1)
	s.receive(g, end(1))
	s.must(s.gatedIngest(s.input()), end(1))
	id, _ := s.askFor("acme")
	s.must(s.subjectJob(), end(1))
	report, err := s.run(t.Context(), s.subjectJob(), end(1))
	if err != nil || len(report.Blocked) != 1 || !strings.Contains(report.Blocked[0].Blocked, "1 training items") {
		t.Errorf("waiting: %+v: %v", report.Blocked, err)
	}
	purged := slices.DeleteFunc(s.purge(end(1)).Outcomes, func(o jobs.Outcome) bool {
		return o.Step.Action != sinks.ActionPurgeItem || o.Step.Rule != sinks.RuleErasure
	})
	if len(purged) != 1 {
		t.Errorf("%d items were purged for the erasure", len(purged))
	}
	s.must(s.subjectJob(), end(1))
	if state := s.states([]sinks.ID{id})[0]; state != sinks.RequestDone {
		t.Errorf("the request is %s", state)
	}
}
