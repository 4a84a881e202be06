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
		var l line
		if len(lines.Bytes()) == 0 || json.Unmarshal(lines.Bytes(), &l) != nil {
			continue
		}
		e := sinks.Erasure{Until: l.Until, Request: l.Request}
		if n, err := hex.Decode(e.Subject[:], []byte(l.Subject)); err != nil || n != len(e.Subject) {
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
