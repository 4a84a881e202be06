package main

import (
	"archive/zip"
	"fmt"
	"os"
	"path/filepath"
)

// runUnpack unpacks the one archive that a pattern names into a folder.
func runUnpack(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: unpack PATTERN FOLDER")
	}
	found, err := filepath.Glob(args[0])
	if err != nil || len(found) != 1 {
		return fmt.Errorf("%d files are called %s: %w", len(found), args[0], err)
	}
	archive, err := zip.OpenReader(found[0])
	if err != nil {
		return err
	}
	defer archive.Close() //nolint:errcheck // read only
	return os.CopyFS(args[1], archive)
}
