package clickhouse

import (
	"context"
	"slices"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.LevelReader = (*Cluster)(nil)

// ReadLevels implements sinks.LevelReader. People and sensitive values have the same hash
// on all nodes; the values of columns are numbered on each by itself.
func (c *Cluster) ReadLevels(ctx context.Context, dataset string, partitions []sinks.Partition) (*sinks.LevelledRows, error) {
	some, nodes, err := c.divide(partitions)
	if err != nil {
		return nil, err
	}
	type part struct {
		sinks.Node
		rows *sinks.LevelledRows
	}
	parts, err := on(ctx, c, nodes, func(ctx context.Context, s *Store) (part, error) {
		rows, err := s.ReadLevels(ctx, dataset, some[s.node])
		return part{s.node, rows}, err
	})
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		return parts[0].rows, nil
	}
	all := &sinks.LevelledRows{}
	for _, p := range parts {
		for _, in := range p.rows.Partitions {
			all.Partitions = append(all.Partitions, uint32(slices.Index(partitions, some[p.Node][in])))
		}
		all.Subjects = append(all.Subjects, p.rows.Subjects...)
		for i, hashes := range p.rows.Sensitive {
			if i == len(all.Sensitive) {
				all.Sensitive = append(all.Sensitive, nil)
			}
			all.Sensitive[i] = append(all.Sensitive[i], hashes...)
		}
	}
	for column := range parts[0].rows.Columns {
		var values [][]string
		var rows []uint32
		numbers := map[string]uint32{} // by the value at all levels
		for _, p := range parts {
			renumbered := make([]uint32, len(p.rows.Columns[column]))
			for i, levels := range p.rows.Columns[column] {
				key := strings.Join(levels, "\x00")
				n, known := numbers[key]
				if !known {
					n = uint32(len(values))
					numbers[key], values = n, append(values, levels)
				}
				renumbered[i] = n
			}
			for _, v := range p.rows.Values[column] {
				rows = append(rows, renumbered[v])
			}
		}
		all.Columns, all.Values = append(all.Columns, values), append(all.Values, rows)
	}
	return all, nil
}
