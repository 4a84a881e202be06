package clickhouse

import (
	"fmt"
	"maps"
	"slices"

	"github.com/facesoft/lapse/config"
)

// hierarchyLevel compiles a level of a column's hierarchy to an expression over a text.
// The hierarchy's values travel as parameters: they can be many. A value that has no
// row could be anything, and becomes "*".
func hierarchyLevel(published config.PublishedColumn, level int, text string) string {
	values := fmt.Sprintf("{%s:Array(String)}", hierarchyParameter(published, 0))
	if level == 0 {
		return fmt.Sprintf("if(%s IN %s, %s, %s)", text, values, text, anything)
	}
	if !slices.ContainsFunc(published.Hierarchy.Rows, func(row []string) bool { return literal(row[level]) != anything }) {
		return anything
	}
	return fmt.Sprintf("transform(%s, %s, {%s:Array(String)}, %s)", text, values, hierarchyParameter(published, level), anything)
}

// hierarchyParameter names the parameter that holds what each value of a column's
// hierarchy becomes at a level.
func hierarchyParameter(published config.PublishedColumn, level int) string {
	return fmt.Sprintf("%s_level_%d", published.Name, level)
}

// hierarchyParameters returns the parameters of all hierarchies of a publication.
func hierarchyParameters(u *config.Publication) parameters {
	p := parameters{}
	for _, c := range u.Columns {
		if c.Hierarchy == nil {
			continue
		}
		for level := range c.Levels {
			texts := make([]string, len(c.Hierarchy.Rows))
			for i, row := range c.Hierarchy.Rows {
				texts[i] = row[level]
			}
			p[hierarchyParameter(c, level)] = arrayOf(texts)
		}
	}
	return p
}

// over returns the parameters of statements over the rows of partitions.
func (g *generalisation) over(partitions []string) parameters {
	p := parameters{"partitions": arrayOf(partitions)}
	maps.Copy(p, g.Parameters)
	return p
}
