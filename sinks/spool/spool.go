package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/facesoft/lapse/sinks"
)

const (
	// groupBytes bounds what is written before a sync.
	groupBytes = 4 << 20
	// measureInterval is how often a full spool looks whether there is room again.
	measureInterval = time.Second
	lockName        = ".lock" // hidden, as segments are that are being written
)

// Options say where a spool is and how large it may become.
type Options struct {
	Dir          string
	SegmentBytes int64         // a segment is closed once it holds this much
	SegmentAge   time.Duration // or is this old
	MaxBytes     int64         // of all segments together
	// Warn is told of errors that no sender hears of. It may be nil.
	Warn func(error)
}

// Spool implements sinks.Spool in a folder. One process at a time has it open.
type Spool struct {
	options  Options
	now      func() time.Time
	open     func(path string) (file, error)
	lock     *flock.Flock
	requests chan request
	closing  chan struct{} // closed by Close
	closed   chan struct{} // closed when the last segment is
	once     sync.Once
	err      error // of closing

	// What follows belongs to the goroutine that writes.
	segment  *segment  // nil where none is open
	latest   time.Time // in the name of the newest segment
	others   int64     // bytes of the segments beside it
	measured time.Time
	group    []request
}

var _ sinks.Spool = (*Spool)(nil)

// request is what one sender wants stored.
type request struct {
	lines []byte
	done  chan error
}

// Open opens the spool in a folder, which is made if it does not exist, and closes
// the segments that a crash has left open. It fails with sinks.ErrUnavailable while
// another process has it open.
func Open(o Options, now func() time.Time) (*Spool, error) { return open(o, now, createFile) }

func open(o Options, now func() time.Time, create func(string) (file, error)) (*Spool, error) {
	if err := makeFolder(o.Dir); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock := flock.New(filepath.Join(o.Dir, lockName), flock.SetPermissions(fileMode))
	mine, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if !mine {
		return nil, fmt.Errorf("open spool: %w: another process collects into %s", sinks.ErrUnavailable, o.Dir)
	}
	s := &Spool{
		options: o, now: now, open: create, lock: lock,
		requests: make(chan request), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	err = settle(o.Dir)
	if err == nil {
		s.latest, err = newest(o.Dir)
	}
	if err := errors.Join(err, s.measure()); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), lock.Unlock())
	}
	go s.write()
	return s, nil
}

// makeFolder makes the folder and its name durable, and closes it to others.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// Append implements sinks.Spool.
func (s *Spool) Append(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	if lines[len(lines)-1] != '\n' {
		return errors.New("append to spool: the last line does not end")
	}
	r := request{lines, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.done
	case <-ctx.Done():
		return fmt.Errorf("append to spool: %w", ctx.Err())
	case <-s.closing:
		return fmt.Errorf("append to spool: %w: it is closed", sinks.ErrUnavailable)
	}
}

// Close closes the segment that is being written, and the spool.
func (s *Spool) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.closed
	return s.err
}

// write is the one goroutine that writes: while it waits for the disk, senders
// gather, and are then served together.
func (s *Spool) write() {
	defer close(s.closed)
	look := time.NewTicker(max(s.options.SegmentAge/4, 10*time.Millisecond))
	defer look.Stop()
	for {
		select {
		case r := <-s.requests:
			s.gather(r)
			s.commit()
		case <-look.C:
			if s.due() {
				s.warn(s.closeSegment())
			}
		case <-s.closing:
			s.err = errors.Join(s.closeSegment(), s.lock.Unlock())
			return
		}
	}
}

// gather takes the requests that are waiting.
func (s *Spool) gather(first request) {
	s.group = append(s.group[:0], first)
	for size := len(first.lines); size < groupBytes; {
		select {
		case r := <-s.requests:
			s.group = append(s.group, r)
			size += len(r.lines)
		default:
			return
		}
	}
}

// commit stores a group and answers.
func (s *Spool) commit() {
	defer clear(s.group) // holds the senders' bytes
	if err := s.ready(); err != nil {
		answer(s.group, err)
		return
	}
	fitting := s.group[:0]
	var size int64
	for _, r := range s.group {
		if !s.fits(size + int64(len(r.lines))) {
			r.done <- fmt.Errorf("append to spool: %w", sinks.ErrFull)
			continue
		}
		fitting = append(fitting, r)
		size += int64(len(r.lines))
	}
	answer(fitting, s.segment.append(fitting))
}

func answer(group []request, err error) {
	if err != nil {
		err = fmt.Errorf("append to spool: %w", asFull(err))
	}
	for _, r := range group {
		r.done <- err
	}
}

// ready sees to it that there is a segment to write to.
func (s *Spool) ready() error {
	if s.due() {
		if err := s.closeSegment(); err != nil {
			return err
		}
	}
	if s.segment != nil {
		return nil
	}
	if !s.fits(1) {
		return sinks.ErrFull
	}
	now := s.now()
	made := now.Truncate(time.Microsecond)
	if !made.After(s.latest) { // the clock stands or was put back
		made = s.latest.Add(time.Microsecond)
	}
	created, err := createSegment(s.options.Dir, made, now, s.open)
	if err != nil {
		return err
	}
	s.segment, s.latest = created, made
	return nil
}

// due reports whether the segment has to be closed.
func (s *Spool) due() bool {
	return s.segment != nil && s.segment.durable > 0 &&
		(s.segment.durable >= s.options.SegmentBytes || s.now().Sub(s.segment.since) >= s.options.SegmentAge)
}

// closeSegment gives the segment its visible name.
func (s *Spool) closeSegment() error {
	if s.segment == nil {
		return nil
	}
	size, err := s.segment.durable, s.segment.close()
	if err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	s.segment = nil
	s.others += size
	s.warn(s.measure())
	return nil
}

// fits reports whether there is room for so many bytes more.
func (s *Spool) fits(size int64) bool {
	if s.segment != nil {
		size += s.segment.durable
	}
	if s.others+size <= s.options.MaxBytes {
		return true
	}
	if now := s.now(); now.Sub(s.measured) < measureInterval && !now.Before(s.measured) {
		return false
	}
	s.warn(s.measure())
	return s.others+size <= s.options.MaxBytes
}

// measure adds up what the segments beside the open one hold: others remove them.
func (s *Spool) measure() error {
	s.measured = s.now()
	entries, err := os.ReadDir(s.options.Dir)
	if err != nil {
		return fmt.Errorf("measure spool: %w", err)
	}
	var total int64
	for _, e := range entries {
		if s.segment != nil && e.Name() == filepath.Base(s.segment.path) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() { // else removed meanwhile
			total += info.Size()
		}
	}
	s.others = total
	return nil
}

func (s *Spool) warn(err error) {
	if err != nil && s.options.Warn != nil {
		s.options.Warn(err)
	}
}
