package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/facesoft/lapse/sinks"
)

// Remove implements sinks.DisposableInputs.
func (f *Files) Remove(_ context.Context, file sinks.InputFile) error {
	if err := os.Remove(file.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete input: %w", err)
	}
	if err := syncFolder(filepath.Dir(file.Path)); err != nil {
		return fmt.Errorf("delete input: %w", err)
	}
	if _, err := os.Lstat(file.Path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete input: %w: %s is there still", sinks.ErrVerification, file.Path)
	}
	return nil
}

// Move implements sinks.DisposableInputs. The processed files lie in a folder a day.
func (f *Files) Move(ctx context.Context, file sinks.InputFile, on sinks.Day, name string) error {
	if f.processed == "" {
		return errors.New("move input: there is no folder to move it to")
	}
	dir := filepath.Join(f.processed, on.String())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("move input: %w", err)
	}
	to := filepath.Join(dir, name)
	err := os.Rename(file.Path, to)
	if errors.Is(err, syscall.EXDEV) {
		if err = copyFile(file.Path, to); err == nil {
			return errors.Join(syncFolder(dir), f.Remove(ctx, file))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Lstat(to); there == nil {
			return nil
		}
	}
	if err = errors.Join(err, syncFolder(dir), syncFolder(f.processed)); err != nil {
		return fmt.Errorf("move input: %w", err)
	}
	return syncFolder(filepath.Dir(file.Path))
}

// Processed implements sinks.DisposableInputs.
func (f *Files) Processed(ctx context.Context) (processed []sinks.ProcessedFile, err error) {
	if f.processed == "" {
		return nil, nil
	}
	days, err := os.ReadDir(f.processed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list processed input: %w", err)
	}
	for _, entry := range days {
		var day sinks.Day
		if err := day.UnmarshalText([]byte(entry.Name())); err != nil || !entry.IsDir() {
			continue
		}
		files, err := NewFiles(filepath.Join(f.processed, entry.Name())).List(ctx)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			processed = append(processed, sinks.ProcessedFile{InputFile: file, On: day})
		}
	}
	return processed, nil
}

// copyFile copies a file; the copy has its name when it is whole and durable.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	out, err := os.CreateTemp(filepath.Dir(to), ".moving-")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}

func syncFolder(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}
