package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// earlySite publishes events a day after theirs; k is 10.
func earlySite(t *testing.T) *site {
	t.Helper()
	return newSite(t, []byte(strings.Replace(string(config.Facesoft), "      k: 10\n", "      k: 10\n      after: P1D\n", 1)))
}

// visits are of so many people, one each, on the first day of 2024.
func visits(from, people int) []byte {
	var b strings.Builder
	for n := range people {
		fmt.Fprintf(&b, `{"type":"page","messageId":"m%d","userId":"user-%d","timestamp":"2024-01-01T10:00:00Z","context":{"page":{"url":"https://example.org/p"}}}`+"\n", from+n, from+n)
	}
	return []byte(b.String())
}

// batches returns what of the events is published and held, by batch.
func (s *site) batches() string {
	s.Helper()
	return fmt.Sprint(s.query("SELECT lapse_batch, count() FROM {published}.events GROUP BY 1 ORDER BY 1"), s.query("SELECT lapse_batch, count() FROM {personal}.events GROUP BY 1 ORDER BY 1"))
}

func (s *site) expect(when, want string) {
	s.Helper()
	if got := s.batches(); got != want {
		s.Errorf("%s: published and held are %s, want %s", when, got, want)
	}
}

// A closed day is published while its rows live on. What comes late goes out by itself
// when it is enough for a class, and in the end everything is made anew.
func TestDayIsPublishedBeforeItsWindowHasPassed(t *testing.T) {
	t.Parallel()
	s := earlySite(t)
	s.ingest(end(1), s.write("first", visits(0, 12)))
	closed := time.Date(2024, 1, 3, 0, 0, 0, 0, time.UTC)
	if report := s.anonymise(closed.Add(-time.Millisecond)); report.Steps != 0 {
		t.Errorf("%d steps before a day has passed since", report.Steps)
	}
	if report := s.anonymise(closed); report.Steps != 1 || report.Outcomes[0].Counts[sinks.CountPublished] != 12 || report.Outcomes[0].K.Smallest != 12 {
		t.Errorf("%+v", report.Outcomes)
	}
	s.expect("early", "[[0 12]] [[0 12]]")
	if report := s.anonymise(end(2)); report.Steps != 0 {
		t.Errorf("%d steps when nothing has changed", report.Steps)
	}
	s.ingest(end(2), s.write("late", visits(100, 5)))
	if report := s.anonymise(end(2)); report.Steps != 0 {
		t.Errorf("%d steps for fewer people than a class takes", report.Steps)
	}
	s.ingest(end(2), s.write("later", visits(200, 6)))
	s.anonymise(end(2))
	s.expect("late", "[[0 12] [1 11]] [[0 12] [1 11]]")
	s.anonymise(end(20))
	s.expect("in the end", "[[0 12] [1 11]] []")
	s.audited()
}

// Somebody is erased: what was published stays as long as every class holds k others.
func TestEarlyPublicationStandsWhileItHoldsK(t *testing.T) {
	t.Parallel()
	s := earlySite(t)
	s.ingest(end(1), s.write("first", visits(0, 12)))
	s.anonymise(end(1))
	for _, c := range []struct {
		gone string
		want string
	}{
		{"'user-0'", "[[0 12]] [[0 11]]"},
		{"'user-1'", "[[0 12]] [[0 10]]"},
		{"'user-2', 'user-3'", "[] [[0 8]]"},
	} {
		s.execute("ALTER TABLE {personal}.events DELETE WHERE user_id IN (" + c.gone + ") SETTINGS mutations_sync = 2")
		if report := s.anonymise(end(1)); report.Steps != 1 {
			t.Errorf("without %s: %d steps", c.gone, report.Steps)
		}
		s.expect("without "+c.gone, c.want)
		if report := s.anonymise(end(1)); report.Steps != 0 {
			t.Errorf("without %s, again: %d steps", c.gone, report.Steps)
		}
	}
	s.audited()
}

// Who has asked for restriction, or is under another hold, is not published.
func TestHeldRowsAreNotPublishedEarly(t *testing.T) {
	t.Parallel()
	s := earlySite(t)
	s.ingest(end(1), s.write("first", visits(0, 12)))
	hold := s.place(sinks.Hold{}, "user-0", "")
	s.anonymise(end(1))
	const apart = sinks.SeparatedBatches
	s.expect("under hold", fmt.Sprintf("[[0 11]] [[0 11] [%d 1]]", apart))
	s.anonymise(end(20))
	s.expect("past the window", fmt.Sprintf("[[0 11]] [[%d 1]]", apart))
	s.release(hold)
	s.anonymise(end(20))
	s.expect("released", "[[0 11]] []")
	s.audited()
}

// A run may be interrupted anywhere, early or in the end, when somebody has come under
// hold since: the next one ends as one that was not.
func TestInterruptedEarlyPublicationIsTakenUp(t *testing.T) {
	t.Parallel()
	for statement, at := range map[string]time.Time{
		"publish_partition": end(1), "insert_publications": end(1), "exchange_partition": end(20), "verify_classes": end(20), "drop_partitions": end(20),
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			s := earlySite(t)
			s.ingest(end(1), s.write("first", visits(0, 12)))
			want := "[[0 12]] [[0 12]]"
			if at == end(20) {
				s.anonymise(end(1))
				s.place(sinks.Hold{}, "user-0", "")
				want = fmt.Sprintf("[[0 11]] [[%d 1]]", sinks.SeparatedBatches)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := s.newWorker(func(name string) {
				if name == statement {
					cancel()
				}
			})
			if _, err := w.run(ctx, w.anonymiseJob(), at); !errors.Is(err, context.Canceled) {
				t.Fatalf("the run was not interrupted: %v", err)
			}
			s.anonymise(at)
			s.expect("repeated", want)
			s.audited()
		})
	}
}
