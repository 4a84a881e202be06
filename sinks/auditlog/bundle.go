package auditlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

const lengthSize = 2 // bytes of an entry's length in a bundle, big-endian

var errBundle = errors.New("lengths of the entries do not add up to the file")

// appendEntry appends an entry to a bundle of tlog-tiles.
func appendEntry(bundle, entry []byte) []byte {
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...)
}

// splitBundle appends the entries of a bundle to dst. They share its memory.
func splitBundle(dst [][]byte, bundle []byte) ([][]byte, error) {
	for len(bundle) > 0 {
		if len(bundle) < lengthSize {
			return dst, errBundle
		}
		end := lengthSize + int(binary.BigEndian.Uint16(bundle))
		if end > len(bundle) {
			return dst, errBundle
		}
		dst = append(dst, bundle[lengthSize:end:end])
		bundle = bundle[end:]
	}
	return dst, nil
}

// cutBundle returns the first width entries of a bundle, still encoded.
func cutBundle(bundle []byte, width int) ([]byte, error) {
	end := 0
	for range width {
		if len(bundle) < end+lengthSize {
			return nil, errBundle
		}
		end += lengthSize + int(binary.BigEndian.Uint16(bundle[end:]))
	}
	if end > len(bundle) {
		return nil, errBundle
	}
	return bundle[:end:end], nil
}

// leafHashes returns the hashes of a tile at level 0.
func leafHashes(entries [][]byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(entries))
	for i, e := range entries {
		hashes[i] = tlog.RecordHash(e)
	}
	return hashes
}

const sizeBytes = 8 // of the size a staged batch begins with, big-endian

var errStaging = errors.New("staged batch does not lead to its checkpoint")

// encodeStaging returns a staged batch: the size of the log before it, and its
// entries as in a bundle, however many there are.
func encodeStaging(from int64, entries [][]byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(from))
	for _, e := range entries {
		b = appendEntry(b, e)
	}
	return b
}

// decodeStaging is the inverse of encodeStaging, for a batch that led to size.
func decodeStaging(b []byte, size int64) (from int64, entries [][]byte, err error) {
	if len(b) < sizeBytes {
		return 0, nil, errStaging
	}
	from = int64(binary.BigEndian.Uint64(b))
	entries, err = splitBundle(nil, b[sizeBytes:])
	if err != nil || from < 0 || from >= size || from+int64(len(entries)) != size {
		return 0, nil, errStaging
	}
	return from, entries, nil
}

// loadStaged returns the entries between a size for which all tiles are written
// and the view's checkpoint; none if they are written for the checkpoint.
func loadStaged(ctx context.Context, v *view) (from int64, entries [][]byte, err error) {
	name := stagingName(v.checkpoint.Size, v.checkpoint.Root)
	data, err := v.read(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	if err == nil {
		from, entries, err = decodeStaging(data, v.checkpoint.Size)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", v.name(name), err)
	}
	return from, entries, nil
}
