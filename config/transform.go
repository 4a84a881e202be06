package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// Transform is one level of a generalisation hierarchy. In a policy it is a word
// (hour, url_path, any, …), a word with numbers ({bands: [0, 10, 100]}) or with a text
// ({constant: withheld}).
type Transform struct {
	Name    TransformName
	Numbers []int64
	Text    string `json:",omitempty"` // that a constant puts in the place of every value

	// Hierarchy and Level say which level it is of which hierarchy, where the column
	// has one.
	Hierarchy *Hierarchy `json:"-"`
	Level     int        `json:",omitempty"`
}

// TransformName names a way to generalise a value.
type TransformName string

// The transforms. What has no transform does not leave the personal tables.
const (
	Keep         TransformName = "keep"          // the value as it is
	Any          TransformName = "any"           // "*": every value alike
	Constant     TransformName = "constant"      // {constant: withheld}: that text for every value
	Hour         TransformName = "hour"          // start of the hour, UTC
	ToDay        TransformName = "day"           // start of the day, UTC
	Week         TransformName = "week"          // Monday of the week, UTC
	Month        TransformName = "month"         // first day of the month, UTC
	URLPath      TransformName = "url_path"      // path without scheme, host, query and fragment
	URLRoute     TransformName = "url_route"     // the path with numbers and long tokens replaced by ":id"
	URLSection   TransformName = "url_section"   // first segment of the path
	URLHost      TransformName = "url_host"      // host without port; a literal address becomes "(address)"
	Major        TransformName = "major"         // what stands before the first dot of a version
	BeforeHyphen TransformName = "before_hyphen" // "en-GB" becomes "en"
	Bands        TransformName = "bands"         // {bands: [0, 10, 100]}: "<0", "0-9", "10-99", "100+"
	Coded        TransformName = "coded"         // {coded: [18, 90]}: bottom and top coding: "<18", 18 to 89 as they are, "90+"
	IPPrefix     TransformName = "ip_prefix"     // {ip_prefix: [24, 48]}: network of an IPv4 and an IPv6 address
	ByHierarchy  TransformName = "hierarchy"     // a level of the column's hierarchy; a policy names it there
)

// longestConstant bounds the text of a constant, in bytes.
const longestConstant = 64

// transformRule says what a transform takes.
type transformRule struct {
	kinds   []Kind
	numbers bool
	text    bool
}

var transformRules = map[TransformName]transformRule{
	Keep:         {kinds: []Kind{Text, Bool, Integer, Day}},
	Any:          {kinds: []Kind{Text, Bool, Integer, Float, Day}}, // a time stays within its partition
	Constant:     {kinds: []Kind{Text, Bool, Integer, Float, Day}, text: true},
	Hour:         {kinds: []Kind{Time}},
	ToDay:        {kinds: []Kind{Time}},
	Week:         {kinds: []Kind{Time, Day}},
	Month:        {kinds: []Kind{Time, Day}},
	URLPath:      {kinds: []Kind{Text}},
	URLRoute:     {kinds: []Kind{Text}},
	URLSection:   {kinds: []Kind{Text}},
	URLHost:      {kinds: []Kind{Text}},
	Major:        {kinds: []Kind{Text}},
	BeforeHyphen: {kinds: []Kind{Text}},
	Bands:        {kinds: []Kind{Integer, Float}, numbers: true},
	Coded:        {kinds: []Kind{Integer}, numbers: true},
	IPPrefix:     {kinds: []Kind{Text}, numbers: true},
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (t *Transform) UnmarshalYAML(node ast.Node) error {
	if mapping, ok := node.(*ast.MappingNode); ok && len(mapping.Values) == 1 {
		return t.unmarshalMapping(mapping.Values[0])
	}
	if value, ok := node.(*ast.MappingValueNode); ok {
		return t.unmarshalMapping(value)
	}
	text, err := scalarText(node)
	if err != nil {
		return err
	}
	t.Name = TransformName(text)
	return nil
}

func (t *Transform) unmarshalMapping(value *ast.MappingValueNode) error {
	t.Name = TransformName(value.Key.GetToken().Value)
	if transformRules[t.Name].text {
		var err error
		t.Text, err = scalarText(value.Value)
		return err
	}
	sequence, ok := value.Value.(*ast.SequenceNode)
	if !ok {
		return &nodeError{value, fmt.Sprintf("want a list of numbers after %q", t.Name)}
	}
	for _, n := range sequence.Values {
		number, err := strconv.ParseInt(n.GetToken().Value, 10, 64)
		if err != nil {
			return &nodeError{n, fmt.Sprintf("%q is not a whole number", n.GetToken().Value)}
		}
		t.Numbers = append(t.Numbers, number)
	}
	return nil
}

// problem says what is wrong with applying t to values of type from, if anything.
func (t Transform) problem(from Type) string {
	rule, ok := transformRules[t.Name]
	if t.Hierarchy != nil {
		rule, ok = transformRule{kinds: []Kind{Text, Bool, Integer, Day}}, true
	}
	switch {
	case !ok:
		return fmt.Sprintf("%q is not a transform; use one of %s", t.Name, strings.Join(transformNames(), ", "))
	case !slices.Contains(rule.kinds, from.Kind()):
		return fmt.Sprintf("%q does not apply to %s", t.Name, from)
	case rule.numbers != (len(t.Numbers) > 0):
		return fmt.Sprintf("%q takes %s", t.Name, map[bool]string{true: "a list of numbers", false: "no numbers"}[rule.numbers])
	case rule.text && (t.Text == "" || len(t.Text) > longestConstant):
		return fmt.Sprintf("%q takes a text of at most %d bytes, as {%s: withheld}", t.Name, longestConstant, t.Name)
	case t.Name == Coded && (len(t.Numbers) != 2 || t.Numbers[0] >= t.Numbers[1]):
		return "coded takes two bounds that ascend: what is below the first and what is from the second on is not told apart"
	case t.Name == Bands && !slices.IsSorted(t.Numbers):
		return "the bounds of bands must ascend"
	case t.Name == IPPrefix && !(len(t.Numbers) == 2 && between(t.Numbers[0], 0, 24) && between(t.Numbers[1], 0, 48)):
		return "ip_prefix takes two lengths, of at most 24 bits for IPv4 and 48 for IPv6"
	}
	return ""
}

// ResultType returns the type of the published column, given its source's. Time
// levels give a DateTime; a lone "keep" keeps the type; all else is text.
func (c PublishedColumn) ResultType(from Type) Type {
	switch {
	case !c.InClass():
		return from
	case from.Kind() == Time:
		return MustType("DateTime")
	case len(c.Levels) == 1 && c.Levels[0].Name == Keep && !from.Nullable():
		return from
	}
	return MustType("LowCardinality(String)")
}

func between(n, low, high int64) bool { return low <= n && n <= high }

func transformNames() []string {
	names := make([]string, 0, len(transformRules))
	for n := range transformRules {
		names = append(names, string(n))
	}
	slices.Sort(names)
	return names
}

func (t Transform) String() string {
	if t.Hierarchy != nil {
		return fmt.Sprintf("level %d of %s", t.Level, t.Hierarchy)
	}
	if t.Text != "" {
		return fmt.Sprintf("%s %q", t.Name, t.Text)
	}
	if len(t.Numbers) == 0 {
		return string(t.Name)
	}
	return fmt.Sprintf("%s %v", t.Name, t.Numbers)
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (t Transform) MarshalYAML() (any, error) {
	if t.Text != "" {
		return map[string]string{string(t.Name): t.Text}, nil
	}
	if len(t.Numbers) == 0 {
		return string(t.Name), nil
	}
	return map[string][]int64{string(t.Name): t.Numbers}, nil
}

// JSONSchema describes the forms.
func (Transform) JSONSchema() *jsonschema.Schema {
	words := &jsonschema.Schema{Type: "string"}
	forms := []*jsonschema.Schema{words}
	for _, n := range transformNames() {
		takes := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "integer"}}
		switch rule := transformRules[TransformName(n)]; {
		case rule.text:
			takes = &jsonschema.Schema{Type: "string"}
		case !rule.numbers:
			words.Enum = append(words.Enum, n)
			continue
		}
		properties := jsonschema.NewProperties()
		properties.Set(n, takes)
		forms = append(forms, &jsonschema.Schema{Type: "object", Properties: properties, Required: []string{n}, AdditionalProperties: jsonschema.FalseSchema})
	}
	return &jsonschema.Schema{OneOf: forms, Description: "one level of a generalisation hierarchy"}
}
