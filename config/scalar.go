package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// unmarshalScalar parses the text of a scalar node into *dst. Its error carries
// the node, from which the loader takes the line and column.
func unmarshalScalar[T any](node ast.Node, dst *T, parse func(string) (T, error)) error {
	text, err := scalarText(node)
	if err != nil {
		return err
	}
	if *dst, err = parse(text); err != nil {
		return &nodeError{node, err.Error()}
	}
	return nil
}

func scalarText(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case ast.ScalarNode:
		return strings.TrimSpace(n.GetToken().Value), nil
	}
	return "", &nodeError{node, "want one value here, not a list or a mapping"}
}

// nodeError is a fault at a place in a YAML file.
type nodeError struct {
	node    ast.Node
	problem string
}

func (e *nodeError) Error() string { return e.problem }

// Date is a calendar day.
type Date struct{ t time.Time }

// ParseDate reads YYYY-MM-DD.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date; write YYYY-MM-DD", text)
	}
	return Date{t}, nil
}

// Start returns the first instant of d in zone.
func (d Date) Start(zone *time.Location) time.Time {
	return time.Date(d.t.Year(), d.t.Month(), d.t.Day(), 0, 0, 0, 0, zone)
}

// IsZero reports whether d was left out.
func (d Date) IsZero() bool { return d.t.IsZero() }

func (d Date) String() string { return d.t.Format(time.DateOnly) }

// MarshalText implements encoding.TextMarshaler.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (d *Date) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, d, ParseDate) }

// JSONSchema describes the notation.
func (Date) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: "date", Description: "a calendar day, YYYY-MM-DD"}
}

// Zone is a time zone of the IANA database, such as Europe/London.
type Zone struct{ location *time.Location }

// ParseZone looks a zone up by its name.
func ParseZone(name string) (Zone, error) {
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return Zone{}, fmt.Errorf("%q is not a time zone; write an IANA name such as Europe/London or UTC", name)
	}
	return Zone{location}, nil
}

// Location returns the zone; UTC if it was left out.
func (z Zone) Location() *time.Location {
	if z.location == nil {
		return time.UTC
	}
	return z.location
}

func (z Zone) String() string { return z.Location().String() }

// MarshalText implements encoding.TextMarshaler.
func (z Zone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (z *Zone) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, z, ParseZone) }

// JSONSchema describes the notation.
func (Zone) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: "an IANA time zone name such as Europe/London"}
}

// Share is a part of a whole, from 0 to 1.
type Share float64

// ParseShare reads 0.04 or 4%.
func ParseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share; write a number from 0 to 1 such as 0.04, or a percentage such as 4%%", text)
	}
	return Share(v), nil
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *Share) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, s, ParseShare) }

// JSONSchema describes both notations.
func (Share) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		OneOf:       []*jsonschema.Schema{{Type: "number", Minimum: "0", Maximum: "1"}, {Type: "string", Pattern: `^[0-9.]+ *%$`}},
		Description: "a share, such as 0.04 or 4%",
	}
}
