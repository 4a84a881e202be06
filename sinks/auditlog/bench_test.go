package auditlog

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// BenchmarkDurableAppends writes with 8 writers at once, each waiting for its
// entry to be durable.
func BenchmarkDurableAppends(b *testing.B) {
	l := openTestLog(b, openTestFolder(b, b.TempDir()), testKey(b), time.Now)
	entries := pairs(b.N + 8)
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < b.N; i += 8 {
				mustAppend(b, l, entries[i])
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkOneAppend writes one entry at a time.
func BenchmarkOneAppend(b *testing.B) {
	l := openTestLog(b, openTestFolder(b, b.TempDir()), testKey(b), time.Now)
	times := make([]time.Duration, 0, b.N)
	for _, e := range pairs(b.N) {
		begin := time.Now()
		mustAppend(b, l, e)
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-p99")
}

// millionEntries is the log that the verification benchmarks read.
const millionEntries = 1_000_000

func bigLog(tb testing.TB, n int) (string, *PrivateKey) {
	dir, k := tb.TempDir(), testKey(tb)
	l := openTestLog(tb, openTestFolder(tb, dir), k, time.Now)
	for n > 0 {
		batch := min(n, 4096)
		mustAppend(tb, l, pairs(batch)...)
		n -= batch
	}
	return dir, k
}

// BenchmarkVerifyMillion reports the time of verification as a ratio to hashing
// the same leaves and nodes with crypto/sha256 in one goroutine, and in as many
// as verification uses.
func BenchmarkVerifyMillion(b *testing.B) {
	dir, k := bigLog(b, millionEntries)
	files, key := ReadFolder(dir), testVerifier(b, k)
	b.ResetTimer()
	for range b.N {
		bare, bareBytes := hashBare(b, files)
		begin := time.Now()
		r, err := Verify(context.Background(), files, key, VerifyOptions{})
		if err != nil || r.Entries != millionEntries {
			b.Fatal(err)
		}
		took := time.Since(begin)
		b.ReportMetric(bare.Seconds(), "s-sha256")
		b.ReportMetric(float64(bareBytes)/millionEntries, "B/entry")
		b.ReportMetric(took.Seconds(), "s-verify")
		b.ReportMetric(took.Seconds()/bare.Seconds(), "ratio")
	}
}

// hashBare returns how long SHA-256 takes for a log's leaves and nodes, without
// reading the files.
func hashBare(b *testing.B, files Files) (time.Duration, int64) {
	var took time.Duration
	var size int64
	var leaf [1 + MaxEntrySize]byte
	node := [1 + 2*sha256.Size]byte{1}
	v, err := newestView(context.Background(), files)
	if err != nil {
		b.Fatal(err)
	}
	for n := int64(0); n*tileWidth < v.checkpoint.Size; n++ {
		entries, err := v.bundle(context.Background(), n)
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		for _, e := range entries {
			size += int64(len(e))
			copy(leaf[1:], e)
			h := sha256.Sum256(leaf[:1+len(e)])
			copy(node[1:], h[:])
			h = sha256.Sum256(node[:])
			node[1] ^= h[0]
		}
		took += time.Since(begin)
	}
	return took, size
}

var _ = tlog.HashSize
