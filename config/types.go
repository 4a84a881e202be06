package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// Type is a column type, written as ClickHouse writes it. Times are UTC.
type Type struct {
	name     string // without the wrappers
	nullable bool
	lowCard  bool
}

// Kind groups types by what can be done with their values.
type Kind int

// The kinds.
const (
	Text Kind = iota
	Bool
	Integer
	Float
	Time // an instant
	Day  // a calendar day
)

// kinds are the types a column may have. The list is short on purpose: each is
// written by the ingest path and compared with the live schema.
var kinds = map[string]Kind{
	"String": Text, "Bool": Bool,
	"Int8": Integer, "Int16": Integer, "Int32": Integer, "Int64": Integer,
	"UInt8": Integer, "UInt16": Integer, "UInt32": Integer, "UInt64": Integer,
	"Float32": Float, "Float64": Float,
	"DateTime": Time, "DateTime64(3)": Time, "Date": Day,
}

// ParseType reads a type such as String, LowCardinality(String), Nullable(UInt32)
// or DateTime64(3).
func ParseType(text string) (Type, error) {
	t := Type{name: strings.ReplaceAll(text, " ", "")}
	if inner, ok := unwrap(t.name, "LowCardinality"); ok {
		t.name, t.lowCard = inner, true
	}
	if inner, ok := unwrap(t.name, "Nullable"); ok {
		t.name, t.nullable = inner, true
	}
	kind, ok := kinds[t.name]
	numeric := kind == Integer || kind == Float
	if !ok || t.lowCard && kind != Text || t.nullable && !numeric {
		return Type{}, fmt.Errorf("%q is not a column type; use one of %s, LowCardinality(String), or Nullable of a number", text, strings.Join(typeNames(), ", "))
	}
	return t, nil
}

// MustType is ParseType for constants; it panics on an unknown type.
func MustType(text string) Type {
	t, err := ParseType(text)
	if err != nil {
		panic(err)
	}
	return t
}

func unwrap(text, wrapper string) (string, bool) {
	inner, ok := strings.CutPrefix(text, wrapper+"(")
	if !ok {
		return text, false
	}
	return strings.CutSuffix(inner, ")")
}

func typeNames() []string {
	names := make([]string, 0, len(kinds))
	for n := range kinds {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Kind returns the kind of t's values.
func (t Type) Kind() Kind { return kinds[t.name] }

// Name returns the type without LowCardinality and Nullable around it.
func (t Type) Name() string { return t.name }

// Nullable reports whether a value can be missing.
func (t Type) Nullable() bool { return t.nullable }

// LowCardinality reports whether the values are kept in a dictionary.
func (t Type) LowCardinality() bool { return t.lowCard }

// IsZero reports whether the type was left out.
func (t Type) IsZero() bool { return t.name == "" }

func (t Type) String() string {
	s := t.name
	if t.nullable {
		s = "Nullable(" + s + ")"
	}
	if t.lowCard {
		s = "LowCardinality(" + s + ")"
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (t *Type) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, t, ParseType) }

// JSONSchema lists the types.
func (Type) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", Description: "a column type, as ClickHouse writes it; times are UTC"}
	for _, n := range typeNames() {
		s.Enum = append(s.Enum, n)
		switch kinds[n] {
		case Text:
			s.Enum = append(s.Enum, "LowCardinality("+n+")")
		case Integer, Float:
			s.Enum = append(s.Enum, "Nullable("+n+")")
		}
	}
	return s
}

// StringList is one string or several.
type StringList []string

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (l *StringList) UnmarshalYAML(node ast.Node) error {
	nodes := []ast.Node{node}
	if sequence, ok := node.(*ast.SequenceNode); ok {
		nodes = sequence.Values
	}
	for _, n := range nodes {
		text, err := scalarText(n)
		if err != nil {
			return err
		}
		*l = append(*l, text)
	}
	return nil
}

// JSONSchema describes both forms.
func (StringList) JSONSchema() *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{text, {Type: "array", Items: text}}}
}
