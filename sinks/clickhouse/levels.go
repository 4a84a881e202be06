package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var _ sinks.LevelReader = (*Store)(nil)

// levelQuery is what the statements are rendered from that read rows by level. Its
// values are those of the rows, as rows.sql names them.
type levelQuery struct {
	G           *generalisation
	WithSubject bool
	Columns     [][]string // by column of the class: what it becomes at each level
	Sensitive   []string
	Column      int // for statements about one of the columns
}

// ReadLevels implements sinks.LevelReader. The rows come as hashes, and the texts that
// are behind them once for each column: first the rows, because rows may arrive
// meanwhile, and what they need must then be found.
func (s *Store) ReadLevels(ctx context.Context, dataset string, partitions []sinks.Partition) (*sinks.LevelledRows, error) {
	q, err := s.levelQuery(dataset)
	if err != nil {
		return nil, err
	}
	rows := &sinks.LevelledRows{
		Columns: make([][][]string, len(q.Columns)), Values: make([][]uint32, len(q.Columns)), Sensitive: make([][]uint64, len(q.Sensitive)),
	}
	codes, err := s.readHashes(ctx, q, partitions, rows)
	if err != nil {
		return nil, fmt.Errorf("read levels of %s: %w", dataset, err)
	}
	for i := range q.Columns {
		if rows.Columns[i], err = s.readValues(ctx, q, i, partitions, codes[i]); err != nil {
			return nil, fmt.Errorf("read levels of %s: %w", dataset, err)
		}
	}
	return rows, nil
}

func (s *Store) levelQuery(dataset string) (*levelQuery, error) {
	g, err := s.newGeneralisation(dataset)
	if err != nil {
		return nil, err
	}
	q := &levelQuery{G: g, WithSubject: true}
	d := g.Personal.dataset
	for _, c := range d.Publish.Columns {
		from, _ := d.Column(c.From)
		switch {
		case c.InClass():
			var levels []string
			for level := range c.Levels {
				levels = append(levels, g.value(g.transform(c, level, from)))
			}
			q.Columns = append(q.Columns, levels)
		case c.Sensitive != nil:
			q.Sensitive = append(q.Sensitive, g.value(fmt.Sprintf("ifNull(toString(%s), '')", quote(from.Name))))
		}
	}
	return q, nil
}

// readHashes reads the rows, with numbers in place of the hashes of their values, and
// returns for each column the numbers by hash.
func (s *Store) readHashes(ctx context.Context, q *levelQuery, partitions []sinks.Partition, rows *sinks.LevelledRows) ([]map[uint64]uint32, error) {
	index := map[string]uint32{}
	for i, p := range partitions {
		index[partitionID(p)] = uint32(i)
	}
	codes := make([]map[uint64]uint32, len(q.Columns))
	for i := range codes {
		codes[i] = map[uint64]uint32{}
	}
	var partition string
	var subject uint64
	values, sensitive := make([]uint64, len(q.Columns)), make([]uint64, len(q.Sensitive))
	targets := []any{&partition, &subject}
	for i := range values {
		targets = append(targets, &values[i])
	}
	for i := range sensitive {
		targets = append(targets, &sensitive[i])
	}
	err := s.query(ctx, "levelled_hashes", q, q.G.over(partitionIDs(partitions)), func(r driver.Rows) error {
		if err := r.Scan(targets...); err != nil {
			return err
		}
		rows.Partitions = append(rows.Partitions, index[partition])
		rows.Subjects = append(rows.Subjects, subject)
		for i, hash := range values {
			code, ok := codes[i][hash]
			if !ok {
				code = uint32(len(codes[i]))
				codes[i][hash] = code
			}
			rows.Values[i] = append(rows.Values[i], code)
		}
		for i, hash := range sensitive {
			rows.Sensitive[i] = append(rows.Sensitive[i], hash)
		}
		return nil
	})
	return codes, err
}

// readValues reads what the hashes of a column stand for.
func (s *Store) readValues(ctx context.Context, q *levelQuery, column int, partitions []sinks.Partition, codes map[uint64]uint32) ([][]string, error) {
	of := *q
	of.Column, of.WithSubject = column, false
	values := make([][]string, len(codes))
	var hash uint64
	var levels []string
	err := s.query(ctx, "levelled_values", &of, q.G.over(partitionIDs(partitions)), func(r driver.Rows) error {
		if err := r.Scan(&hash, &levels); err != nil {
			return err
		}
		if code, ok := codes[hash]; ok {
			if values[code] != nil {
				return fmt.Errorf("two values have the same hash")
			}
			values[code] = levels
			levels = nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if v == nil {
			return nil, fmt.Errorf("rows went away meanwhile, perhaps because a run anonymised them; try again")
		}
	}
	return values, nil
}

// PrepareSample makes the personal table of one dataset, and nothing else, for rows
// that levels are to be chosen for.
func (s *Store) PrepareSample(ctx context.Context, dataset *config.Dataset) error {
	t, err := s.table(dataset.Name)
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "create_database", t.Database, nil); err != nil {
		return fmt.Errorf("prepare sample: %w", err)
	}
	if err := s.exec(ctx, "create_table", t, nil); err != nil {
		return fmt.Errorf("prepare sample: %w", err)
	}
	return nil
}
