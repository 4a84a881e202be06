package config

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml/ast"
)

// Size is a number of bytes, written such as 64MiB or 8GB.
type Size int64

// ParseSize reads a number of bytes with or without a unit.
func ParseSize(text string) (Size, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<60 {
		return 0, fmt.Errorf("%q is not a size; write a number of bytes such as 64MiB or 8GB", text)
	}
	return Size(n), nil
}

func (s Size) String() string { return humanize.IBytes(uint64(s)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *Size) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, s, ParseSize) }
