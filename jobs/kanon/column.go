package kanon

import (
	"errors"
	"fmt"
	"strings"
)

// Column is a quasi-identifying column: the values that can occur in it, and what
// each becomes at every level of generalisation.
type Column struct {
	Name string
	// Weight, from 0 to 1, says how much the column counts in a loss that is added
	// up over columns. Only the ratios between columns matter.
	Weight float64

	levels []level
	values int
}

// DefaultWeight is the weight of a column that was given none.
const DefaultWeight = 0.5

// level is one level of a column's hierarchy.
type level struct {
	code  []uint32  // by value: which of the level's groups it belongs to
	share []float64 // by group: the share of all values that belongs to it
	// nests says that each group of the level before lies within one of this level,
	// so that going from there to here only merges classes.
	nests bool
}

// groups returns the number of different values at the level.
func (l *level) groups() int { return len(l.share) }

// NewColumn returns a column with the hierarchy in rows: a row for each value, with
// what it becomes at every level, from fine to coarse. Values are referred to by the
// index of their row. The groups of a level need not lie within those of the next,
// but the search can prune less where they do not.
func NewColumn(name string, rows [][]string) (*Column, error) {
	c := &Column{Name: name, Weight: DefaultWeight, values: len(rows)}
	if len(rows) == 0 || len(rows[0]) == 0 {
		return nil, fmt.Errorf("the hierarchy of %q is empty: it needs a row for each value, with at least one level", name)
	}
	seen := make(map[string]int, len(rows))
	for i, row := range rows {
		if len(row) != len(rows[0]) {
			return nil, fmt.Errorf("the hierarchy of %q has %d levels in row %d and %d in row 1; each row needs them all", name, len(row), i+1, len(rows[0]))
		}
		key := strings.Join(row, "\x00")
		if first, ok := seen[key]; ok {
			return nil, fmt.Errorf("rows %d and %d of the hierarchy of %q are the same; leave one out", first+1, i+1, name)
		}
		seen[key] = i
	}
	for l := range rows[0] {
		c.levels = append(c.levels, newLevel(rows, l))
		if l > 0 {
			c.levels[l].nests = nests(&c.levels[l-1], &c.levels[l])
		}
	}
	return c, nil
}

func newLevel(rows [][]string, l int) level {
	made := level{code: make([]uint32, len(rows))}
	groups := map[string]uint32{}
	for v, row := range rows {
		code, ok := groups[row[l]]
		if !ok {
			code = uint32(len(groups))
			groups[row[l]] = code
			made.share = append(made.share, 0)
		}
		made.code[v] = code
		made.share[code]++
	}
	for i := range made.share {
		made.share[i] /= float64(len(rows))
	}
	return made
}

// nests reports whether values that are alike at the finer level stay alike.
func nests(finer, coarser *level) bool {
	const unknown = ^uint32(0)
	within := make([]uint32, finer.groups())
	for i := range within {
		within[i] = unknown
	}
	for v, code := range finer.code {
		switch within[code] {
		case unknown:
			within[code] = coarser.code[v]
		case coarser.code[v]:
		default:
			return false
		}
	}
	return true
}

// Levels returns the number of levels.
func (c *Column) Levels() int { return len(c.levels) }

// Values returns the number of values.
func (c *Column) Values() int { return c.values }

// Table holds rows column by column, each value as the index of its row in the
// column's hierarchy.
type Table struct {
	Columns []*Column
	Values  [][]uint32 // by column, then by row
	// Partitions are the parts that are published each by itself, by row: no class
	// reaches over two of them. If nil, all rows are in one.
	Partitions []uint32
	// Subjects are the people that the rows are about, by row. If nil, every row is
	// about a person of its own, as ARX has it.
	Subjects  []uint64
	Sensitive []Sensitive
}

// Sensitive is a column that is published as it is and whose values shall not be
// inferred. Values that are equal have equal numbers.
type Sensitive struct {
	Name   string
	Values []uint64 // by row
}

// Rows returns the number of rows.
func (t *Table) Rows() int {
	if len(t.Values) == 0 {
		return 0
	}
	return len(t.Values[0])
}

// MaxRows is up to how many rows a table may have.
const MaxRows = 1<<31 - 1

func (t *Table) check() error {
	n := t.Rows()
	switch {
	case len(t.Columns) == 0:
		return errors.New("there is no quasi-identifying column")
	case len(t.Columns) != len(t.Values):
		return fmt.Errorf("%d columns are described and %d have values", len(t.Columns), len(t.Values))
	case n == 0:
		return errors.New("there are no rows")
	case n > MaxRows:
		return fmt.Errorf("%d rows are too many, the most is %d; take a sample", n, MaxRows)
	case t.Partitions != nil && len(t.Partitions) != n:
		return fmt.Errorf("%d of %d rows have a partition", len(t.Partitions), n)
	case t.Subjects != nil && len(t.Subjects) != n:
		return fmt.Errorf("%d of %d rows have a subject", len(t.Subjects), n)
	}
	for i, c := range t.Columns {
		if len(t.Values[i]) != n {
			return fmt.Errorf("%d of %d rows have a value for %q", len(t.Values[i]), n, c.Name)
		}
		for row, v := range t.Values[i] {
			if int(v) >= c.values {
				return fmt.Errorf("row %d has the value %d for %q, whose hierarchy has only %d", row+1, v, c.Name, c.values)
			}
		}
	}
	for _, s := range t.Sensitive {
		if len(s.Values) != n {
			return fmt.Errorf("%d of %d rows have a value for %q", len(s.Values), n, s.Name)
		}
	}
	return nil
}
