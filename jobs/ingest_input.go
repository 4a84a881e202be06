package jobs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/decode"
	"github.com/facesoft/lapse/sinks"
)

const (
	maxLine  = 1 << 20   // longer records are quarantined, cut
	readSize = 128 << 10 // at once: what was read is in the processor's cache when it is decoded
)

// byteOrderMark is what some programs begin a text in UTF-8 with. It is no part of the
// first line.
var byteOrderMark = []byte("\ufeff")

// input is an opened source: its format, and its lines with their places.
type input struct {
	format config.InputFormat
	seed   sinks.ID

	disk   *diskReader
	raw    io.Reader // as it lies on disk
	ahead  *readAhead
	closer func()
	rest   []byte // of what has been read: the next lines
	across []byte // a line that began in one piece and ended in another
	offset uint64 // of the next line, decompressed
}

// openSource finds out, by its content and not by its name, how a source is
// compressed and in which format it is.
func openSource(raw io.Reader) (*input, error) {
	in := &input{disk: &diskReader{Reader: raw}, closer: func() {}}
	compressed := bufio.NewReaderSize(in.disk, readSize)
	in.raw = compressed
	head, err := compressed.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	content := io.Reader(compressed)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(compressed)
		if err != nil {
			return nil, in.unreadable(err)
		}
		content = z
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, in.unreadable(err)
		}
		content, in.closer = z, z.Close
	}
	in.ahead = newReadAhead(content)
	for err = nil; len(in.rest) < maxLine && err == nil; {
		var more []byte
		more, err = in.ahead.next()
		in.rest = append(in.rest, more...)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		in.Close()
		return nil, in.unreadable(err)
	}
	if rest, marked := bytes.CutPrefix(in.rest, byteOrderMark); marked {
		in.rest, in.offset = rest, uint64(len(byteOrderMark))
	}
	if line, several := decode.OneLine(in.rest); several && err != nil {
		in.rest = line
	}
	head = in.rest[:min(len(in.rest), maxLine)]
	first, _, _ := bytes.Cut(head, []byte{'\n'})
	in.seed, in.format = decode.Seed(first), decode.Detect(head)
	return in, nil
}

// Close returns when nothing more is read from the source.
func (in *input) Close() {
	in.ahead.Close()
	in.closer()
}

// line is one record of a source.
type line struct {
	bytes    []byte // without its line break; valid until the next call
	position uint64
	tooLong  bool // bytes is only its beginning
}

// next returns the next line that is not empty, or io.EOF.
func (in *input) next() (line, error) {
	for {
		at := in.offset
		b, err := in.readLine()
		in.offset += uint64(len(b))
		l := line{bytes: b, position: at}
		if errors.Is(err, errTooLong) {
			l.tooLong = true
			l.bytes = bytes.Clone(b[:sinks.MaxRaw])
			err = in.skipLine()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return l, in.unreadable(err)
		}
		for n := len(l.bytes); n > 0 && (l.bytes[n-1] == '\n' || l.bytes[n-1] == '\r'); n-- {
			l.bytes = l.bytes[:n-1]
		}
		if len(l.bytes) > 0 {
			return l, nil
		}
		if err != nil {
			return l, io.EOF
		}
	}
}

// errTooLong says that a line has more than maxLine bytes.
var errTooLong = errors.New("the line is too long")

// readLine returns the next line with its line break, valid until the next call; without
// one, and why, what is there before the end, or the next maxLine bytes of a longer line.
func (in *input) readLine() (line []byte, err error) {
	if i := bytes.IndexByte(in.rest, '\n'); i >= 0 && i < maxLine { // nearly all
		line, in.rest = in.rest[:i+1], in.rest[i+1:]
		return line, nil
	}
	for in.across = in.across[:0]; err == nil; in.rest, err = in.ahead.next() {
		part := in.rest[:min(len(in.rest), maxLine-len(in.across))]
		i := bytes.IndexByte(part, '\n')
		if i >= 0 {
			part = part[:i+1]
		}
		in.across, in.rest = append(in.across, part...), in.rest[len(part):]
		if i >= 0 {
			return in.across, nil
		}
		if len(in.across) == maxLine {
			return in.across, errTooLong
		}
	}
	return in.across, err
}

// skipLine reads to the end of a line that is too long.
func (in *input) skipLine() error {
	for {
		b, err := in.readLine()
		in.offset += uint64(len(b))
		if !errors.Is(err, errTooLong) {
			return err
		}
	}
}

// drain reads what is left of the file behind its content, of which all has been read.
func (in *input) drain() error {
	_, err := io.Copy(io.Discard, in.raw)
	return err
}

// unreadable marks an error as the input's fault, if it is not the disk's.
func (in *input) unreadable(err error) error {
	if in.disk.err != nil {
		return err
	}
	return fmt.Errorf("%w: the compressed stream is damaged: %w", sinks.ErrInvalidInput, err)
}

// diskReader remembers whether reading the file itself has failed.
type diskReader struct {
	io.Reader
	err error
}

func (r *diskReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
