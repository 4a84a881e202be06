package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
)

// Hierarchy generalises a column value by value: it has a row for each value, which
// begins with the value itself and goes on with what it becomes at each coarser level.
// In a policy it is a list of such rows, or the path of a CSV file, relative to the
// policy's folder, with a line for each row and ";" between the fields, as ARX writes
// them. A value that has no row is published at no level.
type Hierarchy struct {
	File string
	Rows [][]string

	path  string // of File, as it was read
	lines []int  // by row: its line there
}

// What a hierarchy may hold. It becomes part of every statement that generalises.
const (
	maxHierarchyRows  = 20_000
	maxHierarchyBytes = 1 << 20
)

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (h *Hierarchy) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		text, err := scalarText(node)
		if err != nil || text == "" {
			return &nodeError{node, `want the path of a CSV file, or a list of rows such as [[Bachelors, Undergraduate, "*"], …]`}
		}
		h.File = text
		return nil
	}
	for _, n := range list.Values {
		row, ok := n.(*ast.SequenceNode)
		if !ok {
			return &nodeError{n, `want a row here: the value and what it becomes at each level, such as [Bachelors, Undergraduate, "*"]`}
		}
		var fields []string
		for _, f := range row.Values {
			text, err := scalarText(f)
			if err != nil {
				return err
			}
			fields = append(fields, text)
		}
		h.Rows = append(h.Rows, fields)
	}
	return nil
}

// Levels returns the number of levels. Level 0 is the value itself.
func (h *Hierarchy) Levels() int {
	if len(h.Rows) == 0 {
		return 0
	}
	return len(h.Rows[0])
}

func (h *Hierarchy) String() string {
	if h.File != "" {
		return filepath.Base(h.File)
	}
	return fmt.Sprintf("%d values", len(h.Rows))
}

// MarshalYAML writes the form that UnmarshalYAML reads.
func (h *Hierarchy) MarshalYAML() (any, error) {
	if h.File != "" {
		return h.File, nil
	}
	return h.Rows, nil
}

// MarshalJSON writes the form that is in the policy.
func (h *Hierarchy) MarshalJSON() ([]byte, error) {
	form, _ := h.MarshalYAML()
	return json.Marshal(form)
}

// JSONSchema describes both forms.
func (Hierarchy) JSONSchema() *jsonschema.Schema {
	text := &jsonschema.Schema{Type: "string"}
	row := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{OneOf: []*jsonschema.Schema{text, {Type: "number"}, {Type: "boolean"}}}}
	return &jsonschema.Schema{
		OneOf:       []*jsonschema.Schema{text, {Type: "array", Items: row}},
		Description: "the path of a CSV file relative to the policy's folder, or a list of rows; each row is a value and what it becomes at every coarser level",
	}
}

// hierarchies reads the files that a policy names.
type hierarchies struct {
	folder string
	read   map[string]*Hierarchy
	digest []byte // of the policy and of each file, in the order in which they are named
}

// resolve reads the hierarchies of all published columns, and turns them into levels.
// The policy's hash then also covers the files.
func (p *Policy) resolve(r *reporter) {
	files := &hierarchies{folder: filepath.Dir(p.File), read: map[string]*Hierarchy{}, digest: bytes.Clone(p.Hash[:])}
	list := place{path: "$"}.key("datasets")
	for i := range p.Datasets {
		d := &p.Datasets[i]
		if d.Publish == nil {
			continue
		}
		for j := range d.Publish.Columns {
			c := &d.Publish.Columns[j]
			at := list.item(i, d.Name).key("publish").key("columns").item(j, c.Name)
			if c.Hierarchy == nil {
				continue
			}
			if len(c.Levels) > 0 {
				r.fault(at.key("levels"), "the levels are those of the hierarchy; leave out levels or hierarchy")
				continue
			}
			if files.load(r, at.key("hierarchy"), c.Hierarchy) {
				c.Levels = c.Hierarchy.transforms()
			}
		}
	}
	if len(files.read) > 0 {
		p.Hash = sha256.Sum256(files.digest)
	}
}

// transforms returns the hierarchy's levels.
func (h *Hierarchy) transforms() []Transform {
	levels := make([]Transform, h.Levels())
	for l := range levels {
		levels[l] = Transform{Name: ByHierarchy, Hierarchy: h, Level: l}
	}
	return levels
}

// load reads and checks h, and reports whether it is in order.
func (f *hierarchies) load(r *reporter, at place, h *Hierarchy) bool {
	if h.File == "" {
		return h.check(r, at)
	}
	if known, ok := f.read[h.File]; ok {
		h.Rows, h.lines, h.path = known.Rows, known.lines, known.path
		return len(h.Rows) > 0
	}
	f.read[h.File] = h
	h.path = h.File
	if !filepath.IsAbs(h.path) {
		h.path = filepath.Join(f.folder, h.path)
	}
	raw, err := os.ReadFile(h.path)
	if err != nil {
		r.fault(at, "the file of the hierarchy cannot be read (%v); its path is relative to the policy's folder", err)
		return false
	}
	digest := sha256.Sum256(raw)
	f.digest = append(f.digest, digest[:]...)
	if !h.parse(r, at, raw) || !h.check(r, at) {
		h.Rows = nil
		return false
	}
	return true
}

// parse reads the rows from a CSV file.
func (h *Hierarchy) parse(r *reporter, at place, raw []byte) bool {
	if len(raw) > maxHierarchyBytes {
		r.faultIn(h.path, 0, 0, at, "the file has %d bytes, and at most %d are read; generalise fewer values", len(raw), maxHierarchyBytes)
		return false
	}
	if !utf8.Valid(raw) {
		r.faultIn(h.path, 0, 0, at, "the file is not in UTF-8; convert it")
		return false
	}
	c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	c.Comma = ';'
	c.FieldsPerRecord = -1
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return true
		}
		var syntax *csv.ParseError
		if errors.As(err, &syntax) {
			r.faultIn(h.path, syntax.Line, syntax.Column, at, "%v; put a field that holds a quotation mark or \";\" into quotation marks, and write each mark in it twice", syntax.Err)
			return false
		}
		line, _ := c.FieldPos(0)
		h.Rows, h.lines = append(h.Rows, row), append(h.lines, line)
	}
}

// check checks the rows, wherever they come from.
func (h *Hierarchy) check(r *reporter, at place) bool {
	complain := func(row int, format string, args ...any) bool {
		switch {
		case h.File == "":
			r.fault(at.item(row, ""), format, args...)
		case row < len(h.lines):
			r.faultIn(h.path, h.lines[row], 1, at, format, args...)
		default:
			r.faultIn(h.path, 0, 0, at, format, args...)
		}
		return false
	}
	switch {
	case len(h.Rows) == 0:
		return complain(0, "the hierarchy is empty; it needs a row for each value")
	case len(h.Rows) > maxHierarchyRows:
		return complain(maxHierarchyRows, "the hierarchy has %d rows, at most %d are possible; use another transform, or generalise fewer values", len(h.Rows), maxHierarchyRows)
	case h.Levels() < 2:
		return complain(0, "%q has no generalisation; write the value and what it becomes at each coarser level, with \";\" between them in a file", first(h.Rows[0]))
	}
	seen := map[string]int{}
	for i, row := range h.Rows {
		if len(row) != h.Levels() {
			return complain(i, "%q has %d levels and %q has %d; each row needs them all", first(row), len(row), h.Rows[0][0], h.Levels())
		}
		if before, ok := seen[row[0]]; ok {
			return complain(i, "%q is there twice, first in %s; leave out one", row[0], h.where(before))
		}
		seen[row[0]] = i
	}
	for l := 1; l+1 < h.Levels(); l++ {
		if !h.checkNesting(l, complain) {
			return false
		}
	}
	return true
}

// checkNesting checks that values that are alike at a level stay alike at the next:
// otherwise a coarser level would tell apart what a finer one does not.
func (h *Hierarchy) checkNesting(l int, complain func(int, string, ...any) bool) bool {
	within := map[string]int{}
	for i, row := range h.Rows {
		before, ok := within[row[l]]
		if !ok {
			within[row[l]] = i
			continue
		}
		if coarser := h.Rows[before][l+1]; coarser != row[l+1] {
			return complain(i, "%q becomes %q at level %d, but in %s it becomes %q; what is alike at a level must stay alike at the next", row[l], row[l+1], l+1, h.where(before), coarser)
		}
	}
	return true
}

func (h *Hierarchy) where(row int) string {
	if h.File == "" {
		return fmt.Sprintf("row %d", row+1)
	}
	return fmt.Sprintf("line %d", h.lines[row])
}

func first(row []string) string {
	if len(row) == 0 {
		return ""
	}
	return row[0]
}
