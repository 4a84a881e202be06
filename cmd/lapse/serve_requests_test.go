package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const requestsKey = "00112233445566770011223344556677"

// sendRequest sends what a data subject asks for, or asks what became of it, and returns
// the answer.
func sendRequest(t *testing.T, method, address, key, idempotency, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", idempotency)
	r.SetBasicAuth(key, "")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// TestRequestsOverHTTP enters requests over HTTP: the same one twice is one, the next
// run for data subjects carries out what was accepted, and neither answers nor the log
// name anybody.
func TestRequestsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	records := filepath.Join(w.dir, "january.ndjson")
	if err := os.WriteFile(records, []byte(`{"type":"identify","messageId":"1","userId":"ann","timestamp":"2026-01-10T10:00:00Z","traits":{"email":"ann@exmple.org"}}
{"type":"identify","messageId":"2","userId":"bob","timestamp":"2026-01-10T10:00:00Z","traits":{"email":"bob@example.org"}}
{"type":"page","messageId":"3","context":{"groupId":"acme"},"timestamp":"2026-01-10T10:00:00Z"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("run", "ingest", "--as-of", "2026-02-01", records)
	s := serveIn(t, w.dir, "LAPSE_REQUESTS_WRITE_KEYS="+requestsKey)
	path := s.Address + "/v1/requests"
	type state struct {
		Request, State string
		Paused         bool `json:"clock_paused"`
	}
	enter := func(status int, idempotency, body string) (got state) {
		t.Helper()
		code, text := sendRequest(t, http.MethodPost, path, requestsKey, idempotency, body)
		if code != status || strings.Contains(text, "ann") {
			t.Fatal(code, text)
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err, text)
		}
		return got
	}
	const rectify = `{"right":"rectification","subject":{"email":"ann@exmple.org"},"set":{"email":"ann@example.org"},"identity_confirmed":true}`
	first := enter(http.StatusCreated, "17", rectify)
	if again := enter(http.StatusOK, "17", rectify); again != first || first.State != "accepted" {
		t.Errorf("first %+v, then %+v", first, again)
	}
	if pending := enter(http.StatusCreated, "", `{"right":"erasure","subject":{"user_id":"bob"}}`); pending.State != "identity_pending" || !pending.Paused {
		t.Errorf("%+v", pending)
	}
	leaves := enter(http.StatusCreated, "", `{"right":"erasure","subject":{"organisation_id":"acme"},"identity_confirmed":true}`).Request
	for body, want := range map[string]string{
		`{"right":"access","subject":{"organisation_id":"acme"}}`:                             "subject: name the person by",
		`{"right":"erasure","subject":{"organisation_id":"acme","user_id":"ann"}}`:            "an organisation is named alone",
		`{"right":"erasure","subject":{"user_id":"nobody-knows-me","email":"x@example.org"}`:  "the body is not an object",
		`{"right":"erasure","subject":{"name of ann":"ann"}}`:                                 "subject: name the person by",
		`{"right":"forgetting","subject":{"user_id":"ann"}}`:                                  "right: is one of access",
		`{"right":"erasure","subject":{"email":"nobody@example.org"}}`:                        "nothing is held",
		`{"right":"rectification","subject":{"user_id":"ann"},"set":{"user_id":"anna"}}`:      "set: names a column",
		`{"right":"withdrawal","subject":{"user_id":"ann"},"categories":["ann's"]}`:           "categories: the policy has",
		`{"right":"erasure","subject":{"user_id":"ann"},"received":"2999-01-01T00:00:00Z"}`:   "the time lies ahead",
		`{"right":"access","subject":{"user_id":"ann"},"recipient":"ann"}`:                    "recipient: goes with access",
		`{"right":"erasure","subject":{"user_id":"ann"},"set":{"email":"other@example.org"}}`: "set: goes with rectification",
	} {
		if code, text := sendRequest(t, http.MethodPost, path, requestsKey, "", body); code != http.StatusBadRequest || !strings.Contains(text, want) || strings.Contains(text, "ann") {
			t.Error(body, code, text)
		}
	}
	if code, text := sendRequest(t, http.MethodPost, path, writeKey, "", rectify); code != http.StatusUnauthorized {
		t.Error("with the collector's key:", code, text)
	}
	if code, text := sendRequest(t, http.MethodGet, path+"/"+first.Request, writeKey, "", ""); code != http.StatusUnauthorized {
		t.Error("with the collector's key:", code, text)
	}
	decide := func(request, decision, body string, status int, want string) {
		t.Helper()
		code, text := sendRequest(t, http.MethodPost, path+"/"+request+"/"+decision, requestsKey, "", body)
		if code != status || !strings.Contains(text, want) || strings.Contains(text, "ann") {
			t.Errorf("%s %s: %d %s", decision, body, code, text)
		}
	}
	doubted := enter(http.StatusCreated, "", `{"right":"objection","subject":{"user_id":"ann"}}`).Request
	decide(doubted, "extend", `{"reason":"records of many years"}`, http.StatusBadRequest, "the clock stands still")
	decide(doubted, "accept", `{}`, http.StatusOK, `"state":"accepted"`)
	decide(doubted, "accept", `{}`, http.StatusConflict, "it is accepted by now")
	decide(doubted, "accept", `{"clause":"C7"}`, http.StatusBadRequest, "clause with a refusal")
	decide(doubted, "extend", `{}`, http.StatusBadRequest, "reason: say why")
	decide(doubted, "extend", `{"reason":"records of many years","until":"2999-01-01T00:00:00Z"}`, http.StatusBadRequest, "the policy lets it be extended to")
	decide(doubted, "extend", `{"reason":"records of many years"}`, http.StatusOK, `"state":"accepted"`)
	decide(doubted, "refuse", `{"reason":"legal_obligation","clause":"C16"}`, http.StatusBadRequest, "counts against erasure")
	decide(doubted, "refuse", `{"reason":"compelling_grounds"}`, http.StatusBadRequest, "is not a clause")
	decide(doubted, "refuse", `{"reason":"compelling_grounds","clause":"C7","by":"me"}`, http.StatusBadRequest, "the body is not an object")
	decide(doubted, "refuse", `{"reason":"compelling_grounds","clause":"C7"}`, http.StatusOK, `"state":"refused"`)
	decide(doubted, "cancel", `{}`, http.StatusConflict, "it is refused by now")
	decide(strings.Repeat("0", 31)+"1", "cancel", `{}`, http.StatusNotFound, "there is no such request")
	decide(doubted, "forget", `{}`, http.StatusNotFound, "accept, refuse, extend, cancel")
	if code, text := sendRequest(t, http.MethodPost, path+"/"+first.Request+"/cancel", writeKey, "", "{}"); code != http.StatusUnauthorized {
		t.Error("with the collector's key:", code, text)
	}
	w.must("run", "subject")
	code, text := sendRequest(t, http.MethodGet, path+"/"+first.Request, requestsKey, "", "")
	if code != http.StatusOK || !strings.Contains(text, `"state":"done"`) || strings.Contains(text, "ann") {
		t.Error("after a run:", code, text)
	}
	if code, text := sendRequest(t, http.MethodGet, path+"/"+leaves, requestsKey, "", ""); code != http.StatusOK || !strings.Contains(text, `"state":"done"`) {
		t.Error("the organisation's, after a run:", code, text)
	}
	if code, text := sendRequest(t, http.MethodGet, path+"/"+strings.Repeat("0", 31)+"1", requestsKey, "", ""); code != http.StatusNotFound {
		t.Error("a request that there is not:", code, text)
	}
	log := s.end()
	for _, word := range []string{"ann@", "bob", "nobody-knows-me", requestsKey} {
		if strings.Contains(log, word) {
			t.Errorf("the log holds %s:\n%s", word, log)
		}
	}
	w.read("SELECT email FROM telemetry.accounts WHERE user_id = 'ann'", func(scan func(...any) error) error {
		var email string
		err := scan(&email)
		if email != "ann@example.org" {
			t.Error("her address was not put right")
		}
		return err
	})
	w.read("SELECT count() FROM telemetry.events WHERE organisation_id = 'acme'", func(scan func(...any) error) error {
		var left uint64
		err := scan(&left)
		if left != 0 {
			t.Errorf("%d events of the organisation are left", left)
		}
		return err
	})
	if verified := w.must("audit", "verify"); strings.Contains(verified, "have not ended") {
		t.Errorf("steps are open:\n%s", verified)
	}
	c := w.command("serve", "--listen", "127.0.0.1:0")
	c.Env = append(c.Environ(), "LAPSE_COLLECTOR_WRITE_KEYS="+writeKey, "LAPSE_REQUESTS_WRITE_KEYS="+writeKey)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "have a write key in common") {
		t.Error(err, string(out))
	}
}
