package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/facesoft/lapse/jobs/traffic"
)

// inputFolder is where the demo's input files lie.
func (d *demo) inputFolder() string { return filepath.Join(d.dir, "input") }

// makeInput makes the company's data up. The images go into the bucket.
func (d *demo) makeInput(ctx context.Context) (err error) {
	m := newMeter(d.errors, d.log, d.output == "json")
	defer m.stop()
	var told func(done, total int)
	if m.writer != nil {
		m.tracker = &progress.Tracker{Message: "making data up"}
		m.writer.AppendTracker(m.tracker)
		told = func(done, total int) {
			m.tracker.UpdateTotal(int64(total))
			m.tracker.SetValue(int64(done))
		}
	}
	d.truth, err = traffic.Generate(ctx, d.traffic, d.create, told)
	if err == nil && d.output != "json" {
		total := traffic.Total(append(append(append([]*traffic.File{}, d.truth.Telemetry...), d.truth.Access...), d.truth.Manifests...)).Total
		m.stop()
		d.say("made up: %d people, %d records in %d lines (%d duplicates, %d broken), %d images\n",
			d.traffic.People, total.Records, total.Lines, total.Duplicates, total.Broken, len(d.truth.Training.Items))
	}
	return err
}

// create opens one of the generator's outputs.
func (d *demo) create(name string) (io.WriteCloser, error) {
	path := filepath.Join(d.inputFolder(), filepath.FromSlash(name))
	if key, ok := strings.CutPrefix(name, "bucket/"); ok {
		path = filepath.Join(d.settings.Buckets[0].Path, filepath.FromSlash(key))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &bufferedFile{bufio.NewWriterSize(f, 256<<10), f}, nil
}

type bufferedFile struct {
	*bufio.Writer
	file *os.File
}

func (f *bufferedFile) Close() error { return errors.Join(f.Flush(), f.file.Close()) }

// inputsBefore lists the files that had been received by a date: those of the
// months that had ended.
func (d *demo) inputsBefore(date time.Time) []string {
	var paths []string
	for _, files := range [][]*traffic.File{d.truth.Telemetry, d.truth.Access, d.truth.Manifests} {
		for _, f := range files {
			month, _, _ := strings.Cut(filepath.Base(f.Name), ".")
			if begun, err := time.Parse("2006-01", month); err == nil && !begun.AddDate(0, 1, 0).After(date) {
				paths = append(paths, filepath.Join(d.inputFolder(), filepath.FromSlash(f.Name)))
			}
		}
	}
	return paths
}
