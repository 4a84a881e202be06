package decode

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestMarksTellWhereStringsMayEnd compares both ways to find the marks, in windows that
// begin anywhere, with a look at every byte.
func TestMarksTellWhereStringsMayEnd(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 7, 63, 64, 65, 128, 1000, windowSize - 1, windowSize, windowSize + 1, 3*windowSize + 70} {
		for _, often := range []int{1, 20, 500, 1 << 30} {
			data, foreign := make([]byte, size), false
			for i := range data {
				if data[i] = byte(' ' + random.IntN(95)); random.IntN(often) == 0 {
					data[i] = byte(random.IntN(256))
				}
				foreign = foreign || data[i] >= 0x80
			}
			var m marks
			m.look(data, 0)
			for at := range data {
				want := size
				if i := bytes.IndexFunc(data[at:], func(r rune) bool { return r == '"' || r == '\\' || r < ' ' }); i >= 0 {
					want = at + i
				}
				if got := min(m.next(data, at), size); got != want {
					t.Fatalf("%d of %d bytes: the next mark is at %d, want %d", at, size, got, want)
				}
			}
			if m.foreign != foreign {
				t.Errorf("%d bytes: foreign is %v", size, m.foreign)
			}
			blocks := size / blockSize
			quick, plain := make([]uint8, 8*blocks), make([]uint8, 8*blocks)
			if mark(data, quick) != markPlainly(data, plain) || !bytes.Equal(quick, plain) {
				t.Errorf("%d bytes are marked as %x, want %x", size, quick, plain)
			}
		}
	}
}
