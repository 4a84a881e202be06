package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

// standardInput is how a path stands for the standard input.
const standardInput = "-"

// stdinDir is where the standard input waits until it is ingested: it cannot be read
// again if the run is interrupted.
func (i *installation) stdinDir() string { return filepath.Join(i.settings.DataDir, "stdin") }

// keepStdin replaces "-" among paths by a file with the standard input, readable by
// its owner alone.
func (i *installation) keepStdin(paths []string) ([]string, error) {
	n := slices.Index(paths, standardInput)
	if n < 0 {
		return paths, nil
	}
	if slices.Contains(paths[n+1:], standardInput) {
		return nil, usageError{errors.New("the standard input (-) can be named once")}
	}
	if err := os.MkdirAll(i.stdinDir(), 0o700); err != nil {
		return nil, fmt.Errorf("keep the standard input: %w", err)
	}
	f, err := os.CreateTemp(i.stdinDir(), ".reading-") // hidden, so no other run takes half of it
	if err != nil {
		return nil, fmt.Errorf("keep the standard input: %w", err)
	}
	_, err = io.Copy(f, i.app.in)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the standard input: %w", err), os.Remove(f.Name()))
	}
	path := filepath.Join(i.stdinDir(), sinks.NewID().String())
	if err := os.Rename(f.Name(), path); err != nil {
		return nil, fmt.Errorf("keep the standard input: %w", err)
	}
	i.stdin = path
	paths = slices.Clone(paths)
	paths[n] = path
	return paths, nil
}

// dropStdin deletes what was kept of the standard input, once it is ingested or was
// only looked at. What is not ingested stays, and is read by the next run.
func (i *installation) dropStdin() error {
	if i.stdin == "" {
		return nil
	}
	if err := os.Remove(i.stdin); err != nil {
		return fmt.Errorf("delete what was kept of the standard input: %w", err)
	}
	i.stdin = ""
	return nil
}
