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
	maxLine   = 1 << 20 // longer records are quarantined, cut
	keptOfRaw = 64 << 10
)

// input is an opened source: its format, and its lines with their places.
type input struct {
	format config.InputFormat
	seed   sinks.ID

	raw    io.Reader // as it lies on disk
	lines  *bufio.Reader
	closer func()
	offset uint64 // of the next line, decompressed
}

// openSource finds out, by its content and not by its name, how a source is
// compressed and in which format it is.
func openSource(raw io.Reader) (*input, error) {
	in := &input{closer: func() {}}
	compressed := bufio.NewReaderSize(raw, 256<<10)
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
			return nil, fmt.Errorf("%w: not readable as gzip: %w", sinks.ErrInvalidInput, err)
		}
		content = z
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, fmt.Errorf("%w: not readable as zstd: %w", sinks.ErrInvalidInput, err)
		}
		content, in.closer = z, z.Close
	}
	in.lines = bufio.NewReaderSize(content, maxLine)
	head, err = in.lines.Peek(maxLine)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, unreadable(err)
	}
	first, _, _ := bytes.Cut(head, []byte{'\n'})
	in.seed, in.format = decode.Seed(first), decode.Detect(head)
	return in, nil
}

func (in *input) Close() { in.closer() }

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
			l.bytes = bytes.Clone(b[:keptOfRaw])
			err = in.skipLine()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return l, unreadable(err)
		}
		l.bytes = bytes.TrimRight(l.bytes, "\r\n")
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

// drain reads what is left of the file behind its content.
func (in *input) drain() error {
	_, err := io.Copy(io.Discard, in.raw)
	return err
}

// unreadable marks an error of decompression as the input's fault.
func unreadable(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, zstd.ErrCRCMismatch) || errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		return fmt.Errorf("%w: the compressed stream is damaged: %w", sinks.ErrInvalidInput, err)
	}
	return err
}
