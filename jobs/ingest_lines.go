package jobs

import (
	"bytes"
	"errors"
	"io"

	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

const (
	maxLine    = 1 << 20   // longer records are quarantined, cut
	readSize   = 128 << 10 // at once: what was read is in the processor's cache when it is decoded
	chunkLines = 1 << 10   // at most: what is found in each takes room
)

// chunk is some whole lines of a source.
type chunk struct {
	text    []byte // that they stand in
	lines   []line
	scanned decode.Scanned // those that are not too long
}

// line is one record of a source.
type line struct {
	bytes    []byte // without its line break; never empty
	position uint64
	tooLong  bool // bytes is only its beginning
	scanned  int  // index in the chunk's, if it is not too long
}

// splitter cuts a source's content into lines.
type splitter struct {
	from   io.Reader
	offset uint64 // of the next line, decompressed
	rest   []byte // of what has been read: the next lines, or the beginning of one
	lines  bool   // rest has whole ones
	inside bool   // a line that is too long, of which more follows
	err    error  // why no more can be read
}

// fill reads the next lines into a chunk; there may be none. With io.EOF come the last.
func (s *splitter) fill(c *chunk) error {
	c.lines, c.text = c.lines[:0], append(c.text[:0], s.rest...)
	if !s.lines {
		s.read(c)
	}
	text, end := c.text, 0
	for s.lines = false; len(c.lines) < chunkLines; text = text[end+1:] {
		if end = bytes.IndexByte(text, '\n'); end < 0 {
			break
		}
		s.cut(c, text[:end], end+1)
	}
	if s.lines = end >= 0; s.lines {
		s.rest = append(s.rest[:0], text...)
		return nil
	}
	if len(text) > 0 && (s.inside || len(text) >= maxLine || errors.Is(s.err, io.EOF)) {
		s.cut(c, text, len(text))
		s.inside, text = true, nil
	}
	s.rest = append(s.rest[:0], text...)
	return s.err
}

// read appends the next readSize bytes to a chunk.
func (s *splitter) read(c *chunk) {
	from := len(c.text)
	if cap(c.text) < from+readSize {
		c.text = append(make([]byte, 0, from+readSize), c.text...)
	}
	var n int
	n, s.err = readFull(s.from, c.text[from:from+readSize])
	c.text = c.text[:from+n]
}

// cut takes a line, or what is left of one, of which the source has so many bytes with its
// line break.
func (s *splitter) cut(c *chunk, text []byte, size int) {
	l := line{bytes: text, position: s.offset}
	s.offset += uint64(size)
	if s.inside {
		s.inside = false
		return
	}
	if l.tooLong = len(text) >= maxLine; l.tooLong {
		l.bytes = text[:sinks.MaxRaw]
	}
	for n := len(l.bytes); n > 0 && l.bytes[n-1] == '\r'; n-- {
		l.bytes = l.bytes[:n-1]
	}
	if len(l.bytes) > 0 {
		c.lines = append(c.lines, l)
	}
}
