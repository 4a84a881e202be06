package bucket

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestNotMoreIsDeletedInASecondThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100)
		began := time.Now()
		for range 5 {
			if err := p.wait(t.Context(), sinks.DeleteTogether); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 49*time.Second || took > 51*time.Second { // the first 100 are free
			t.Errorf("5,000 objects at 100 a second took %v", took)
		}
	})
}

func TestFolderIsEmptiedAtThePaceOfItsSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(config.BucketSettings{Path: dir, Rate: 10})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close() //nolint:errcheck // nothing is written any more
		keys := make([]string, 100)
		for i := range keys {
			keys[i] = fmt.Sprintf("a/%03d", i)
		}
		sinktest.Fill(t, b, keys...)
		for what, do := range map[string]func(){
			"looking for them": func() { sinktest.Found(t, b, keys...) },
			"listing them":     func() { sinktest.Listed(t, b, "a/") },
		} {
			took(t, what, 10*time.Second, do)
		}
		found := sinktest.Found(t, b, keys...)
		took(t, "deleting them", 10*time.Second, func() { sinktest.Clear(t, b, found) })
	})
}

// took fails the test unless something took about so long by the bubble's clock.
func took(t *testing.T, what string, want time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took < want-time.Second || took > want+time.Second { // a second's worth is free
		t.Errorf("%s took %v, want about %v", what, took, want)
	}
}
