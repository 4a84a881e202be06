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

// byteOrderMark is what some programs begin a text in UTF-8 with. It is no part of the
// first line.
var byteOrderMark = []byte("\ufeff")

// input is an opened source: its format, and its content.
type input struct {
	format config.InputFormat
	seed   sinks.ID

	disk   *diskReader
	raw    io.Reader // as it lies on disk
	closer func()
	splitter
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
		content = in.decompress(z, func() {})
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, in.unreadable(err)
		}
		content = in.decompress(z, z.Close)
	}
	head, err = io.ReadAll(io.LimitReader(content, maxLine))
	if err != nil {
		in.Close()
		return nil, in.unreadable(err)
	}
	short := len(head) < maxLine // it is all
	if rest, marked := bytes.CutPrefix(head, byteOrderMark); marked {
		head, in.offset = rest, uint64(len(byteOrderMark))
	}
	if line, several := decode.OneLine(head); several && short {
		head = line
	}
	in.from = io.MultiReader(bytes.NewReader(head), content)
	first, _, _ := bytes.Cut(head, []byte{'\n'})
	in.seed, in.format = decode.Seed(first), decode.Detect(head)
	return in, nil
}

// decompress has a stream read ahead.
func (in *input) decompress(z io.Reader, end func()) io.Reader {
	r := readAhead(z)
	in.closer = func() { r.Close(); end() }
	return r
}

// Close ends reading the source, which nobody does any more.
func (in *input) Close() { in.closer() }

// fill reads the next lines into a chunk; see splitter.
func (in *input) fill(c *chunk) error {
	err := in.splitter.fill(c)
	if err != nil && !errors.Is(err, io.EOF) {
		return in.unreadable(err)
	}
	return err
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
