package jobs_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// disposing is consentPolicy with a rule about input files.
func disposing(rule string) []byte {
	return []byte(strings.Replace(consentPolicy, "quarantine:", "input_files: {"+rule+", clause: C12, rationale: r}\nquarantine:", 1))
}

func (s *site) disposeJob(inputs sinks.DisposableInputs) *jobs.Dispose {
	return &jobs.Dispose{Policy: s.policy, Inputs: inputs, Ledger: s.store}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestIngestedFilesAreDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, disposing("after: delete"))
	done, copied := s.write("in/done", []byte(said(1, ann, "yes")+"\n")), s.write("in/copy", []byte(said(1, ann, "yes")+"\n"))
	grown := s.write("in/grown", []byte(said(2, ann, "yes")+"\n"))
	s.must(s.ingestJob(done, copied, grown), june.AddDate(0, 0, 20))
	s.write("in/grown", []byte(said(2, ann, "yes")+"\n"+said(3, ann, "yes")+"\n"))
	unread := s.write("in/unread", []byte(said(4, ann, "yes")+"\n"))
	dir := bucket.NewFiles(filepath.Dir(done))
	report := s.must(s.disposeJob(dir), june.AddDate(0, 0, 20))
	if report.Steps != 2 || exists(t, done) || exists(t, copied) || !exists(t, grown) || !exists(t, unread) {
		t.Errorf("%d steps; left: done %v, copy %v, grown %v, unread %v", report.Steps, exists(t, done), exists(t, copied), exists(t, grown), exists(t, unread))
	}
	for _, o := range report.Outcomes {
		if len(o.Stages) != 2 || o.Counts[sinks.CountObjects] != 1 || o.Counts[sinks.CountBytes] == 0 {
			t.Errorf("outcome %+v", o)
		}
	}
	if again := s.must(s.disposeJob(dir), june.AddDate(0, 0, 20)); again.Steps != 0 {
		t.Errorf("%d steps when repeated", again.Steps)
	}
	s.audited()
}

func TestIngestedFilesAreMovedAndDeletedLater(t *testing.T) {
	t.Parallel()
	s := newSite(t, disposing("after: move, keep: P7D"))
	path, processed := s.write("in/calls", []byte(said(1, ann, "yes")+"\n")), filepath.Join(s.dir, "processed")
	moved := func() []string {
		found, err := filepath.Glob(filepath.Join(processed, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	inputs := bucket.NewFiles(filepath.Dir(path)).MovingTo(processed)
	asOf := time.Date(2024, 6, 20, 15, 0, 0, 0, time.UTC)
	s.must(s.ingestJob(path), asOf)
	s.must(s.disposeJob(inputs), asOf)
	if found := moved(); exists(t, path) || len(found) != 1 || !strings.HasSuffix(found[0], "-calls") || filepath.Base(filepath.Dir(found[0])) != "2024-06-20" {
		t.Fatalf("moved to %v", moved())
	}
	if report := s.must(s.disposeJob(inputs), time.Date(2024, 6, 27, 23, 59, 0, 0, time.UTC)); report.Steps != 0 {
		t.Errorf("%d steps before the period has passed", report.Steps)
	}
	if report := s.must(s.disposeJob(inputs), time.Date(2024, 6, 28, 0, 0, 0, 0, time.UTC)); report.Steps != 1 || len(moved()) != 0 {
		t.Errorf("%d steps, left: %v", report.Steps, moved())
	}
	s.audited()
}

// Where the policy says nothing, files stay; what Lapse has collected itself goes.
func TestOwnFilesAreDeletedInAnyCase(t *testing.T) {
	t.Parallel()
	s := newSite(t, []byte(consentPolicy))
	own, foreign := s.write("own", []byte(said(1, ann, "yes")+"\n")), s.write("foreign", []byte(said(2, ann, "yes")+"\n"))
	s.must(s.ingestJob(own, foreign), june.AddDate(0, 0, 20))
	report := s.must(s.disposeJob(owned{bucket.NewFiles(own, foreign), own}), june.AddDate(0, 0, 20))
	if report.Steps != 1 || exists(t, own) || !exists(t, foreign) {
		t.Errorf("%d steps; left: own %v, foreign %v", report.Steps, exists(t, own), exists(t, foreign))
	}
}

// owned are files one of which is Lapse's own.
type owned struct {
	*bucket.Files
	path string
}

func (o owned) List(ctx context.Context) ([]sinks.InputFile, error) {
	files, err := o.Files.List(ctx)
	for i := range files {
		files[i].Own = files[i].Path == o.path
	}
	return files, err
}

// Objects with a prefix are ingested from a bucket with versions, and deleted with
// all of them.
func TestObjectsAreIngestedAndDeleted(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	s := newSite(t, disposing("after: delete"))
	store := openS3(t, g, g.Address, g.MakeBucket(t, true, false))
	put := func(key, content string) {
		if err := store.Put(t.Context(), key, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	put("raw/2024/a", "an earlier state\n")
	put("raw/2024/a", said(1, ann, "yes")+"\n")
	put("raw/2024/b", said(2, ann, "yes")+"\n"+said(3, ann, "yes")+"\n")
	put("raw/2023/c", said(4, ann, "yes")+"\n")
	inputs := bucket.NewObjects(map[string]sinks.ReadableBucket{"telemetry": store}, "bucket://telemetry/raw/2024/", "bucket://telemetry/raw/2024/a")
	job := s.ingestJob()
	job.Inputs = inputs
	asOf := june.AddDate(0, 0, 20)
	report := s.must(job, asOf)
	if report.Steps != 2 || s.count("SELECT count() FROM {personal}.events") != 3 {
		t.Errorf("%d objects read, %d rows stored", report.Steps, s.count("SELECT count() FROM {personal}.events"))
	}
	s.must(s.disposeJob(inputs), asOf)
	if left := sinktest.Found(t, store, "raw/2024/a", "raw/2024/b", "raw/2023/c"); len(left) != 1 || left[0].Key != "raw/2023/c" {
		t.Errorf("left: %v", left)
	}
	missing := s.ingestJob()
	missing.Inputs = bucket.NewObjects(nil, "bucket://elsewhere/raw")
	if _, err := s.run(t.Context(), missing, asOf); !errors.Is(err, sinks.ErrInvalidInput) {
		t.Errorf("a bucket that is not there: %v", err)
	}
	s.audited()
}
