package auditlog

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
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

// BenchmarkOneAppend writes one entry at a time, and beside each one its bytes to
// the end of a plain file, with an fsync: what durability costs at the least. An
// append syncs a file with the batch, the checkpoint, and the directories that name
// them.
func BenchmarkOneAppend(b *testing.B) {
	l := openTestLog(b, openTestFolder(b, b.TempDir()), testKey(b), time.Now)
	plain, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close() //nolint:errcheck // a test's
	var appends, syncs []time.Duration
	for _, e := range pairs(b.N) {
		begin := time.Now()
		mustAppend(b, l, e)
		appends = append(appends, time.Since(begin))
		encoded := mustEncode(b, e)
		begin = time.Now()
		if _, err := plain.Write(encoded); err != nil {
			b.Fatal(err)
		}
		if err := plain.Sync(); err != nil {
			b.Fatal(err)
		}
		syncs = append(syncs, time.Since(begin))
	}
	slices.Sort(appends)
	slices.Sort(syncs)
	median, bare := appends[len(appends)/2], syncs[len(syncs)/2]
	b.ReportMetric(float64(median.Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(appends[len(appends)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(bare.Microseconds())/1000, "ms-fsync")
	b.ReportMetric(median.Seconds()/bare.Seconds(), "ratio")
}

// millionEntries is the size of the log that is verified.
const millionEntries = 1_000_000

// bigLog writes a log like that of a busy installation: runs of some hundred
// steps on changing datasets and days, with counts and times of their own.
func bigLog(tb testing.TB, dir string, k *PrivateKey, n int) {
	clock := &clock{t: start}
	l := openTestLog(tb, openTestFolder(tb, dir), k, clock.now)
	datasets := []sinks.Name{sinks.MustName("page_views"), sinks.MustName("uploads"), sinks.MustName("sessions")}
	for batch := 0; n > 0; batch++ {
		clock.set(clock.t.Add(time.Second))
		entries := pairs(min(n, 4096))
		for i, e := range entries {
			e.Run, e.AsOf = sinks.ID{byte(batch), byte(i / 400), 1}, clock.t.Add(-time.Minute)
			e.Dataset = datasets[i/2%len(datasets)]
			e.Partition.Day -= sinks.Day(i / 2 % 500)
			for c := range e.Counts {
				e.Counts[c] = uint64(i*7919+len(c)) % 100_000
			}
			for s := range e.Stages {
				e.Stages[s].Time = clock.t.Add(time.Duration(i) * time.Millisecond)
			}
			e.Query[1] = byte(i % 6 / 2)
		}
		mustAppend(tb, l, entries...)
		n -= len(entries)
	}
	_ = l.Close()
}

// BenchmarkVerifyMillion reports the time of verification as a ratio to the time
// that crypto/sha256 takes for the same leaves and nodes, in one goroutine and
// without reading them from files, and the most memory that a process which
// verifies the log ever has. On a machine that others use, too, the ratio of
// processor time tells more than that of time: verification uses all processors.
func BenchmarkVerifyMillion(b *testing.B) {
	dir, k := b.TempDir(), testKey(b)
	bigLog(b, dir, k, millionEntries)
	files, key := ReadFolder(dir), testVerifier(b, k)
	var bare, took, bareUsed, used []time.Duration
	b.ResetTimer()
	for range b.N {
		hashing, processor := hashBare(b, files)
		bare, bareUsed = append(bare, hashing), append(bareUsed, processor)
		begin, before := time.Now(), processorTime(b)
		r, err := Verify(context.Background(), files, key, VerifyOptions{})
		if err != nil || r.Entries != millionEntries {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		used = append(used, processorTime(b)-before)
	}
	b.StopTimer()
	slices.Sort(bare)
	slices.Sort(took)
	slices.Sort(used)
	slices.Sort(bareUsed)
	hash, verify := bare[len(bare)/2], took[len(took)/2]
	b.ReportMetric(hash.Seconds(), "s-sha256")
	b.ReportMetric(verify.Seconds(), "s-verify")
	b.ReportMetric(verify.Seconds()/hash.Seconds(), "ratio")
	b.ReportMetric(used[len(used)/2].Seconds()/bareUsed[len(used)/2].Seconds(), "cpu-ratio")
	out, err := helper("verify", dir, []*PrivateKey{k}, 0).Output()
	if err != nil {
		b.Fatal(err)
	}
	kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(kib)/1024, "MiB-peak")
}

// processorTime returns what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkProof makes inclusion proofs in a log of a million entries, and checks
// them.
func BenchmarkProof(b *testing.B) {
	dir, k := b.TempDir(), testKey(b)
	bigLog(b, dir, k, millionEntries)
	files, key := ReadFolder(dir), testVerifier(b, k)
	b.ResetTimer()
	var checking time.Duration
	for i := range b.N {
		proof, err := Prove(context.Background(), files, Position{start.Year(), int64(i) * 7919 % millionEntries})
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if _, err := CheckProof(proof, key); err != nil {
			b.Fatal(err)
		}
		checking += time.Since(begin)
	}
	n := time.Duration(b.N)
	b.ReportMetric(float64((b.Elapsed()-checking)/n)/1e6, "ms-prove")
	b.ReportMetric(float64(checking/n)/1e6, "ms-check")
}

// hashBare returns how long SHA-256 takes for a log's leaves and nodes, and how much
// of that it has a processor, without reading the files.
func hashBare(b *testing.B, files Files) (took, used time.Duration) {
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
		begin, before := time.Now(), processorTime(b)
		for _, e := range entries {
			copy(leaf[1:], e)
			h := sha256.Sum256(leaf[:1+len(e)])
			copy(node[1:], h[:])
			h = sha256.Sum256(node[:])
			node[1] ^= h[0]
		}
		took += time.Since(begin)
		used += processorTime(b) - before
	}
	return took, used
}
