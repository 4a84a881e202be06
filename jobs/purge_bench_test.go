package jobs_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sys/unix"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// benchSize returns how many objects, of two versions each, the benchmark purges, and
// in how many parts. A machine that is busy with something else for a while spoils
// some of these, and not the median.
func benchSize(b *testing.B) (objects, rounds int) {
	objects, rounds = 20_000, 10
	for name, n := range map[string]*int{"LAPSE_BENCH_OBJECTS": &objects, "LAPSE_BENCH_ROUNDS": &rounds} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
		}
	}
	return objects / rounds, rounds
}

// BenchmarkPurge purges training items from a real S3 server, with everything that
// belongs to it: register, audit log, tombstones, verification. Beside it a client
// that knows nothing but to list versions and to delete them, a thousand at once,
// empties buckets with the same content: in the order of the list, and the oldest
// version first, which costs this server less.
//
// It reports how much longer than the bare clients the purge takes, and the most
// memory that this process held meanwhile. It does so for objects that are all
// registered, and for such of which every other was made from one that is.
func BenchmarkPurge(b *testing.B) {
	b.Run("Registered", func(b *testing.B) { benchmarkPurge(b, false) })
	b.Run("DerivedByRule", func(b *testing.B) { benchmarkPurge(b, true) })
}

func benchmarkPurge(b *testing.B, byRule bool) {
	n, rounds := benchSize(b)
	for b.Loop() {
		var seconds [3][]float64 // of each client
		var ofListed, ofOldest []float64
		memory := 0.0
		r := newPurgeRounds(b, n, byRule)
		for round := range rounds {
			names := r.buckets(b, round)
			clients := [3]func(){
				func() { bare(b, r.g, names[0], false) },
				func() { bare(b, r.g, names[1], true) },
				func() {
					resetPeak(b)
					report, err := r.h.runner.Run(b.Context(), r.h.purge, asOf)
					if err != nil || report.Steps < len(r.items) || report.Result != sinks.ResultDone {
						b.Fatalf("%s after %d steps, %v", report.Result, report.Steps, err)
					}
					memory = max(memory, peak(b))
				},
			}
			for i := range clients { // in turn, so that none is always the first
				c := (i + round) % len(clients)
				unix.Sync()
				seconds[c] = append(seconds[c], timed(clients[c]))
			}
			ofListed = append(ofListed, seconds[2][round]/seconds[0][round])
			ofOldest = append(ofOldest, seconds[2][round]/seconds[1][round])
			for _, name := range names {
				if held := contents(b, r.g, name); len(held) > 0 {
					b.Errorf("%d objects are left", len(held))
				}
			}
		}
		b.Logf("%d times %d objects, medians: a bare client %.2f s, one that deletes the oldest first %.2f s, the purge %.2f s",
			rounds, n, median(seconds[0]), median(seconds[1]), median(seconds[2]))
		b.ReportMetric(median(ofListed), "of-bare")
		b.ReportMetric(median(ofOldest), "of-bare-oldest-first")
		b.ReportMetric(float64(n)/median(seconds[2]), "objects/s")
		b.ReportMetric(memory, "MiB-peak")
		b.ReportMetric(0, "ns/op")
	}
}

// purgeRounds prepares what each round purges: objects of two versions, in buckets that
// are alike.
type purgeRounds struct {
	g        *sinktest.Gateway
	h        *house
	template string
	items    []string // keys
}

func newPurgeRounds(b *testing.B, n int, byRule bool) *purgeRounds {
	r := &purgeRounds{g: sinktest.StartGateway(b), h: newHouse(b, map[string]sinks.Bucket{})}
	r.template = r.g.MakeBucket(b, true, false)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("org-%02d/2024/%02d/img-%06d.jpg", i%20, i%12+1, i)
		if byRule && i%2 == 1 {
			keys[i] = "crops/" + keys[i-1] + "/face.webp"
			continue
		}
		r.items = append(r.items, keys[i])
	}
	if byRule {
		r.h.deriveBy(b, "crops/{key}/")
	}
	for range 2 {
		sinktest.Fill(b, openS3(b, r.g, r.g.Address, r.template), keys...)
	}
	return r
}

// buckets returns three buckets with the objects; those of the last belong to registered items.
func (r *purgeRounds) buckets(b *testing.B, round int) (names []string) {
	for range 3 {
		name := r.g.MakeBucket(b, true, false)
		r.g.Copy(b, r.template, name)
		names = append(names, name)
	}
	r.h.purge.Buckets["training"] = openS3(b, r.g, r.g.Address, names[2])
	items := make([]note, len(r.items))
	for i, key := range r.items {
		items[i] = item(key, complete)
		items[i].At = uploaded.Add(time.Duration(round) * time.Second) // or the file would be known already
	}
	r.h.register(b, items...)
	return names
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func timed(work func()) (seconds float64) {
	began := time.Now()
	work()
	return time.Since(began).Seconds()
}

// bare empties a bucket: it lists a page of versions, deletes it, and begins again.
func bare(b *testing.B, g *sinktest.Gateway, name string, oldestFirst bool) {
	for {
		var page []minio.ObjectInfo
		for o := range g.Client.ListObjectsIter(b.Context(), name, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
			if page = append(page, o); len(page) == sinks.DeleteTogether {
				break
			}
		}
		if len(page) == 0 {
			return
		}
		if oldestFirst {
			slices.Reverse(page)
		}
		results, err := g.Client.RemoveObjectsWithIter(context.Background(), name, slices.Values(page), minio.RemoveObjectsOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for r := range results {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
	}
}

// resetPeak lets the kernel begin anew to watch how much memory this process holds.
func resetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the peak of memory includes the preparations: ", err)
	}
}

// peak returns the most memory that this process has held, in MiB; 0 if the system
// does not say.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
