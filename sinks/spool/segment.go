package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// Modes of what a spool makes: personal data are for their owner alone.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// openPrefix begins the names of segments that are being written. It hides them
// from ingest, which passes over hidden files.
const openPrefix = ".open-"

// file is a segment's file. It writes at its end.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, fileMode)
}

// segment is the file that is being written.
type segment struct {
	path    string
	file    file
	since   time.Time
	durable int64 // so much of it is known to be on disk
	torn    bool  // whether something may stand beyond that
	named   bool  // whether it has its visible name
}

// timeInName begins the name of a segment: names sort by the time of their making.
const timeInName = "20060102T150405.000000Z"

// newest returns the time in the name of the newest segment, zero if there is none.
func newest(dir string) (latest time.Time, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range entries {
		text, _, _ := strings.Cut(e.Name(), "-")
		if at, err := time.Parse(timeInName, text); err == nil && at.After(latest) {
			latest = at
		}
	}
	return latest, nil
}

// createSegment makes an empty segment, durable under its hidden name.
func createSegment(dir string, made, now time.Time, create func(string) (file, error)) (*segment, error) {
	name := made.UTC().Format(timeInName) + "-" + sinks.NewID().String()[:8] + ".ndjson"
	path := filepath.Join(dir, openPrefix+name)
	f, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	if err := syncFolder(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("create segment: %w", err), f.Close(), os.Remove(path))
	}
	return &segment{path: path, file: f, since: now}, nil
}

// append writes what a group wants stored and syncs it, all or nothing: after an
// error what was written is taken back before anything else is written.
func (g *segment) append(group []request) error {
	if len(group) == 0 {
		return nil
	}
	if err := g.mend(); err != nil {
		return err
	}
	g.torn = true
	size := int64(0)
	for _, r := range group {
		n, err := g.file.Write(r.lines)
		if err != nil {
			return errors.Join(err, g.mend())
		}
		size += int64(n)
	}
	if err := g.file.Sync(); err != nil {
		return errors.Join(err, g.mend())
	}
	g.durable += size
	g.torn = false
	return nil
}

// mend cuts off what may stand beyond the durable part.
func (g *segment) mend() error {
	if !g.torn {
		return nil
	}
	if err := g.file.Truncate(g.durable); err != nil {
		return err
	}
	if err := g.file.Sync(); err != nil {
		return err
	}
	g.torn = false
	return nil
}

// close gives the segment its visible name; if nothing is in it, it is removed. It
// may be repeated.
func (g *segment) close() error {
	if err := g.mend(); err != nil {
		return err
	}
	if !g.named {
		if err := reveal(g.path, g.durable); err != nil {
			return err
		}
		g.named = true
	}
	if err := syncFolder(filepath.Dir(g.path)); err != nil {
		return err
	}
	_ = g.file.Close() // everything in it has been synced
	return nil
}

// reveal gives a segment of the given size its visible name. The folder remains to
// be synced.
func reveal(path string, size int64) error {
	if size == 0 {
		return os.Remove(path)
	}
	dir, name := filepath.Split(path)
	return os.Rename(path, filepath.Join(dir, strings.TrimPrefix(name, openPrefix)))
}

// settle closes the segments that a crash has left open.
func settle(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), openPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		size, err := cut(path)
		if err == nil {
			err = reveal(path, size)
		}
		if err != nil {
			return fmt.Errorf("close a segment that a crash has left: %w", err)
		}
	}
	return syncFolder(dir)
}

// cut takes off what stands beyond the last whole line, and returns what is left.
// After a power failure a file may end in NUL bytes where nothing was synced; no
// line holds one.
func cut(path string) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = wholeLines(f); err != nil {
		return 0, err
	}
	if err := f.Truncate(size); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// wholeLines returns how many bytes the whole lines at the beginning of r take.
func wholeLines(r io.Reader) (int64, error) {
	var read, whole int64
	for buffer := make([]byte, 64<<10); ; {
		n, err := r.Read(buffer)
		text, _, damaged := bytes.Cut(buffer[:n], []byte{0})
		if end := bytes.LastIndexByte(text, '\n'); end >= 0 {
			whole = read + int64(end) + 1
		}
		read += int64(n)
		if damaged || errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// asFull marks the error of a full disk as what it is for a sender.
func asFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", sinks.ErrFull, err)
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
