package jobs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/facesoft/lapse/sinks"
)

// Lines are what stands between line breaks, wherever reads and chunks end; of one that is
// too long the beginning is told, once.
func TestLinesAreWholeWhereverReadsEnd(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 2))
	lengths := []int{0, 1, 2, 900, readSize - 1, readSize, readSize + 1, maxLine - 1, maxLine, maxLine + 1, maxLine + 3*readSize, 3 * maxLine}
	for n := range 30 {
		var content bytes.Buffer
		for range random.IntN(12) {
			content.WriteString(strings.Repeat(string(rune('a'+random.IntN(26))), lengths[random.IntN(len(lengths))]))
			content.WriteString([]string{"\n", "\r\n", "\n\n", strings.Repeat("x\n", 3*chunkLines)}[random.IntN(4)])
		}
		if n%2 == 0 {
			content.WriteString(strings.Repeat("z", lengths[random.IntN(len(lengths))]))
		}
		var want []line
		at := uint64(0)
		for whole := range bytes.SplitAfterSeq(content.Bytes(), []byte{'\n'}) {
			text := bytes.TrimSuffix(whole, []byte{'\n'})
			l := line{bytes: bytes.TrimRight(text, "\r"), position: at, tooLong: len(text) >= maxLine}
			if l.tooLong {
				l.bytes = text[:sinks.MaxRaw]
			}
			if len(l.bytes) > 0 {
				want = append(want, l)
			}
			at += uint64(len(whole))
		}
		for name, from := range map[string]io.Reader{
			"at once": bytes.NewReader(content.Bytes()), "by halves": iotest.HalfReader(bytes.NewReader(content.Bytes())), "the end with the last": iotest.DataErrReader(bytes.NewReader(content.Bytes())),
		} {
			if got := linesOf(t, from); !slices.EqualFunc(got, want, func(a, b line) bool {
				return a.position == b.position && a.tooLong == b.tooLong && bytes.Equal(a.bytes, b.bytes)
			}) {
				t.Errorf("content %d of %d bytes, read %s: %d lines, want %d", n, content.Len(), name, len(got), len(want))
			}
		}
	}
}

func linesOf(t *testing.T, from io.Reader) (lines []line) {
	s, c := splitter{from: from}, new(chunk)
	for err := error(nil); err == nil; {
		err = s.fill(c)
		if len(c.lines) > chunkLines+1 {
			t.Errorf("a chunk of %d lines", len(c.lines))
		}
		for _, l := range c.lines {
			l.bytes = bytes.Clone(l.bytes)
			lines = append(lines, l)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	return lines
}

// What was read before an error is there, and then the error.
func TestThingsMadeAheadComeInOrderAndThenWhyThereAreNoMore(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	n := 0
	a := newAhead(func(int) (int, error) {
		if n++; n == 5 {
			return n, failed
		}
		return n, nil
	}, 0, 0)
	defer a.Close()
	for want := 1; want <= 5; want++ {
		if got, err := a.next(); got != want || err != nil {
			t.Errorf("%d, %v, want %d", got, err, want)
		}
	}
	for range 2 {
		if _, err := a.next(); !errors.Is(err, failed) {
			t.Errorf("%v, want %v", err, failed)
		}
	}
}
