package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const trainingKey = "fedcba9876543210fedcba9876543210"

// sendNotes sends notes about training items and returns the answer.
func sendNotes(t *testing.T, address, key, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address+"/v1/training", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
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

// TestNotesOverHTTPEnterTheTrainingRegister registers an image and withdraws the consent
// to it over HTTP: kill -9 takes nothing back that was answered, what is sent again
// changes nothing, and the collector's key opens nothing here.
func TestNotesOverHTTPEnterTheTrainingRegister(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	s := serveIn(t, w.dir, "LAPSE_TRAINING_WRITE_KEYS="+trainingKey)
	item := `{"type":"training_item","at":"2024-03-01T12:00:00Z","bucket":"training","key":"o1/img-1.jpg","bytes":7,"purposes":["detection"],"subjects":["u-1"],"consent":true}` + "\n"
	withdrawal := `{"type":"training_consent","at":"2024-04-01T12:00:00Z","subject":"u-1","decision":"withdrawn"}` + "\n"
	for range 2 {
		if status, text := sendNotes(t, s.Address, trainingKey, item); status != http.StatusOK {
			t.Fatal(status, text)
		}
	}
	if status, text := sendNotes(t, s.Address, writeKey, item); status != http.StatusUnauthorized {
		t.Error("with the collector's key:", status, text)
	}
	if status, text := sendNotes(t, s.Address, trainingKey, item+strings.Replace(item, `"training","key"`, `"nowhere","key"`, 1)); status != http.StatusBadRequest ||
		!strings.Contains(text, `"message":"bucket: name one of the settings' buckets","index":1`) {
		t.Error("a bucket that the settings do not name:", status, text)
	}
	s.kill()
	s = serveIn(t, w.dir, "LAPSE_TRAINING_WRITE_KEYS="+trainingKey)
	if status, text := sendNotes(t, s.Address, trainingKey, withdrawal); status != http.StatusOK {
		t.Fatal(status, text)
	}
	if log := s.end(); strings.Contains(log, "u-1") || strings.Contains(log, "img-1") || strings.Contains(log, trainingKey) {
		t.Errorf("the log holds what was sent:\n%s", log)
	}
	if got := w.ingested(); got["read"] != 3 || got["stored"] != 2 || got["duplicate"] != 1 {
		t.Errorf("%v", got)
	}
	if listed := w.must("training", "list", "--as-of", "2024-03-02"); !strings.Contains(listed, "o1/img-1.jpg") {
		t.Errorf("before the withdrawal:\n%s", listed)
	}
	if due := w.must("training", "list", "--as-of", "2024-04-02", "--state", "due"); !strings.Contains(due, "consent_withdrawn") {
		t.Errorf("after the withdrawal:\n%s", due)
	}
	if again := w.ingested(); again["read"] != 0 {
		t.Errorf("ingested again: %v", again)
	}
	c := w.command("serve", "--listen", "127.0.0.1:0")
	c.Env = append(c.Environ(), "LAPSE_COLLECTOR_WRITE_KEYS="+writeKey, "LAPSE_TRAINING_WRITE_KEYS="+writeKey)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "have a write key in common") {
		t.Error(fmt.Sprint(err), string(out))
	}
}
