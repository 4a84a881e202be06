package auditlog

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const proofHeader = "c2sp.org/tlog-proof@v1"

// Prove returns a self-contained proof that an entry is in the log, in the format
// of https://c2sp.org/tlog-proof with the entry itself as extra data: CheckProof
// needs only the proof and the public key. It proves inclusion under its year's
// present checkpoint, and that the tiles it was made from agree with it.
func Prove(ctx context.Context, files Files, p Position) ([]byte, error) {
	proof, err := prove(ctx, files, p)
	if err != nil {
		return nil, fmt.Errorf("prove audit entry %v: %w", p, err)
	}
	return proof, nil
}

func prove(ctx context.Context, files Files, p Position) ([]byte, error) {
	v, err := openView(ctx, files, p.Year)
	if err != nil {
		return nil, err
	}
	if p.Index < 0 || p.Index >= v.checkpoint.Size {
		return nil, fmt.Errorf("%s has %d entries: %w", v.dir, v.checkpoint.Size, fs.ErrNotExist)
	}
	entries, err := v.bundle(ctx, p.Index/tileWidth)
	if err != nil {
		return nil, err
	}
	entry := entries[p.Index%tileWidth]
	hashes, err := tlog.ProveRecord(v.checkpoint.Size, p.Index, v.hashReader(ctx))
	if err != nil {
		return nil, err
	}
	if tlog.CheckRecord(hashes, v.checkpoint.Size, v.checkpoint.Root, p.Index, tlog.RecordHash(entry)) != nil {
		return nil, errDamaged
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(entry), p.Index)
	for _, h := range hashes {
		fmt.Fprintln(&b, base64.StdEncoding.EncodeToString(h[:]))
	}
	b.WriteByte('\n')
	b.Write(v.signed)
	return b.Bytes(), nil
}

var errProof = errors.New("not a proof of " + proofHeader)

// CheckProof verifies a proof by itself and returns the entry it is about. Any
// one of the log's keys may have signed it: after a rotation, Report.Keys names
// them all.
func CheckProof(proof []byte, keys ...note.Verifier) (Record, error) {
	r, err := checkProof(string(proof), keys)
	if err != nil {
		return Record{}, fmt.Errorf("check audit proof: %w", err)
	}
	return r, nil
}

func checkProof(proof string, keys []note.Verifier) (Record, error) {
	head, signed, ok := strings.Cut(proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != proofHeader {
		return Record{}, errProof
	}
	extra, isExtra := strings.CutPrefix(lines[1], "extra ")
	indexText, isIndex := strings.CutPrefix(lines[2], "index ")
	entry, err := base64.StdEncoding.Strict().DecodeString(extra)
	index, indexErr := strconv.ParseInt(indexText, 10, 64)
	if !isExtra || !isIndex || err != nil || indexErr != nil || strconv.FormatInt(index, 10) != indexText {
		return Record{}, errProof
	}
	hashes := make(tlog.RecordProof, len(lines)-3)
	for i, line := range lines[3:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return Record{}, errProof
		}
		hashes[i] = tlog.Hash(h)
	}
	c, _, err := openCheckpoint([]byte(signed), keys...)
	if err != nil {
		return Record{}, fmt.Errorf("checkpoint %w", err)
	}
	if index < 0 || index >= c.Size ||
		tlog.CheckRecord(hashes, c.Size, c.Root, index, tlog.RecordHash(entry)) != nil {
		return Record{}, errors.New("the entry is not what the checkpoint has at this index")
	}
	e, err := Decode(entry)
	return Record{Position{c.Year, index}, e}, err
}

// hashReader reads hashes of the tree out of the tiles, and verifies every tile
// it reads against the checkpoint's root.
func (v *view) hashReader(ctx context.Context) tlog.HashReader {
	tree := tlog.Tree{N: v.checkpoint.Size, Hash: v.checkpoint.Root}
	return tlog.TileHashReader(tree, &tileReader{ctx, v})
}

// tileReader implements tlog.TileReader.
type tileReader struct {
	ctx  context.Context
	view *view
}

func (r *tileReader) Height() int { return tileHeight }

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		hashes, err := r.view.hashes(r.ctx, tile{t.L, t.N, t.W})
		if err != nil {
			return nil, err
		}
		data[i] = hashes
	}
	return data, nil
}

func (r *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// hashes returns a tile of the view's tree. One that is not written yet is made
// from the level below it.
func (v *view) hashes(ctx context.Context, t tile) ([]byte, error) {
	data, err := v.tile(ctx, t)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if t.level == 0 {
		entries, err := v.bundle(ctx, t.n)
		if err != nil {
			return nil, err
		}
		return joinHashes(leafHashes(entries[:t.width])), nil
	}
	made := make([]tlog.Hash, t.width)
	for i := range made {
		below, err := v.hashes(ctx, tile{t.level - 1, t.n*tileWidth + int64(i), tileWidth})
		if err != nil {
			return nil, err
		}
		hashes, ok := splitHashes(below)
		if !ok || len(hashes) != tileWidth {
			return nil, errDamaged
		}
		made[i] = subtreeRoot(hashes)
	}
	return joinHashes(made), nil
}
