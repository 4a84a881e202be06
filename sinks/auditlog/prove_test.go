package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/facesoft/lapse/sinks"
)

func TestProofStandsAlone(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	for name, m := range map[string]memory{
		"one entry": writeLog(t, k, 1),
		"settled":   writeLog(t, k, 300, 400),
		"staged":    stagedLog(t, k),
	} {
		ctx := context.Background()
		_, c, err := Newest(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		for index := range c.Size {
			p := Position{2026, index}
			proof, err := Prove(ctx, m, p)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r, err := CheckProof(proof, testVerifier(t, k))
			if err != nil || r.Position != p {
				t.Fatalf("%s: %v, %v", name, r, err)
			}
			if index == c.Size/2 {
				found, err := Find(ctx, m, r.Entry.ID)
				if err != nil || found != p {
					t.Errorf("%s: found at %v, %v; want %v", name, found, err, p)
				}
			}
		}
		if _, err := Prove(ctx, m, Position{2026, c.Size}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want %v", name, err, fs.ErrNotExist)
		}
		if _, err := Find(ctx, m, sinks.ID{9}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want %v", name, err, fs.ErrNotExist)
		}
	}
}

// TestEveryBitOfAProofMatters flips each bit of a proof. In the signature line,
// bits that only make it another key's do not make it a valid one.
func TestEveryBitOfAProofMatters(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	proof, err := Prove(context.Background(), writeLog(t, k, 300), Position{2026, 258})
	if err != nil {
		t.Fatal(err)
	}
	want, err := CheckProof(proof, testVerifier(t, k))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(proof) {
		flipped := bytes.Clone(proof)
		flip{"", bit}.apply(flipped)
		got, err := CheckProof(flipped, testVerifier(t, k))
		// Base64 has spare bits at the end of a signature, which sign nothing.
		if err == nil && (bit/8 < len(proof)-4 || got.Position != want.Position || got.Entry.ID != want.Entry.ID) {
			t.Errorf("bit %d of %d changes nothing", bit, 8*len(proof))
		}
	}
}

func TestProofOfADamagedLogIsRefused(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	m := writeLog(t, k, 300)
	for _, name := range []string{"2026/tile/entries/000", "2026/tile/0/000", "2026/tile/1/000.p/1", "2026/tile/0/001.p/44"} {
		c := m.clone()
		c[name][len(c[name])-7] ^= 1
		if _, err := Prove(context.Background(), c, Position{2026, 255}); err == nil {
			t.Errorf("an entry was proved with a damaged %s", name)
		}
	}
	if _, err := CheckProof([]byte("x"), testVerifier(t, k)); err == nil {
		t.Error("not a proof, but accepted")
	}
}
