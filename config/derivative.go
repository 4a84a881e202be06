package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// DerivativeRule says by their keys which objects of a bucket were made from a training
// item, such as crops/{key}/: all whose keys begin so, with the item's key in the place
// of {key}.
type DerivativeRule struct{ before, after string }

const derivedKey = "{key}"

// ParseDerivativeRule returns the rule that text writes.
func ParseDerivativeRule(text string) (DerivativeRule, error) {
	before, after, ok := strings.Cut(text, derivedKey)
	if !ok || after == "" || strings.Contains(after, derivedKey) || strings.HasPrefix(before, "/") {
		return DerivativeRule{}, fmt.Errorf("%q does not say what was made from an item; write how the keys begin, with {key} once in the place of the item's own and something after it, such as crops/{key}/: else what was made from img-1 could not be told from what was made from img-10", text)
	}
	return DerivativeRule{before, after}, nil
}

// Prefix returns how the keys begin of what was made from the item under a key.
func (r DerivativeRule) Prefix(item string) string { return r.before + item + r.after }

// Items returns the keys of all items from which the object under a key can have been
// made by the rule, the shortest first.
func (r DerivativeRule) Items(object string) (items []string) {
	rest, ok := strings.CutPrefix(object, r.before)
	for at := 0; ok; {
		n := strings.Index(rest[at:], r.after)
		if n < 0 {
			break
		}
		if at += n; at > 0 {
			items = append(items, rest[:at])
		}
		at++
	}
	return items
}

func (r DerivativeRule) String() string { return r.Prefix(derivedKey) }

// MarshalText implements encoding.TextMarshaler.
func (r DerivativeRule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (r *DerivativeRule) UnmarshalYAML(node ast.Node) error {
	return unmarshalScalar(node, r, ParseDerivativeRule)
}

// JSONSchema describes the notation.
func (DerivativeRule) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^[^{/][^{]*\{key\}.+$|^\{key\}.+$`, Description: "how the keys begin of what was made from an item, with {key} in the place of its own, such as crops/{key}/"}
}
