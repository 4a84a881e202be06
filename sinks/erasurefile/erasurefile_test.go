package erasurefile_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/erasurefile"
)

func erasure(n byte) sinks.Erasure {
	return sinks.Erasure{Subject: sinks.SubjectKey{n}, Until: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Request: sinks.ID{n}}
}

func all(t *testing.T, f *erasurefile.File) (found []sinks.Erasure) {
	t.Helper()
	err := f.Each(t.Context(), func(some []sinks.Erasure) error {
		found = append(found, some...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(found, func(a, b sinks.Erasure) int { return int(a.Subject[0]) - int(b.Subject[0]) })
	return found
}

func TestCopySurvivesWritersThatWereInterrupted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "erasures")
	f, err := erasurefile.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if found := all(t, f); len(found) != 0 {
		t.Errorf("a new copy holds %v", found)
	}
	if err := f.Append([]sinks.Erasure{erasure(1), erasure(2)}); err != nil {
		t.Fatal(err)
	}
	half, err := os.OpenFile(filepath.Join(dir, "erasures.ndjson"), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = half.WriteString("\n" + `{"subject":"0300`)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = half.Close()
	var writers sync.WaitGroup
	for n := byte(4); n < 40; n++ {
		writers.Go(func() {
			if err := f.Append([]sinks.Erasure{erasure(n)}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	found := all(t, f)
	want := []sinks.Erasure{erasure(1), erasure(2)}
	for n := byte(4); n < 40; n++ {
		want = append(want, erasure(n))
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %d erasures, want %d", len(found), len(want))
	}
	if last, err := f.Last(); err != nil || len(last) != len(want) {
		t.Errorf("the last are %d of %d: %v", len(last), len(want), err)
	}
}
