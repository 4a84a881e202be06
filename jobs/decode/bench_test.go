package decode

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
)

// BenchmarkDecode reads events of about a kilobyte with the columns of the policy
// that comes with the program. The processor time is what to look at on a machine
// that others use too.
func BenchmarkDecode(b *testing.B) {
	p, err := config.ParsePolicy("facesoft.yaml", config.Facesoft)
	if err != nil {
		b.Fatal(err)
	}
	d, err := New(p, config.Segment, Resources{})
	if err != nil {
		b.Fatal(err)
	}
	lines := benchLines(b, 16<<10)
	from := Origin{Now: time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC)}
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	b.SetBytes(int64(size / len(lines)))
	began := processorTime(b)
	for i := 0; b.Loop(); i++ {
		if i == len(lines) {
			i = 0
			for _, block := range d.Blocks() {
				block.Reset()
			}
		}
		if fate := d.Decode(lines[i], from); fate.Reason != Stored {
			b.Fatalf("%s: %+v", lines[i], fate)
		}
	}
	b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
}

func processorTime(tb testing.TB) int64 {
	tb.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func benchLines(tb testing.TB, n int) [][]byte {
	tb.Helper()
	c := traffic.Default()
	c.Months, c.People, c.Events, c.AccessLines, c.Images, c.Compression, c.Dirt = 1, 300, n, 0, 0, traffic.None, traffic.Dirt{Skewed: 0.03, Late: 0.02}
	var all bytes.Buffer
	_, err := traffic.Generate(context.Background(), c, func(name string) (io.WriteCloser, error) {
		if strings.HasPrefix(name, "telemetry/") {
			return discarding{&all}, nil
		}
		return discarding{io.Discard}, nil
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(all.Bytes(), []byte{'\n'}), []byte{'\n'})
}

type discarding struct{ io.Writer }

func (discarding) Close() error { return nil }
