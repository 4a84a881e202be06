package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/bucket"
)

// inputs are the paths that are read if none are named: those of the settings, the
// spool, whose open segments are hidden, and what a failed run has left of the
// standard input.
func (i *installation) inputs() []string {
	paths := slices.Clip(i.settings.Inputs)
	for _, dir := range []string{i.settings.SpoolDir(), i.settings.NotesDir(), i.stdinDir()} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			paths = append(paths, dir)
		}
	}
	return paths
}

// processedDir is where input files are moved once they are ingested, if the policy
// says so.
func (i *installation) processedDir() string { return filepath.Join(i.settings.DataDir, "processed") }

// collected are input files and objects, with what Lapse has collected itself among
// them. What lies in the spool is read as calls of the Segment specification, whatever
// its content looks like: senders choose the content, and may not speak for the
// training register by it. Notes about training items have a folder of their own.
type collected struct {
	files               *bucket.Files
	objects             *bucket.Objects
	spool, notes, stdin string
}

var _ sinks.DisposableInputs = collected{}

// collected returns the files and objects at paths.
func (i *installation) collected(paths []string) collected {
	var files, objects []string
	for _, path := range paths {
		if strings.HasPrefix(path, bucket.ObjectScheme) {
			objects = append(objects, path)
		} else {
			files = append(files, path)
		}
	}
	return collected{
		files: bucket.NewFiles(files...).MovingTo(i.processedDir()), objects: bucket.NewObjects(i.readable, objects...),
		spool: i.settings.SpoolDir(), notes: i.settings.NotesDir(), stdin: i.stdinDir(),
	}
}

// List implements sinks.Inputs.
func (c collected) List(ctx context.Context) ([]sinks.InputFile, error) {
	files, err := c.files.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range files {
		switch {
		case lies(files[i], c.spool):
			files[i].Format, files[i].Own = string(config.Segment), true
		case lies(files[i], c.notes):
			files[i].Format, files[i].Own = string(config.TrainingNotes), true
		case lies(files[i], c.stdin):
			files[i].Own = true
		}
	}
	objects, err := c.objects.List(ctx)
	return append(files, objects...), err
}

// lies reports whether a file lies in a folder.
func lies(f sinks.InputFile, dir string) bool {
	folder, err := os.Stat(filepath.Dir(f.Path))
	if err != nil {
		return false
	}
	wanted, err := os.Stat(dir)
	return err == nil && os.SameFile(folder, wanted)
}

// of returns the store in which a file lies.
func (c collected) of(f sinks.InputFile) sinks.DisposableInputs {
	if strings.HasPrefix(f.Path, bucket.ObjectScheme) {
		return c.objects
	}
	return c.files
}

// Open implements sinks.Inputs.
func (c collected) Open(ctx context.Context, f sinks.InputFile) (io.ReadCloser, error) {
	return c.of(f).Open(ctx, f)
}

// Remove implements sinks.DisposableInputs.
func (c collected) Remove(ctx context.Context, f sinks.InputFile) error {
	return c.of(f).Remove(ctx, f)
}

// Move implements sinks.DisposableInputs.
func (c collected) Move(ctx context.Context, f sinks.InputFile, on sinks.Day, name string) error {
	return c.of(f).Move(ctx, f, on, name)
}

// Processed implements sinks.DisposableInputs.
func (c collected) Processed(ctx context.Context) ([]sinks.ProcessedFile, error) {
	return c.files.Processed(ctx)
}
