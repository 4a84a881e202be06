package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// inputs are the paths that are read if none are named: those of the settings, the
// spool, whose open segments are hidden, and what a failed run has left of the
// standard input.
func (i *installation) inputs() []string {
	paths := slices.Clip(i.settings.Inputs)
	for _, dir := range []string{i.settings.SpoolDir(), i.stdinDir()} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			paths = append(paths, dir)
		}
	}
	return paths
}

// collected is input of which the spool is a part. What lies there is read as calls
// of the Segment specification, whatever its content looks like: senders choose the
// content, and may not speak for the training register by it.
type collected struct {
	sinks.Inputs
	spool string
}

// List implements sinks.Inputs.
func (c collected) List(ctx context.Context) ([]sinks.InputFile, error) {
	files, err := c.Inputs.List(ctx)
	spool, missing := os.Stat(c.spool)
	if err != nil || missing != nil {
		return files, err
	}
	for i := range files {
		if folder, err := os.Stat(filepath.Dir(files[i].Path)); err == nil && os.SameFile(folder, spool) {
			files[i].Format = string(config.Segment)
		}
	}
	return files, nil
}
