package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// Transform is one level of a generalisation hierarchy. In a policy it is a word
// (hour, url_path, any, …), a word with numbers ({bands: [0, 10, 100]}), with a text
// ({constant: withheld}) or with columns ({columns: [country, region]}).
type Transform struct {
	Name    TransformName
	Numbers []int64
	Text    string   `json:",omitempty"` // what a constant puts in the place of every value, or the step of a grid
	Columns []string `json:",omitempty"` // whose values stand in the place of the column's own

	// Hierarchy and Level say which level it is of which hierarchy, where the column
	// has one.
	Hierarchy *Hierarchy `json:"-"`
	Level     int        `json:",omitempty"`
}

// TransformName names a way to generalise a value.
type TransformName string

// The transforms. What has no transform does not leave the personal tables.
const (
	Keep         TransformName = "keep"              // the value as it is
	Any          TransformName = "any"               // "*": every value alike
	Constant     TransformName = "constant"          // {constant: withheld}: that text for every value
	Hour         TransformName = "hour"              // start of the hour, UTC
	ToDay        TransformName = "day"               // start of the day, UTC
	Week         TransformName = "week"              // Monday of the week, UTC
	Month        TransformName = "month"             // first day of the month, UTC
	URLBare      TransformName = "url_without_query" // URL without user, query and fragment
	URLPath      TransformName = "url_path"          // path without scheme, host, query and fragment
	URLRoute     TransformName = "url_route"         // the path with numbers and long tokens replaced by ":id"
	URLSection   TransformName = "url_section"       // first segment of the path
	URLHost      TransformName = "url_host"          // host without port; a literal address becomes "(address)"
	Major        TransformName = "major"             // what stands before the first dot of a version
	BeforeHyphen TransformName = "before_hyphen"     // "en-GB" becomes "en"
	Bands        TransformName = "bands"             // {bands: [0, 10, 100]}: "<0", "0-9", "10-99", "100+"
	Coded        TransformName = "coded"             // {coded: [18, 90]}: bottom and top coding: "<18", 18 to 89 as they are, "90+"
	IPPrefix     TransformName = "ip_prefix"         // {ip_prefix: [24, 48]}: network of an IPv4 and an IPv6 address
	Grid         TransformName = "grid"              // {grid: 0.5}: 51.507 becomes "51.5", the lower edge of its cell, as of a coordinate
	FromColumns  TransformName = "columns"           // {columns: [country, region]}: "GB/England" in the place of a city
	Rare         TransformName = "rare"              // {rare: 20}: what fewer than 20 people of the partition have becomes "other"
	ByHierarchy  TransformName = "hierarchy"         // a level of the column's hierarchy; a policy names it there
)

// longestConstant bounds the text of a constant, in bytes.
const longestConstant = 64

// argument says what a transform takes.
type argument string

const (
	nothing     argument = "nothing"
	listNumbers argument = "a list of numbers"
	oneNumber   argument = "a number"
	oneText     argument = "a text"
	listColumns argument = "a list of columns"
)

// transformRule says what a transform applies to, and takes.
type transformRule struct {
	kinds []Kind
	takes argument
}

var everyKind = []Kind{Text, Bool, Integer, Float, Day} // a time stays within its partition

var transformRules = map[TransformName]transformRule{
	Keep:         {[]Kind{Text, Bool, Integer, Day}, nothing},
	Any:          {everyKind, nothing},
	Constant:     {everyKind, oneText},
	Hour:         {[]Kind{Time}, nothing},
	ToDay:        {[]Kind{Time}, nothing},
	Week:         {[]Kind{Time, Day}, nothing},
	Month:        {[]Kind{Time, Day}, nothing},
	URLBare:      {[]Kind{Text}, nothing},
	URLPath:      {[]Kind{Text}, nothing},
	URLRoute:     {[]Kind{Text}, nothing},
	URLSection:   {[]Kind{Text}, nothing},
	URLHost:      {[]Kind{Text}, nothing},
	Major:        {[]Kind{Text}, nothing},
	BeforeHyphen: {[]Kind{Text}, nothing},
	Bands:        {[]Kind{Integer, Float}, listNumbers},
	Coded:        {[]Kind{Integer}, listNumbers},
	Grid:         {[]Kind{Integer, Float}, oneText},
	IPPrefix:     {[]Kind{Text}, listNumbers},
	Rare:         {everyKind, oneNumber},
	FromColumns:  {[]Kind{Text}, listColumns},
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
	sequence, isList := value.Value.(*ast.SequenceNode)
	switch takes := transformRules[t.Name].takes; {
	case takes == oneText:
		var err error
		t.Text, err = scalarText(value.Value)
		return err
	case takes == oneNumber:
		return t.addNumber(value.Value)
	case !isList:
		return &nodeError{value, fmt.Sprintf("want a list after %q", t.Name)}
	case takes == listColumns:
		for _, n := range sequence.Values {
			name, err := scalarText(n)
			if err != nil {
				return err
			}
			t.Columns = append(t.Columns, name)
		}
		return nil
	}
	for _, n := range sequence.Values {
		if err := t.addNumber(n); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transform) addNumber(n ast.Node) error {
	number, err := strconv.ParseInt(n.GetToken().Value, 10, 64)
	if err != nil {
		return &nodeError{n, fmt.Sprintf("%q is not a whole number", n.GetToken().Value)}
	}
	t.Numbers = append(t.Numbers, number)
	return nil
}

// given says what the transform was given.
func (t Transform) given() argument {
	switch {
	case t.Text != "":
		return oneText
	case len(t.Columns) > 0:
		return listColumns
	case len(t.Numbers) > 0 && transformRules[t.Name].takes == oneNumber:
		return oneNumber
	case len(t.Numbers) > 0:
		return listNumbers
	}
	return nothing
}

// problem says what is wrong with applying t to values of type from, if anything.
func (t Transform) problem(from Type) string {
	rule, ok := transformRules[t.Name]
	if t.Hierarchy != nil {
		rule, ok = transformRule{[]Kind{Text, Bool, Integer, Day}, nothing}, true
	}
	switch {
	case !ok:
		return fmt.Sprintf("%q is not a transform; use one of %s", t.Name, strings.Join(transformNames(), ", "))
	case !slices.Contains(rule.kinds, from.Kind()):
		return fmt.Sprintf("%q does not apply to %s", t.Name, from)
	case t.Name == Constant && !between(int64(len(t.Text)), 1, longestConstant):
		return fmt.Sprintf("%q takes a text of at most %d bytes, as {%s: withheld}", t.Name, longestConstant, t.Name)
	case rule.takes != t.given():
		return fmt.Sprintf("%q takes %s", t.Name, rule.takes)
	case t.Name == Coded && (len(t.Numbers) != 2 || t.Numbers[0] >= t.Numbers[1]):
		return "coded takes two bounds that ascend: what is below the first and what is from the second on is not told apart"
	case t.Name == Bands && !slices.IsSorted(t.Numbers):
		return "the bounds of bands must ascend"
	case t.Name == Rare && t.Numbers[0] < 2:
		return "rare takes a number of people of at least 2: a value that fewer have becomes \"other\""
	case t.Name == Grid && !gridStep.MatchString(t.Text):
		return "grid takes the width of a cell, such as 100, 0.5 or 0.01, with at most 6 digits before and after the point"
	case t.Name == IPPrefix && !(len(t.Numbers) == 2 && between(t.Numbers[0], 0, 31) && between(t.Numbers[1], 0, 127)):
		return "ip_prefix takes two lengths, of at most 31 bits for IPv4 and 127 for IPv6: with all of them it would be the address"
	}
	return ""
}

// gridStep is a positive decimal number.
var gridStep = regexp.MustCompile(`^(0*[1-9][0-9]{0,5}(\.[0-9]{1,6})?|0?\.[0-9]{0,5}[1-9][0-9]{0,5})$`)

// GridStep returns the width of a grid's cells as a fraction of whole numbers.
func (t Transform) GridStep() (numerator, denominator int64) {
	whole, fraction, _ := strings.Cut(t.Text, ".")
	numerator, _ = strconv.ParseInt(whole+fraction, 10, 64)
	return numerator, int64(math.Pow10(len(fraction)))
}

// Sources returns the columns of the dataset whose values can be published: that of the
// column, and those that its levels name.
func (c PublishedColumn) Sources() []string {
	sources := []string{c.From}
	for _, level := range c.Levels {
		sources = append(sources, level.Columns...)
	}
	return sources
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
	switch t.given() {
	case oneText:
		return fmt.Sprintf("%s %q", t.Name, t.Text)
	case oneNumber:
		return fmt.Sprintf("%s %d", t.Name, t.Numbers[0])
	case listNumbers:
		return fmt.Sprintf("%s %v", t.Name, t.Numbers)
	case listColumns:
		return fmt.Sprintf("%s %v", t.Name, t.Columns)
	}
	return string(t.Name)
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (t Transform) MarshalYAML() (any, error) {
	var takes any
	switch t.given() {
	case nothing:
		return string(t.Name), nil
	case oneText:
		takes = t.Text
	case oneNumber:
		takes = t.Numbers[0]
	case listNumbers:
		takes = t.Numbers
	case listColumns:
		takes = t.Columns
	}
	return map[string]any{string(t.Name): takes}, nil
}

// JSONSchema describes the forms.
func (Transform) JSONSchema() *jsonschema.Schema {
	number, text := &jsonschema.Schema{Type: "integer"}, &jsonschema.Schema{Type: "string"}
	forms := map[argument]*jsonschema.Schema{
		oneNumber:   number,
		oneText:     {OneOf: []*jsonschema.Schema{text, {Type: "number"}}},
		listNumbers: {Type: "array", Items: number},
		listColumns: {Type: "array", Items: text},
	}
	words := &jsonschema.Schema{Type: "string"}
	all := []*jsonschema.Schema{words}
	for _, n := range transformNames() {
		takes := transformRules[TransformName(n)].takes
		if takes == nothing {
			words.Enum = append(words.Enum, n)
			continue
		}
		properties := jsonschema.NewProperties()
		properties.Set(n, forms[takes])
		all = append(all, &jsonschema.Schema{Type: "object", Properties: properties, Required: []string{n}, AdditionalProperties: jsonschema.FalseSchema})
	}
	return &jsonschema.Schema{OneOf: all, Description: "one level of a generalisation hierarchy"}
}
