package jobs_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestErasureWithOneOfTwoBucketsDown erases somebody who is to be seen in pictures of two
// object stores while one of them is down: all else goes, the request stays open, and
// the runs after the store is back end it, with one outcome.
func TestErasureWithOneOfTwoBucketsDown(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.withMonth()
	servers, names, buckets := map[string]*sinktest.Gateway{}, map[string]string{}, map[string]sinks.Bucket{}
	var notes strings.Builder
	for _, b := range []string{"up", "down"} {
		g := sinktest.StartGateway(t)
		servers[b], names[b] = g, g.MakeBucket(t, true, false)
		opened := openImpatient(t, g, g.Address, names[b], 500*time.Millisecond)
		buckets[b] = opened
		sinktest.Fill(t, opened, "of-person-1", "made/of-person-1", "of-others")
		for _, item := range []note{
			{Key: "of-person-1", Subjects: []string{"person-1", "person-2"}, Derivatives: []string{"made/of-person-1"}},
			{Key: "of-others", Subjects: []string{"person-2"}},
		} {
			item.Type, item.At, item.Bucket, item.Bytes, item.Purposes, item.Consent = "training_item", end(0), b, 1, []string{"detection"}, true
			line, err := json.Marshal(item)
			if err != nil {
				t.Fatal(err)
			}
			notes.Write(append(line, '\n'))
		}
	}
	register := s.gatedIngest(s.write("notes", []byte(notes.String())))
	register.Format = config.TrainingNotes
	s.must(register, end(1))
	purge := func() *jobs.Purge {
		job := s.purgeJob()
		job.Buckets = buckets
		return job
	}
	held := func(b string) int {
		n := 0
		for key, versions := range contents(t, servers[b], names[b]) {
			if key != "of-others" {
				n += versions
			}
		}
		return n
	}
	id := s.ask(end(1), "person-1")
	servers["down"].Stop(t)
	s.must(s.subjectJob(), end(1))
	if _, err := s.run(t.Context(), s.subjectJob(), end(1)); err != nil {
		t.Errorf("what needs no bucket: %v", err)
	}
	if _, err := s.run(t.Context(), purge(), end(1)); err == nil {
		t.Error("the purge does not say that a bucket is down")
	}
	if n := s.rowsOf("person-1", "visitor-1"); n > 0 {
		t.Errorf("%d rows are left", n)
	}
	if n := held("up"); n > 0 {
		t.Errorf("the bucket that answers holds %d versions", n)
	}
	if state := s.states(id)[0]; state != sinks.RequestExecuting {
		t.Errorf("the request is %s while a bucket is down", state)
	}
	servers["down"].Start(t)
	if held("down") == 0 {
		t.Fatal("the bucket that was down has lost what it held")
	}
	s.must(purge(), end(1))
	s.must(s.subjectJob(), end(1))
	if state, n := s.states(id)[0], held("down"); state != sinks.RequestDone || n > 0 {
		t.Errorf("after it is back the request is %s, and the bucket holds %d versions", state, n)
	}
	for b, bucket := range buckets {
		if listed := sinktest.Listed(t, bucket, ""); !slices.Equal(listed, []string{"of-others"}) {
			t.Errorf("%s holds %q", b, listed)
		}
	}
	done, open := 0, map[sinks.ID]bool{}
	for _, e := range s.audited() {
		open[e.Step] = e.Phase == sinks.Intent
		if e.Action == sinks.ActionAnswerRequest && e.Phase == sinks.Outcome && e.Result == sinks.ResultDone {
			done++
		}
	}
	if done != 1 {
		t.Errorf("%d outcomes of the request, want one", done)
	}
	if r := s.must(s.subjectJob(), end(1)); r.Steps != 0 {
		t.Errorf("another run has %d steps", r.Steps)
	}
	for step, still := range open {
		if still {
			t.Errorf("the step %s has no outcome", step)
		}
	}
}
