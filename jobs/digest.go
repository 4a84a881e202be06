package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

// contentDigest returns the content digest of a file as it lies in its store.
func contentDigest(ctx context.Context, inputs sinks.Inputs, f sinks.InputFile) (sinks.ID, error) {
	r, err := inputs.Open(ctx, f)
	if err != nil {
		return sinks.ID{}, err
	}
	defer r.Close() //nolint:errcheck // read only
	h := xxh3.New()
	if at, ok := r.(io.ReaderAt); ok && f.Bytes > turnSize {
		err = hashInTurns(ctx, h, at, f.Bytes)
	} else {
		_, err = io.CopyBuffer(h, r, make([]byte, readSize))
	}
	if err != nil {
		return sinks.ID{}, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return h.Sum128().Bytes(), nil
}

const (
	hashingReaders = 2
	turnSize       = 256 << 10 // still in the processor's cache when it is hashed
)

// hashInTurns writes the first bytes of r into h, in order. To read them takes several
// times as long as to hash them: while one reader hashes its turn, the other reads the
// next one.
func hashInTurns(ctx context.Context, h io.Writer, r io.ReaderAt, bytes int64) error {
	readers, ctx := errgroup.WithContext(ctx)
	var turns [hashingReaders]chan struct{}
	for i := range turns {
		turns[i] = make(chan struct{}, 1)
	}
	turns[0] <- struct{}{}
	for i, turn := range turns {
		readers.Go(func() error {
			buffer := make([]byte, turnSize)
			for at := int64(i) * turnSize; at < bytes; at += hashingReaders * turnSize {
				n, err := r.ReadAt(buffer[:min(turnSize, bytes-at)], at)
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				select {
				case <-turn:
				case <-ctx.Done():
					return ctx.Err()
				}
				if _, err := h.Write(buffer[:n]); err != nil {
					return err
				}
				turns[(i+1)%hashingReaders] <- struct{}{}
			}
			return nil
		})
	}
	return readers.Wait()
}
