package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// Files are input files on the local disk: single files, patterns (as of
// path/filepath.Match), and folders with all files below them. Hidden files and
// folders are passed over.
type Files struct {
	paths     []string
	processed string // folder that files are moved to
}

var _ sinks.DisposableInputs = (*Files)(nil)

// NewFiles returns the files at paths.
func NewFiles(paths ...string) *Files { return &Files{paths: paths} }

// MovingTo returns the same files, with the folder that they are moved to.
func (f *Files) MovingTo(dir string) *Files { return &Files{f.paths, dir} }

// List implements sinks.Inputs. A file that is named twice is listed once.
func (f *Files) List(ctx context.Context) ([]sinks.InputFile, error) {
	var files []sinks.InputFile
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if path != root && strings.HasPrefix(entry.Name(), ".") {
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			if entry.IsDir() {
				return ctx.Err()
			}
			info, err := os.Stat(path) // a link's target
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			files = append(files, sinks.InputFile{Path: path, Bytes: info.Size()})
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list input: %s does not exist", root)
		}
		if err != nil {
			return nil, fmt.Errorf("list input: %w", err)
		}
	}
	slices.SortFunc(files, func(a, b sinks.InputFile) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(files, func(a, b sinks.InputFile) bool { return a.Path == b.Path }), nil
}

// roots returns the paths, with those in place of a pattern that it stands for. What
// is there under a pattern's own name is no pattern.
func (f *Files) roots() ([]string, error) {
	var roots []string
	for _, path := range f.paths {
		if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(path, "*?[") {
			roots = append(roots, path)
			continue
		}
		found, err := filepath.Glob(path)
		if err != nil {
			return nil, fmt.Errorf("list input: %s: %w", path, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("list input: nothing is called %s", path)
		}
		roots = append(roots, found...)
	}
	return roots, nil
}

// Open implements sinks.Inputs. It gives no more of the file than there was when
// it was listed: what is being appended meanwhile is for the next run. The content is an
// io.ReaderAt, too.
func (f *Files) Open(_ context.Context, file sinks.InputFile) (io.ReadCloser, error) {
	opened, err := os.Open(file.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open input: %w: %s", sinks.ErrSourceMissing, file.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("open input: %w", err)
	}
	return struct {
		*io.SectionReader
		io.Closer
	}{io.NewSectionReader(opened, 0, file.Bytes), opened}, nil
}
