package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// send posts a batch of events with the given message ids and returns the status.
func send(address string, ids []string) (int, error) {
	events := make([]string, len(ids))
	for i, id := range ids {
		events[i] = fmt.Sprintf(`{"type":"track","event":"Report Opened","userId":"person-%s","messageId":%q,"timestamp":%q}`, id, id, time.Now().UTC().Format(time.RFC3339Nano))
	}
	body := fmt.Sprintf(`{"batch":[%s],"sentAt":%q}`, strings.Join(events, ","), time.Now().UTC().Format(time.RFC3339Nano))
	r, err := http.NewRequest(http.MethodPost, address+"/v1/batch", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(writeKey, "")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// ingested runs ingest without naming a file and returns its counts.
func (w *world) ingested() map[string]uint64 {
	w.t.Helper()
	var report struct {
		Outcomes []struct{ Counts map[string]uint64 }
	}
	out, err := w.command("run", "ingest", "--output", "json").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	counts := map[string]uint64{}
	for _, o := range report.Outcomes {
		for name, n := range o.Counts {
			counts[name] += n
		}
	}
	return counts
}

// TestCollectedEventsAreIngestedOnceTheirSegmentIsClosed sends events, looks that
// ingest does not see the segment they are being written to, and ends the server.
func TestCollectedEventsAreIngestedOnceTheirSegmentIsClosed(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	s := serveIn(t, w.dir)
	if status, err := send(s.Address, []string{"secret-1", "secret-2", "secret-1"}); status != 200 || err != nil {
		t.Fatal(status, err)
	}
	if got := w.ingested(); got["read"] != 0 {
		t.Errorf("an open segment was ingested: %v", got)
	}
	log := s.end()
	if strings.Contains(log, "secret") || strings.Contains(log, writeKey) || strings.Contains(log, "127.0.0.1:") {
		t.Errorf("the log holds what was sent, a key or an address:\n%s", log)
	}
	if !strings.Contains(log, "events=3") {
		t.Errorf("the log does not mention the request:\n%s", log)
	}
	if got := w.ingested(); got["read"] != 3 || got["stored"] != 2 || got["duplicate"] != 1 {
		t.Errorf("%v", got)
	}
	if got := w.ingested(); got["stored"] != 0 {
		t.Errorf("ingested again: %v", got)
	}
}

// TestServerKilledWhileCollectingLosesNothingAcknowledged kills the server while
// several senders are at work, more than once: what was answered with 200 is
// stored, exactly once.
func TestServerKilledWhileCollectingLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const senders, rounds = 4, 4
	w := newInstallation(t)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	for round := range rounds {
		s := serveIn(t, w.dir)
		enough := make(chan struct{})
		var all sync.WaitGroup
		for sender := range senders {
			all.Go(func() {
				for n := 0; ; n++ {
					var ids []string
					for e := range 5 {
						ids = append(ids, fmt.Sprintf("%d-%d-%d-%d", round, sender, n, e))
					}
					status, err := send(s.Address, ids)
					if err != nil {
						return // killed
					}
					if status != 200 {
						t.Errorf("answered with %d", status)
						return
					}
					mu.Lock()
					for _, id := range ids {
						acknowledged[id] = true
					}
					if len(acknowledged) > (round+1)*300 {
						select {
						case <-enough:
						default:
							close(enough)
						}
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		s.kill()
		all.Wait()
	}
	serveIn(t, w.dir).end() // closes what the last kill has left
	if got := w.ingested(); got["read"] != got["stored"] || got["stored"] < uint64(len(acknowledged)) {
		t.Errorf("%v, %d were acknowledged", got, len(acknowledged))
	}
	stored := map[string]int{}
	w.read("SELECT user_id, count() FROM telemetry.events GROUP BY user_id", func(scan func(...any) error) error {
		var id string
		var n uint64
		err := scan(&id, &n)
		stored[strings.TrimPrefix(id, "person-")] = int(n)
		return err
	})
	for id := range acknowledged {
		if stored[id] != 1 {
			t.Errorf("%s was acknowledged and is stored %d times", id, stored[id])
		}
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is stored %d times", id, n)
		}
	}
}

// TestClockOfTheSenderIsCorrected sends an event from a device whose clock is two
// hours fast.
func TestClockOfTheSenderIsCorrected(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	s := serveIn(t, w.dir)
	now := time.Now().UTC()
	fast := now.Add(2 * time.Hour)
	body := fmt.Sprintf(`{"type":"track","event":"e","userId":"u","messageId":"m","timestamp":%q,"sentAt":%q,"receivedAt":"2001-01-01T00:00:00Z"}`,
		fast.Add(-time.Minute).Format(time.RFC3339Nano), fast.Format(time.RFC3339Nano))
	r, err := http.NewRequest(http.MethodPost, s.Address+"/v1/track", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(writeKey, "")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
	s.end()
	w.ingested()
	var rows int
	w.read("SELECT occurred_at FROM telemetry.events", func(scan func(...any) error) error {
		var at time.Time
		err := scan(&at)
		rows++
		if late := at.Sub(now.Add(-time.Minute)); late < -time.Millisecond || late > 30*time.Second {
			t.Errorf("the event happened at %s, want a minute before %s", at, now)
		}
		return err
	})
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
}

func TestOnlyOneServerCollectsIntoASpool(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	first := serveIn(t, w.dir)
	second := w.command("serve", "--listen", "127.0.0.1:0")
	second.Env = append(os.Environ(), "LAPSE_COLLECTOR_WRITE_KEYS="+writeKey)
	output, err := second.CombinedOutput()
	if err == nil || second.ProcessState.ExitCode() != exitRetriable || !strings.Contains(string(output), "another process collects") {
		t.Errorf("a second server: %v\n%s", err, output)
	}
	first.end()
}

// TestMemoryStaysBoundedWhateverIsSent sends the largest bodies there may be, some
// of many small events, compressed to almost nothing, over many connections at
// once: each is taken or asked to come again, and the process stays small.
func TestMemoryStaysBoundedWhateverIsSent(t *testing.T) {
	const connections, each = 150, 3
	w := newInstallation(t)
	s := serveIn(t, w.dir)
	small := gzipped(t, `{"batch":[{}`+strings.Repeat(",{}", 2499)+`]}`+strings.Repeat(" ", 490<<10))
	large := gzipped(t, `{"batch":[`+strings.Repeat(`{"a":"`+strings.Repeat("x", 30<<10)+`"},`, 15)+`{}]}`)
	taken, later := map[bool]uint64{}, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			body := small
			if i%2 == 0 {
				body = large
			}
			for range each {
				r, err := http.NewRequest(http.MethodPost, s.Address+"/v1/batch", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Content-Encoding", "gzip")
				r.SetBasicAuth(writeKey, "")
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = answer.Body.Close()
				mu.Lock()
				switch answer.StatusCode {
				case http.StatusOK:
					taken[i%2 == 0]++
				case http.StatusTooManyRequests:
					later++
				default:
					t.Errorf("answered with %s", answer.Status)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	peak := s.peakMemory()
	s.end()
	t.Logf("taken: %d of large events, %d of small ones; asked to come again: %d; peak %.0f MiB", taken[true], taken[false], later, peak)
	if peak > 256 {
		t.Errorf("the process needed %.0f MiB", peak)
	}
	if taken[true]*taken[false] == 0 {
		t.Error("nothing was taken")
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSenderCannotSpeakForTheTrainingRegister sends what would be notes about
// training items if it stood in a file: whoever has a write key may report events,
// and nothing else.
func TestSenderCannotSpeakForTheTrainingRegister(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	s := serveIn(t, w.dir)
	body := `{"batch":[{"type":"training_purpose_completed","messageId":"n1","purpose":"train_models","at":"2024-01-10T10:00:00Z"},` +
		`{"type":"track","event":"e","userId":"u","messageId":"m1","properties":{"training_item":1}}]}`
	r, err := http.NewRequest(http.MethodPost, s.Address+"/v1/batch", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(writeKey, "")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
	s.end()
	if got := w.ingested(); got["read"] != 2 || got["stored"] != 1 || got["quarantined"] != 1 {
		t.Errorf("%v", got)
	}
	w.read("SELECT count() FROM lapse.training", func(scan func(...any) error) error {
		var n uint64
		err := scan(&n)
		if n != 0 {
			t.Errorf("the training register has %d notes of a sender", n)
		}
		return err
	})
}
