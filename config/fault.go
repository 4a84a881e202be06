package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/hashicorp/go-multierror"
)

// Fault is something wrong in a file, with its place and what to do about it.
type Fault struct {
	File   string
	Line   int    // from 1; 0 if not known
	Column int    // from 1
	Field  string // such as datasets[events].columns[ip].type
	// Problem says what is wrong and how to mend it.
	Problem string
}

func (f *Fault) Error() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Field == "" {
		return place + ": " + f.Problem
	}
	return place + ": " + f.Field + ": " + f.Problem
}

// decode reads YAML strictly into dst and returns the syntax tree, from which
// the places of later faults are taken.
func decode(file string, raw []byte, dst any) (ast.Node, error) {
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return nil, faultOf(file, err)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return nil, &Fault{File: file, Problem: fmt.Sprintf("want one YAML document, found %d; is the file empty?", documents(tree))}
	}
	root := tree.Docs[0].Body
	if err := yaml.NodeToValue(root, dst, yaml.Strict()); err != nil {
		return nil, faultOf(file, err)
	}
	return root, nil
}

func documents(tree *ast.File) (n int) {
	for _, d := range tree.Docs {
		if d.Body != nil {
			n++
		}
	}
	return n
}

// faultOf turns an error of the YAML library or of a type's own into a Fault.
func faultOf(file string, err error) error {
	f := &Fault{File: file, Problem: err.Error()}
	var own *nodeError
	var library yaml.Error
	switch {
	case errors.As(err, &own):
		f.Problem = own.problem
		f.at(own.node)
	case errors.As(err, &library):
		f.Problem = library.GetMessage()
		if name, ok := strings.CutPrefix(f.Problem, "unknown field "); ok {
			f.Problem = "unknown key " + name + "; 'lapse policy schema' and the README list the keys"
		}
		if t := library.GetToken(); t != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

func (f *Fault) at(node ast.Node) {
	if node != nil && node.GetToken() != nil {
		f.Line, f.Column = node.GetToken().Position.Line, node.GetToken().Position.Column
	}
}

// reporter gathers faults found after decoding. A place is a path into the file
// for the machine and one for people, side by side.
type reporter struct {
	file   string
	root   ast.Node
	faults *multierror.Error
}

// place is where in the file a check looks.
type place struct {
	path  string // such as $.datasets[0].columns[3]
	shown string // such as datasets[events].columns[ip]
}

func (p place) key(name string) place {
	if p.shown == "" {
		return place{"$." + name, name}
	}
	return place{p.path + "." + name, p.shown + "." + name}
}

// item is the i-th element of the list at p; people know it by name.
func (p place) item(i int, name string) place {
	if name == "" {
		name = fmt.Sprint(i)
	}
	return place{fmt.Sprintf("%s[%d]", p.path, i), fmt.Sprintf("%s[%s]", p.shown, name)}
}

// fault reports a problem at p. If the file has nothing there, the place named
// is that of the nearest thing around it.
func (r *reporter) fault(p place, format string, args ...any) {
	f := &Fault{File: r.file, Field: p.shown, Problem: fmt.Sprintf(format, args...)}
	for path := p.path; path != "" && r.root != nil; path = parent(path) {
		if found, err := yaml.PathString(path); err == nil {
			if node, err := found.FilterNode(r.root); err == nil && node != nil {
				f.at(start(node))
				break
			}
		}
	}
	r.faults = multierror.Append(r.faults, f)
}

// faultIn reports a problem with what p names that lies in another file. A line of 0
// means the file as a whole.
func (r *reporter) faultIn(file string, line, column int, p place, format string, args ...any) {
	r.faults = multierror.Append(r.faults, &Fault{File: file, Line: line, Column: column, Field: p.shown, Problem: fmt.Sprintf(format, args...)})
}

// start returns the node whose place people would name: the first key of a mapping.
func start(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return n.Values[0].Key
		}
	case *ast.MappingValueNode:
		return n.Key
	case *ast.SequenceNode:
		if len(n.Values) > 0 {
			return start(n.Values[0])
		}
	}
	return node
}

func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i <= 0 {
		return ""
	}
	return path[:i]
}

func (r *reporter) err() error {
	if r.faults == nil {
		return nil
	}
	r.faults.ErrorFormat = func(errs []error) string {
		lines := make([]string, len(errs))
		for i, e := range errs {
			lines[i] = e.Error()
		}
		return strings.Join(lines, "\n")
	}
	return r.faults
}
