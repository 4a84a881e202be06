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
	lines  *bufio.Reader
	closer func()
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
	in.lines = bufio.NewReaderSize(in.ahead, maxLine)
	head, err = in.lines.Peek(maxLine)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		in.Close()
		return nil, in.unreadable(err)
	}
	if rest, marked := bytes.CutPrefix(head, byteOrderMark); marked {
		skipped, _ := in.lines.Discard(len(byteOrderMark)) // they have been read
		in.offset, head = uint64(skipped), rest
	}
	if line, several := decode.OneLine(head); several && errors.Is(err, io.EOF) {
		in.lines, head = bufio.NewReaderSize(bytes.NewReader(line), maxLine), line
	}
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
		b, err := in.lines.ReadSlice('\n')
		in.offset += uint64(len(b))
		l := line{bytes: b, position: at}
		if errors.Is(err, bufio.ErrBufferFull) {
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

// skipLine reads to the end of a line that is too long.
func (in *input) skipLine() error {
	for {
		b, err := in.lines.ReadSlice('\n')
		in.offset += uint64(len(b))
		if !errors.Is(err, bufio.ErrBufferFull) {
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
