// Package erasurefile keeps the erasure ledger a second time, outside ClickHouse: who
// restores a backup of ClickHouse restores the ledger of that day with it, and those who
// were erased since would be back. It is one file of lines that are only ever added to,
// each with the keyed hash of an identifier, and nothing by which anybody could be known.
//
// A line that was being written when the machine stopped is ignored, and the next one
// begins anew. Several processes may write at once.
package erasurefile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// File is the ledger's file in a folder.
type File struct{ path string }

// Open returns the ledger in a folder, which is made if it does not exist.
func Open(dir string) (*File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the copy of the erasure ledger: %w", err)
	}
	return &File{filepath.Join(dir, "erasures.ndjson")}, nil
}

// line is one erasure. Its fields are short, because there are as many as identifiers.
type line struct {
	Subject string    `json:"subject"` // hexadecimal
	Until   time.Time `json:"until"`
	Request sinks.ID  `json:"request"`
}

// Append adds erasures and returns when they are durable.
func (f *File) Append(erasures []sinks.Erasure) error {
	if len(erasures) == 0 {
		return nil
	}
	b := bytes.NewBufferString("\n") // ends what an interrupted writer has left
	for _, e := range erasures {
		raw, err := json.Marshal(line{hex.EncodeToString(e.Subject[:]), e.Until, e.Request})
		if err != nil {
			return err
		}
		b.Write(append(raw, '\n'))
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write the copy of the erasure ledger: %w", err)
	}
	_, err = file.Write(b.Bytes()) // one call: writers do not mix
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write the copy of the erasure ledger: %w", err)
	}
	return f.syncFolder()
}

func (f *File) syncFolder() error {
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return fmt.Errorf("write the copy of the erasure ledger: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Each calls each with the erasures in the file, some at a time, until it returns an
// error; it may not keep them.
func (f *File) Each(ctx context.Context, each func([]sinks.Erasure) error) error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the copy of the erasure ledger: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	const together = 1000
	some := make([]sinks.Erasure, 0, together)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		e, ok := parse(lines.Bytes())
		if !ok {
			continue
		}
		if some = append(some, e); len(some) < together {
			continue
		}
		if err := errors.Join(each(some), ctx.Err()); err != nil {
			return err
		}
		some = some[:0]
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the copy of the erasure ledger: %w", err)
	}
	if len(some) == 0 {
		return nil
	}
	return each(some)
}

// parse reads a line. One that was not written to its end is none.
func parse(text []byte) (e sinks.Erasure, ok bool) {
	var l line
	if len(text) == 0 || json.Unmarshal(text, &l) != nil {
		return e, false
	}
	subject, err := hex.DecodeString(l.Subject)
	if err != nil || len(subject) != len(e.Subject) {
		return e, false
	}
	return sinks.Erasure{Subject: sinks.SubjectKey(subject), Until: l.Until, Request: l.Request}, true
}

// tail is how much of the file Last reads: some hundred erasures.
const tail = 64 << 10

// Last returns the latest erasures in the file, some, or none if there are none.
func (f *File) Last() (last []sinks.Erasure, err error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the copy of the erasure ledger: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	end, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = file.Seek(max(end-tail, 0), io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("read the copy of the erasure ledger: %w", err)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if e, ok := parse(lines.Bytes()); ok { // the first may be half of one
			last = append(last, e)
		}
	}
	return last, lines.Err()
}
