package traffic

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Create opens the named output file for writing. Names use forward slashes.
type Create func(name string) (io.WriteCloser, error)

// monthly writes lines into one file a calendar month (UTC) of their arrival.
// Lines come in ascending order; a month without lines has no file.
type monthly struct {
	create            Create
	folder, extension string
	compressor        resetter // nil for none

	until  instant // first instant after the open file's month
	file   io.WriteCloser
	buffer *bufio.Writer
	files  []*File // all files so far, the open one last
}

// resetter is a compressor that can begin a new file.
type resetter interface {
	io.WriteCloser
	Reset(io.Writer)
}

func newMonthly(create Create, folder, extension string, c Compression) (*monthly, error) {
	m := &monthly{create: create, folder: folder, extension: extension, buffer: bufio.NewWriterSize(nil, 256<<10)}
	var err error
	switch c {
	case Gzip:
		m.extension += ".gz"
		m.compressor, err = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	case Zstd:
		m.extension += ".zst"
		m.compressor, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	return m, nil
}

// write appends a line, which ends with a newline, to the file of the given
// month and returns that file's account.
func (m *monthly) write(at instant, line []byte) (*File, error) {
	if at >= m.until {
		if err := m.open(at); err != nil {
			return nil, err
		}
	}
	if _, err := m.buffer.Write(line); err != nil {
		return nil, fmt.Errorf("write %s: %w", m.files[len(m.files)-1].Name, err)
	}
	return m.files[len(m.files)-1], nil
}

func (m *monthly) open(at instant) error {
	if err := m.close(); err != nil {
		return err
	}
	name := m.folder + "/" + at.time().Format("2006-01") + m.extension
	file, err := m.create(name)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	m.file, m.until = file, at.nextMonth()
	m.files = append(m.files, newFile(name))
	if m.compressor == nil {
		m.buffer.Reset(file)
		return nil
	}
	m.compressor.Reset(file)
	m.buffer.Reset(m.compressor)
	return nil
}

// close ends the open file, if there is one, and closes it in any case.
func (m *monthly) close() error {
	if m.file == nil {
		return nil
	}
	err := m.buffer.Flush()
	if m.compressor != nil {
		err = errors.Join(err, m.compressor.Close())
	}
	err = errors.Join(err, m.file.Close())
	m.file, m.until = nil, 0
	if err != nil {
		return fmt.Errorf("close %s: %w", m.files[len(m.files)-1].Name, err)
	}
	return nil
}
