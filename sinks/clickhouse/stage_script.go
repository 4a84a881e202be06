package clickhouse

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// step is one statement, with what it is rendered from.
type step struct {
	statement string
	data      any
}

// texts are the texts of a table that are looked through for direct identifiers.
type texts struct {
	*stage
	Texts          []string
	From           string // the table, quoted
	FromPartitions bool
}

// copying lists the statements that copy the rows.
func (st *stage) copying() []step {
	steps := []step{
		{"create_identifiers", st}, {"create_texts", st}, {"create_matches", st}, {"create_taint", st}, {"create_copy", st}, {"create_ties", st},
	}
	if len(st.SensitiveTexts) > 0 { // rows that have one that names somebody are left out from the start
		personal := texts{st, st.SensitiveTexts, quote(st.G.Personal.Database, st.G.Personal.Name), true}
		steps = append(steps, st.identifying()...)
		steps = append(steps, step{"collect_texts", personal}, step{"match_texts", st}, step{"find_taint", st})
	}
	steps = append(steps, step{"copy_rows", st})
	if len(st.G.Copy.Links) > 0 {
		steps = append(steps, step{"find_ties", st})
	}
	return steps
}

// identifying lists the statements that collect the direct identifiers.
func (st *stage) identifying() []step {
	if len(st.G.Identifiers) == 0 {
		return nil
	}
	return []step{{"find_identifiers", st}}
}

// naming lists the statements that collect the texts of the copy, and what they may not
// hold.
func (st *stage) naming() (steps []step) {
	if len(st.SensitiveTexts) == 0 { // or it was done before
		steps = st.identifying()
	}
	return append(steps, step{"collect_texts", texts{st, st.G.DistinctTexts, quote(st.Control, st.CopyTable), false}})
}

// deciding lists the statements that decide at which level each row is published.
func (st *stage) deciding() (steps []step) {
	if st.Named {
		steps = append(steps, step{"find_taint", st})
	}
	steps = append(steps, step{"create_levels", st}, step{"create_classes", st}, step{"create_stage", st},
		step{"create_cells", st.withoutTainted()}, step{"fill_cells", st.withoutTainted()})
	for level := range st.G.Copy.Classes {
		at := *st
		at.Level = level
		steps = append(steps, step{"find_level", &at})
	}
	return steps
}

// decide decides at which level each row is published, notes at which levels there is
// something to publish, and draws the key for the check of it.
func (st *stage) decide(ctx context.Context) error {
	if err := st.carryOut(ctx, st.deciding()); err != nil {
		return err
	}
	st.key, st.Levels = rand.Uint64(), nil
	return st.store.query(ctx, "used_levels", st, nil, func(r driver.Rows) error {
		var level uint8
		err := r.Scan(&level)
		st.Levels = append(st.Levels, int(level))
		return err
	})
}

// stageRows writes the rows as they are to be published.
func (st *stage) stageRows(ctx context.Context) error {
	if len(st.Levels) == 0 {
		return nil
	}
	return st.carryOut(ctx, []step{{"stage_rows", st}})
}

// carryOut runs statements in order.
func (st *stage) carryOut(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := st.store.exec(ctx, s.statement, s.data, st.parameters()); err != nil {
			return err
		}
	}
	return nil
}

// lookForNames reports whether a text of the copy names somebody, or may.
func (st *stage) lookForNames(ctx context.Context) (bool, error) {
	if err := st.carryOut(ctx, st.naming()); err != nil {
		return false, err
	}
	return st.matchTexts(ctx)
}

// fewTexts are so few that their words need not be looked up block by block: at 64 words
// each they take some 100 MB.
const fewTexts = 1000

// matchTexts looks through the texts that were collected, and reports whether one of them
// names somebody, or may.
func (st *stage) matchTexts(ctx context.Context) (named bool, err error) {
	var collected, matches uint64
	if err := st.store.queryRow(ctx, "count_texts", st, nil, &collected); err != nil {
		return false, err
	}
	of := *st
	of.FewTexts = collected <= fewTexts
	if err := st.carryOut(ctx, []step{{"match_texts", &of}}); err != nil {
		return false, err
	}
	err = st.store.queryRow(ctx, "count_matches", st, nil, &matches)
	return matches > 0, err
}

// ofPublished returns the stage for statements about published texts that name somebody.
func (st *stage) ofPublished() *stage {
	published := *st
	published.TextTable, published.MatchTable = st.TextTable+ofPublished, st.MatchTable+ofPublished
	return &published
}

const ofPublished = "_published"

// checking lists the statements that collect the texts of what is published.
func (st *stage) checking() []step {
	names := make([]string, len(st.TextValues))
	for i, v := range st.TextValues {
		names[i] = v.Name
	}
	of := st.ofPublished()
	return []step{
		{"create_texts", of}, {"create_matches", of},
		{"collect_texts", texts{of, names, quote(st.G.Published.Database, st.G.Published.Name), true}},
	}
}

// withoutTainted returns the stage for statements over the rows that could be
// published.
func (st *stage) withoutTainted() *stage {
	without := *st
	without.WithoutTainted = true
	return &without
}

// of returns the stage for statements about one sensitive column.
func (st *stage) of(s sensitiveColumn) *stage {
	about := *st.withoutTainted()
	about.Sensitive = s
	return &about
}

// SQL returns the statements that publish a partition of the dataset.
func (s *Store) SQL(dataset string, p sinks.Partition) ([]string, error) {
	st, err := s.newStage(dataset, []sinks.Partition{p}, stagePrefix)
	if err != nil {
		return nil, err
	}
	st.InMemory, st.Partition, st.Named = true, partitionID(p), true
	for level := range st.G.Copy.Classes {
		st.Levels = append(st.Levels, level)
	}
	of := st.ofPublished()
	script := slices.Concat(st.copying(), st.naming(), []step{{"match_texts", st}}, st.deciding(),
		[]step{{"stage_rows", st}, {"count_classes", st.withoutTainted()}, {"publish_partition", st}, {"verify_classes", st}},
		st.checking(), []step{{"match_texts", of}, {"verify_identifiers", of}})
	for _, column := range st.G.Sensitive {
		script = append(script, step{"verify_sensitive", st.of(column)})
	}
	sql := make([]string, len(script))
	for i, s := range script {
		if sql[i], err = render(s.statement, s.data); err != nil {
			return nil, err
		}
	}
	return sql, nil
}
