package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// Position is the place of an entry: the year of its log, and its index there.
// Its text form is "2026/123".
type Position struct {
	Year  int   `json:"year"` // UTC
	Index int64 `json:"index"`
}

func (p Position) String() string { return yearName(p.Year) + "/" + strconv.FormatInt(p.Index, 10) }

// ParsePosition is the inverse of String.
func ParsePosition(s string) (Position, error) {
	yearText, indexText, _ := strings.Cut(s, "/")
	year, ok := parseYear(yearText)
	index, err := strconv.ParseInt(indexText, 10, 64)
	p := Position{year, index}
	if !ok || err != nil || index < 0 || p.String() != s {
		return Position{}, errors.New("parse position: want YEAR/INDEX, such as 2026/123")
	}
	return p, nil
}

// Find returns the place of the entry with an ID, looking from the newest back.
// It is fs.ErrNotExist if there is none. It trusts the store.
func Find(ctx context.Context, files Files, id sinks.ID) (Position, error) {
	opened, err := views(ctx, files)
	if err != nil {
		return Position{}, fmt.Errorf("find audit entry: %w", err)
	}
	for _, v := range slices.Backward(opened) {
		for n := (v.checkpoint.Size - 1) / tileWidth; n >= 0; n-- {
			i, err := v.find(ctx, n, id)
			if err != nil {
				return Position{}, fmt.Errorf("find audit entry: %w", err)
			}
			if i >= 0 {
				return Position{v.checkpoint.Year, n*tileWidth + int64(i)}, nil
			}
		}
	}
	return Position{}, fmt.Errorf("find audit entry: no entry has this ID: %w", fs.ErrNotExist)
}

// find returns where in a bundle an ID is, or -1. No other member of an entry, at
// any depth, is named id, so the text can stand nowhere else.
func (v *view) find(ctx context.Context, n int64, id sinks.ID) (int, error) {
	entries, err := v.bundle(ctx, n)
	text := []byte(`"id":"` + id.String() + `"`)
	return slices.IndexFunc(entries, func(e []byte) bool { return bytes.Contains(e, text) }), err
}
