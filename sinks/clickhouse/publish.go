package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hashicorp/go-multierror"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Publisher = (*Store)(nil)

// inMemoryRows is up to how many rows the cells of a batch are kept in memory: some
// 100 bytes and k people each.
const inMemoryRows = 4_000_000

// stage is a set of partitions in preparation. Its tables have random names, so
// that two processes that work on the same partition stay out of each other's
// way: both come to the same rows. Its exported fields are what the statements
// are rendered from.
type stage struct {
	store     *Store
	pubs      []sinks.Publication
	published map[string]uint64 // rows that were published before, by partition id
	refused   map[string]bool   // partition ids of which too much would be suppressed

	G               *generalisation
	Control         string
	IdentifierTable string
	CopyTable       string
	TieTable        string
	TextTable       string
	MatchTable      string
	TaintTable      string
	CellTable       string
	LevelTable      string
	StageTable      string
	InMemory        bool
	Level           int
	Partition       string
	TextValues      []publishedValue
	SensitiveTexts  []string
	Sensitive       sensitiveColumn // for statements about one of them
	WithoutTainted  bool            // leave out rows with a sensitive text that names somebody
	Named           bool            // some texts name somebody, or may
	Levels          []int           // those at which there is something to publish
}

var _ sinks.Staged = (*stage)(nil)

// Stage implements sinks.Publisher.
func (s *Store) Stage(ctx context.Context, dataset string, partitions []sinks.Partition) (sinks.Staged, error) {
	st, err := s.newStage(dataset, partitions, stagePrefix+sinks.NewID().String())
	if err != nil {
		return nil, err
	}
	if err := st.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("stage %s: %w", dataset, err), st.Discard(context.WithoutCancel(ctx)))
	}
	return st, nil
}

func (s *Store) newStage(dataset string, partitions []sinks.Partition, name string) (*stage, error) {
	g, err := s.generalisation(dataset)
	if err != nil {
		return nil, err
	}
	st := &stage{
		store: s, G: g, Control: s.db.Control, refused: map[string]bool{}, SensitiveTexts: g.sensitiveTexts(),
		IdentifierTable: name + "_identifiers", CopyTable: name + "_copy", TieTable: name + "_ties", TextTable: name + "_texts", MatchTable: name + "_matches", TaintTable: name + "_taint",
		CellTable: name + "_cells", LevelTable: name + "_levels", StageTable: name + "_rows",
	}
	for _, p := range partitions {
		st.pubs = append(st.pubs, sinks.Publication{Partition: p, Dataset: dataset, K: sinks.KResult{K: uint64(g.K)}})
	}
	for _, v := range g.Values {
		if v.Kind == config.Text {
			st.TextValues = append(st.TextValues, v)
		}
	}
	return st, nil
}

func (st *stage) parameters() parameters { return st.G.over(st.ids()) }

// checkParameters are those of a statement that checks a publication, with a key that
// nobody knew when it was made.
func (st *stage) checkParameters() parameters {
	p := st.parameters()
	p["key"] = fmt.Sprint(rand.Uint64())
	return p
}

// ids returns ClickHouse's ids of the partitions.
func (st *stage) ids() []string {
	ids := make([]string, len(st.pubs))
	for i, p := range st.pubs {
		ids[i] = partitionID(p.Partition)
	}
	return ids
}

// publication returns the record of the partition with ClickHouse's id.
func (st *stage) publication(id string) (*sinks.Publication, error) {
	for i := range st.pubs {
		if partitionID(st.pubs[i].Partition) == id {
			return &st.pubs[i], nil
		}
	}
	return nil, fmt.Errorf("the partition %s was not asked for", id)
}

// prepare finds the cells of each level, finest first, and writes the generalised
// rows.
func (st *stage) prepare(ctx context.Context) error {
	if err := st.store.checkRoom(ctx, st.G.Personal, st.ids()); err != nil {
		return err
	}
	if err := st.chooseEngine(ctx); err != nil {
		return err
	}
	if err := st.carryOut(ctx, st.copying()); err != nil {
		return err
	}
	if err := st.lookForNames(ctx); err != nil {
		return err
	}
	if err := st.carryOut(ctx, st.deciding()); err != nil {
		return err
	}
	if err := st.stageRows(ctx); err != nil {
		return err
	}
	if err := errors.Join(st.countPersonal(ctx), st.countStaged(ctx)); err != nil {
		return err
	}
	held, err := st.holdings(ctx)
	if err != nil {
		return err
	}
	st.published = map[string]uint64{} // what an earlier attempt may have left
	for p, h := range held {
		st.published[partitionID(p)] = h.Published
	}
	return st.unchanged(held)
}

func (st *stage) holdings(ctx context.Context) (map[sinks.Partition]sinks.Holding, error) {
	partitions := make([]sinks.Partition, len(st.pubs))
	for i, p := range st.pubs {
		partitions[i] = p.Partition
	}
	return st.store.Holdings(ctx, st.pubs[0].Dataset, partitions)
}

// unchanged makes sure that the personal rows are those that were staged. Another
// process may have dropped them meanwhile: then what was staged is not all of
// them, and what that process published may not be replaced by it.
func (st *stage) unchanged(held map[sinks.Partition]sinks.Holding) error {
	var faults *multierror.Error
	for i := range st.pubs {
		p := &st.pubs[i]
		if n := held[p.Partition].Personal; n != p.Rows || n == 0 {
			faults = multierror.Append(faults, fmt.Errorf("%w: %s of %s held %d rows when it was staged, and now %d", sinks.ErrConflict, p.Partition, p.Dataset, p.Rows, n))
		}
	}
	return faults.ErrorOrNil()
}

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

// copying lists the statements that copy the rows, and look through their texts.
func (st *stage) copying() []step {
	steps := []step{
		{"create_identifiers", st}, {"create_texts", st}, {"create_matches", st}, {"create_taint", st}, {"create_copy", st}, {"create_ties", st}, {"create_levels", st}, {"create_stage", st},
	}
	if len(st.G.Identifiers) > 0 {
		steps = append(steps, step{"find_identifiers", st})
	}
	if len(st.SensitiveTexts) > 0 { // rows that have one that names somebody are left out from the start
		personal := texts{st, st.SensitiveTexts, quote(st.G.Personal.Database, st.G.Personal.Name), true}
		steps = append(steps, step{"collect_texts", personal}, step{"match_texts", st}, step{"find_taint", st})
	}
	steps = append(steps, step{"copy_rows", st})
	if len(st.G.Copy.Links) > 0 {
		steps = append(steps, step{"find_ties", st})
	}
	return append(steps, step{"collect_texts", texts{st, st.G.DistinctTexts, quote(st.Control, st.CopyTable), false}}, step{"match_texts", st})
}

// deciding lists the statements that decide at which level each row is published.
func (st *stage) deciding() (steps []step) {
	if st.Named {
		steps = append(steps, step{"find_taint", st})
	}
	steps = append(steps, step{"create_cells", st.withoutTainted()}, step{"fill_cells", st.withoutTainted()})
	for level := range st.G.Copy.Classes {
		at := *st
		at.Level = level
		steps = append(steps, step{"find_level", &at})
	}
	return steps
}

// stageRows writes the rows as they are to be published.
func (st *stage) stageRows(ctx context.Context) error {
	err := st.store.query(ctx, "used_levels", st, nil, func(r driver.Rows) error {
		var level uint8
		err := r.Scan(&level)
		st.Levels = append(st.Levels, int(level))
		return err
	})
	if err != nil || len(st.Levels) == 0 {
		return err
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

// lookForNames notes whether a text names somebody.
func (st *stage) lookForNames(ctx context.Context) error {
	var matches uint64
	err := st.store.queryRow(ctx, "count_matches", st, nil, &matches)
	st.Named = matches > 0
	return err
}

// ofPublished returns the stage for statements about published texts that name somebody.
func (st *stage) ofPublished() *stage {
	published := *st
	published.TextTable, published.MatchTable = st.TextTable+ofPublished, st.MatchTable+ofPublished
	return &published
}

const ofPublished = "_published"

// checking lists the statements that look for names in what is published.
func (st *stage) checking() []step {
	names := make([]string, len(st.TextValues))
	for i, v := range st.TextValues {
		names[i] = v.Name
	}
	of := st.ofPublished()
	return []step{
		{"create_texts", of}, {"create_matches", of},
		{"collect_texts", texts{of, names, quote(st.G.Published.Database, st.G.Published.Name), true}}, {"match_texts", of},
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
	script := slices.Concat(st.copying(), st.deciding(), []step{{"stage_rows", st}, {"publish_partition", st}, {"verify_classes", st.withoutTainted()}}, st.checking(), []step{{"verify_identifiers", st.ofPublished()}})
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

func (st *stage) chooseEngine(ctx context.Context) error {
	var rows uint64
	err := st.store.queryRow(ctx, "count_rows", st.G.Personal, st.parameters(), &rows)
	st.InMemory = rows <= inMemoryRows
	return err
}

func (st *stage) countPersonal(ctx context.Context) error {
	return st.store.query(ctx, "count_personal", st, nil, func(r driver.Rows) error {
		var id string
		var rows, subjects uint64
		if err := r.Scan(&id, &rows, &subjects); err != nil {
			return err
		}
		p, err := st.publication(id)
		if err == nil {
			p.Rows, p.Subjects = rows, subjects
		}
		return err
	})
}

// countStaged counts what was staged and sees to it that each partition is one
// part, for only a single part is published in one step.
func (st *stage) countStaged(ctx context.Context) error {
	var split []string
	err := st.store.query(ctx, "count_stage", st, nil, func(r driver.Rows) error {
		var id string
		var rows, generalised, parts uint64
		var levels []uint64
		if err := r.Scan(&id, &rows, &generalised, &parts, &levels); err != nil {
			return err
		}
		if parts > 1 {
			split = append(split, id)
		}
		p, err := st.publication(id)
		if err == nil {
			p.Published, p.Generalised, p.Loss = rows, generalised, 0
			for level, n := range levels {
				p.Loss += st.G.Losses[level] * float64(n)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range split {
		data := *st
		data.Partition = id
		if err := st.store.exec(ctx, "merge_stage", &data, nil); err != nil {
			return err
		}
	}
	return st.conclude()
}

// conclude works out what was suppressed and stamps the records.
func (st *stage) conclude() error {
	sql, err := st.store.SQL(st.pubs[0].Dataset, sinks.Partition{}) // the same for every partition
	if err != nil {
		return err
	}
	query := digest(sql...)
	for i := range st.pubs {
		p := &st.pubs[i]
		if p.Published > p.Rows {
			return fmt.Errorf("%w: %d rows of %s were staged out of %d", sinks.ErrConflict, p.Published, p.Partition, p.Rows)
		}
		p.Suppressed, p.Query = p.Rows-p.Published, query
		if p.Rows > 0 {
			p.Loss = (p.Loss + float64(p.Suppressed)) / float64(p.Rows)
		}
	}
	return nil
}

// Publications implements sinks.Staged.
func (st *stage) Publications() []sinks.Publication { return st.pubs }

// Publish implements sinks.Staged. Where more is suppressed than the policy allows,
// nothing is published, nor left of an earlier attempt. Where everything was suppressed, there is
// nothing to publish, and nothing may be left of an earlier attempt.
func (st *stage) Publish(ctx context.Context, p sinks.Partition) error {
	pub, err := st.publication(partitionID(p))
	if err != nil {
		return err
	}
	if float64(pub.Suppressed) > st.G.Limit*float64(pub.Rows) {
		st.refused[partitionID(p)] = true
		err := fmt.Errorf("%w: of %s of %s, %d of %d rows fit no class, more than the suppression_limit of %g; choose coarser levels ('lapse policy tune') or a higher limit", sinks.ErrSuppression, p, pub.Dataset, pub.Suppressed, pub.Rows, st.G.Limit)
		if st.published[partitionID(p)] > 0 {
			err = errors.Join(err, st.store.dropPartitions(ctx, st.G.Published, []string{partitionID(p)}))
		}
		return err
	}
	if pub.Published == 0 {
		if st.published[partitionID(p)] == 0 {
			return nil
		}
		return st.store.dropPartitions(ctx, st.G.Published, []string{partitionID(p)})
	}
	data := *st
	data.Partition = partitionID(p)
	if err := st.store.replacePartition(ctx, st.G.Published, p, pub.Published, "publish_partition", &data); err != nil {
		return fmt.Errorf("publish %s of %s: %w", p, pub.Dataset, err)
	}
	return nil
}

// verified is what Verify found of one partition.
type verified struct {
	different, classes, smallest, rows, identifiers uint64
	values, alike                                   uint64 // sensitive values that differ, classes in which they are too much alike
}

// verifyClasses compares what is published with what was staged.
func (st *stage) verifyClasses(ctx context.Context) (map[string]*verified, error) {
	found := map[string]*verified{}
	for _, p := range st.pubs {
		found[partitionID(p.Partition)] = &verified{}
	}
	err := st.store.query(ctx, "verify_classes", st.withoutTainted(), st.checkParameters(), func(r driver.Rows) error {
		var id string
		var v verified
		err := r.Scan(&id, &v.different, &v.classes, &v.smallest, &v.rows)
		found[id] = &v
		return err
	})
	return found, err
}

// Stands implements sinks.Staged. A class whose rows would be generalised further by
// now has nobody left.
func (st *stage) Stands(ctx context.Context) (map[sinks.Partition]bool, error) {
	found, err := st.verifyClasses(ctx)
	if err != nil {
		return nil, err
	}
	stands := map[sinks.Partition]bool{}
	for _, p := range st.pubs {
		v := found[partitionID(p.Partition)]
		stands[p.Partition] = v.rows == 0 || v.smallest >= uint64(st.G.K)
	}
	return stands, nil
}

// Verify implements sinks.Staged.
func (st *stage) Verify(ctx context.Context) error {
	found, err := st.verifyClasses(ctx)
	if err != nil {
		return err
	}
	if err := st.verifyIdentifiers(ctx, found); err != nil {
		return err
	}
	for _, column := range st.G.Sensitive {
		if err := st.verifySensitive(ctx, column, found); err != nil {
			return err
		}
	}
	held, err := st.holdings(ctx)
	if err != nil {
		return err
	}
	if err := st.unchanged(held); err != nil { // what is published is not of the rows that are there
		return err
	}
	var faults *multierror.Error
	for i := range st.pubs {
		p := &st.pubs[i]
		if st.refused[partitionID(p.Partition)] {
			continue
		}
		v := found[partitionID(p.Partition)]
		if err := v.judge(p); err != nil {
			faults = multierror.Append(faults, fmt.Errorf("verify %s of %s: %w", p.Partition, p.Dataset, err))
			continue
		}
		p.K.Classes, p.K.Smallest, p.VerifiedAt = v.classes, v.smallest, time.Now().UTC()
	}
	return faults.ErrorOrNil()
}

// verifyIdentifiers looks for direct identifiers in the published texts.
func (st *stage) verifyIdentifiers(ctx context.Context, found map[string]*verified) error {
	of := st.ofPublished()
	err := errors.Join(st.store.dropStage(ctx, of.TextTable), st.store.dropStage(ctx, of.MatchTable)) // of an earlier look
	if err != nil {
		return err
	}
	if err := st.carryOut(ctx, st.checking()); err != nil {
		return err
	}
	if err := of.lookForNames(ctx); err != nil || !of.Named {
		return err
	}
	return st.store.query(ctx, "verify_identifiers", of, st.parameters(), func(r driver.Rows) error {
		var id string
		var n uint64
		err := r.Scan(&id, &n)
		if v := found[id]; v != nil {
			v.identifiers = n
		}
		return err
	})
}

// verifySensitive looks at the values of one sensitive column.
func (st *stage) verifySensitive(ctx context.Context, column sensitiveColumn, found map[string]*verified) error {
	return st.store.query(ctx, "verify_sensitive", st.of(column), st.checkParameters(), func(r driver.Rows) error {
		var id string
		var different, alike uint64
		err := r.Scan(&id, &different, &alike)
		if v := found[id]; v != nil {
			v.values, v.alike = v.values+different, v.alike+alike
		}
		return err
	})
}

// judge says everything that is wrong.
func (v *verified) judge(p *sinks.Publication) error {
	var faults []string
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	add(v.different > 0, "%d classes are not published as staged", v.different)
	add(v.rows != p.Published, "%d rows are published, %d were staged", v.rows, p.Published)
	add(v.rows > 0 && v.smallest < p.K.K, "a published class holds %d people, the policy asks for %d", v.smallest, p.K.K)
	add(v.identifiers > 0, "%d published values hold a direct identifier", v.identifiers)
	add(v.values > 0, "%d sensitive values are not published as often as they occur", v.values)
	add(v.alike > 0, "in %d published classes the sensitive values are too much alike", v.alike)
	if faults == nil {
		return nil
	}
	err := fmt.Errorf("%w: %s", sinks.ErrVerification, strings.Join(faults, "; "))
	if v.rows > p.Published { // somebody else is at publishing the same
		return errors.Join(sinks.ErrConflict, err)
	}
	return err
}

// Discard implements sinks.Staged.
func (st *stage) Discard(ctx context.Context) error {
	var errs error
	of := st.ofPublished()
	for _, name := range []string{
		st.IdentifierTable, st.CopyTable, st.TieTable, st.TextTable, st.MatchTable, of.TextTable, of.MatchTable, st.TaintTable, st.CellTable, st.LevelTable, st.StageTable,
	} {
		errs = errors.Join(errs, st.store.dropStage(ctx, name))
	}
	return errs
}

func (s *Store) dropStage(ctx context.Context, name string) error {
	return s.exec(ctx, "drop_stage", map[string]any{"Control": s.db.Control, "Table": name}, nil)
}

// SweepStages removes the staging tables that killed runs have left: those older
// than any statement may run.
func (s *Store) SweepStages(ctx context.Context) error {
	var names []string
	data := map[string]any{"Control": s.db.Control, "Prefix": stagePrefix}
	err := s.query(ctx, "list_stages", data, nil, func(r driver.Rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	for _, name := range names {
		err = errors.Join(err, s.dropStage(ctx, name))
	}
	return err
}
