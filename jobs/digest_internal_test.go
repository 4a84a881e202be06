package jobs

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
)

// The digest stands for a file in the ledger: however the file is read, it is the XXH3 of
// its bytes, up to where it ended when it was listed.
func TestContentDigestIsThatOfTheListedBytes(t *testing.T) {
	t.Parallel()
	content := make([]byte, 5*turnSize+123)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, turnSize - 1, turnSize, turnSize + 1, 2 * turnSize, 3*turnSize - 1, 4*turnSize + 7, len(content), len(content) + 2*turnSize} {
		got, err := contentDigest(t.Context(), bucket.NewFiles(path), sinks.InputFile{Path: path, Bytes: int64(n)})
		if want := xxh3.Hash128(content[:min(n, len(content))]).Bytes(); err != nil || got != sinks.ID(want) {
			t.Errorf("of %d bytes: %v, %v, want %x", n, got, err, want)
		}
	}
}

// failingAt cannot be read from a place on.
type failingAt int64

var errDisk = errors.New("the disk is broken")

func (f failingAt) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(f) {
		return 0, errDisk
	}
	return len(p), nil
}

func TestHashingInTurnsEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	for turn := range int64(4) {
		if err := hashInTurns(t.Context(), io.Discard, failingAt(turn*turnSize), 64*turnSize); !errors.Is(err, errDisk) {
			t.Errorf("reading fails in turn %d: %v", turn, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if err := hashInTurns(ctx, io.Discard, failingAt(1<<62), 1<<62); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its time: %v", err)
	}
}
