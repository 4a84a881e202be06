package auditlog

import (
	"context"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/sinks"
)

// forge makes a year's log of any entries, as somebody who has the key but not
// this package could.
func forge(t testing.TB, year int, entries [][]byte, keys ...note.Signer) memory {
	t.Helper()
	g := emptyHead(year).settled.grow(year, entries)
	m := memory{}
	for _, f := range g.tiles {
		m[f.Name] = f.Data
	}
	c := Checkpoint{Log: testLog, Year: year, Size: g.edge.tree.size, Root: g.edge.tree.root()}
	signed, err := signCheckpoint(c, keys...)
	if err != nil {
		t.Fatal(err)
	}
	m[yearName(year)+"/"+checkpointName] = signed
	return m
}

// encodeAll encodes entries as written a second apart from each other.
func encodeAll(t testing.TB, first time.Time, entries ...*sinks.Entry) [][]byte {
	t.Helper()
	encoded := make([][]byte, len(entries))
	for i, e := range entries {
		c := *e
		c.Format, c.ID, c.Time = sinks.EntryFormat, sinks.NewID(), first.Add(time.Duration(i)*time.Second)
		b, err := Encode(&c)
		if err != nil {
			t.Fatal(err)
		}
		encoded[i] = b
	}
	return encoded
}

// writeLog writes a log of batches of the given sizes into memory.
func writeLog(t testing.TB, k *PrivateKey, batches ...int) memory {
	t.Helper()
	f := openTestFolder(t, t.TempDir())
	l := openTestLog(t, f, k, atStart)
	for _, n := range batches {
		mustAppend(t, l, pairs(n)...)
	}
	_ = l.Close()
	return load(t, f)
}

// mustCommit writes a batch of n entries.
func (w *writer) mustCommit(t testing.TB, n int) {
	t.Helper()
	r, err := newRequest(pairs(n))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.commit(context.Background(), r.batch, func(time.Time) {}); err != nil {
		t.Fatal(err)
	}
}

// mustFinish writes the tiles.
func (w *writer) mustFinish(t testing.TB) {
	t.Helper()
	if err := w.finish(context.Background()); err != nil {
		t.Fatal(err)
	}
}
