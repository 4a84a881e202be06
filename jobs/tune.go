package jobs

import (
	"context"
	"fmt"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/kanon"
	"github.com/facesoft/lapse/sinks"
)

// TuneTable reads partitions of a dataset as the table on which the levels of its
// publication are chosen. With ownPeople, every row is taken to be about a person of
// its own, whatever its subject.
func TuneTable(ctx context.Context, d *config.Dataset, source sinks.LevelReader, partitions []sinks.Partition, ownPeople bool) (*kanon.Table, error) {
	rows, err := source.ReadLevels(ctx, d.Name, partitions)
	if err != nil {
		return nil, err
	}
	t := &kanon.Table{Values: rows.Values, Partitions: rows.Partitions, Subjects: rows.Subjects}
	if ownPeople {
		t.Subjects = nil
	}
	for i, c := range d.Publish.ClassColumns() {
		values := rows.Columns[i]
		if c.Hierarchy != nil {
			values = withUnseen(values, c.Hierarchy.Rows)
		}
		column, err := kanon.NewColumn(c.Name, values)
		if err != nil {
			return nil, fmt.Errorf("tune %s: %w", d.Name, err)
		}
		if c.Weight != nil {
			column.Weight = *c.Weight
		}
		t.Columns = append(t.Columns, column)
	}
	for _, c := range d.Publish.Columns {
		if c.Sensitive != nil {
			t.Sensitive = append(t.Sensitive, kanon.Sensitive{Name: c.Name, Values: rows.Sensitive[len(t.Sensitive)]})
		}
	}
	return t, nil
}

// withUnseen adds the rows of a hierarchy that no value was met for: what a group
// stands for does not depend on the sample.
func withUnseen(values, hierarchy [][]string) [][]string {
	seen := map[string]bool{}
	for _, v := range values {
		seen[v[0]] = true
	}
	for _, row := range hierarchy {
		if !seen[row[0]] {
			values = append(values, row)
		}
	}
	return values
}

// TuneRequirement returns what a publication requires of its classes.
func TuneRequirement(u *config.Publication) kanon.Requirement {
	r := kanon.Requirement{K: u.K}
	if u.SuppressionLimit != nil {
		r.SuppressionLimit = float64(*u.SuppressionLimit)
	}
	sensitive := 0
	for _, c := range u.Columns {
		s := c.Sensitive
		if s == nil {
			continue
		}
		if s.DistinctL > 0 {
			r.Diversity = append(r.Diversity, kanon.Diversity{Sensitive: sensitive, Kind: kanon.Distinct, L: float64(s.DistinctL)})
		}
		if s.EntropyL > 0 {
			r.Diversity = append(r.Diversity, kanon.Diversity{Sensitive: sensitive, Kind: kanon.Entropy, L: s.EntropyL})
		}
		if s.Recursive != nil {
			r.Diversity = append(r.Diversity, kanon.Diversity{Sensitive: sensitive, Kind: kanon.Recursive, L: float64(s.Recursive.L), C: s.Recursive.C})
		}
		if s.T > 0 {
			r.Closeness = append(r.Closeness, kanon.Closeness{Sensitive: sensitive, T: s.T})
		}
		sensitive++
	}
	return r
}
