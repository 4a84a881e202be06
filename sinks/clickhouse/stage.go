package clickhouse

import (
	"context"
	"errors"
	"fmt"

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
	key       uint64            // under which classes are checked: drawn when it is decided what is published
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
	ClassTable      string
	StageTable      string
	InMemory        bool
	Level           int
	Partition       string
	TextValues      []publishedValue
	SensitiveTexts  []string
	Sensitive       sensitiveColumn // for statements about one of them
	WithoutTainted  bool            // leave out rows with a sensitive text that names somebody
	Named           bool            // some texts name somebody, or may
	NamesLater      bool            // that is found out while the rows are written
	FewTexts        bool            // there are few to be looked through, in relation to the identifiers
	UpToK           bool            // of the people of a class, more than k are not told apart
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
		CellTable: name + "_cells", LevelTable: name + "_levels", ClassTable: name + "_classes", StageTable: name + "_rows",
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
// nobody knew when the rows were stored.
func (st *stage) checkParameters() parameters {
	p := st.parameters()
	p["key"] = fmt.Sprint(st.key)
	return p
}

// ids returns ClickHouse's ids of the partitions.
func (st *stage) ids() []string {
	ids := make([]string, len(st.pubs))
	for i := range st.pubs { // not by value: they may be counted meanwhile
		ids[i] = partitionID(st.pubs[i].Partition)
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
	if err := st.write(ctx); err != nil {
		return err
	}
	if err := st.countStaged(ctx); err != nil {
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

func (st *stage) chooseEngine(ctx context.Context) error {
	var rows uint64
	err := st.store.queryRow(ctx, "count_rows", st.G.Personal, st.parameters(), &rows)
	st.InMemory = rows <= inMemoryRows
	return err
}

// sideBySide does two things at once, where the partitions are not so large that both
// together could ask for too much memory: writing a single part keeps one core busy, and
// short statements do not keep two.
func (st *stage) sideBySide(ctx context.Context, one, other func(context.Context) error) error {
	if !st.InMemory {
		if err := one(ctx); err != nil {
			return err
		}
		return other(ctx)
	}
	errs := make(chan error, 1)
	go func() { errs <- other(ctx) }()
	return errors.Join(one(ctx), <-errs)
}

// write decides at which level each row is published, and writes the rows. The texts have
// to be looked through for names before anything is decided by them. Where those of a
// dataset named nobody the last time, it is done beside the writing, which is all done
// again should one name somebody: until then nothing is published.
func (st *stage) write(ctx context.Context) error {
	dataset := st.pubs[0].Dataset
	named, _ := st.store.named.Load(dataset)
	st.NamesLater = st.InMemory && len(st.SensitiveTexts) == 0 && named != true
	if st.NamesLater {
		named, err := st.writeBesideLooking(ctx)
		if err != nil || !named {
			return err
		}
		st.NamesLater, st.Named = false, true
		st.store.named.Store(dataset, true)
		if err := st.undecide(ctx); err != nil {
			return err
		}
	} else {
		var err error
		if st.Named, err = st.lookForNames(ctx); err != nil {
			return err
		}
		st.store.named.Store(dataset, st.Named)
	}
	if err := st.decide(ctx); err != nil {
		return err
	}
	return st.sideBySide(ctx, st.stageRows, st.countPeople)
}

// writeBesideLooking writes the rows as if no text named anybody, and reports whether one
// does.
func (st *stage) writeBesideLooking(ctx context.Context) (named bool, err error) {
	if err := st.decide(ctx); err != nil {
		return false, err
	}
	err = st.sideBySide(ctx, st.stageRows, func(ctx context.Context) (err error) {
		if named, err = st.lookForNames(ctx); err != nil || named {
			return err
		}
		return st.countPeople(ctx)
	})
	return named, err
}

// countPeople counts whom the rows are about, in all and in each class.
func (st *stage) countPeople(ctx context.Context) error {
	if err := st.countClasses(ctx); err != nil {
		return err
	}
	return st.countPersonal(ctx)
}

// countClasses counts the people of each class. Reported are those of the smallest, and
// that mostly holds k, so more are not told apart; unless it held more the last time. If it
// does, all are counted.
func (st *stage) countClasses(ctx context.Context) error {
	dataset := st.pubs[0].Dataset
	ample, _ := st.store.ample.Load(dataset)
	upToK := st.G.CountsUpToK() && ample != true
	for {
		classes := st.withoutTainted()
		classes.UpToK = upToK
		if err := st.store.exec(ctx, "count_classes", classes, st.checkParameters()); err != nil {
			return err
		}
		var smallest uint64
		if err := st.store.queryRow(ctx, "smallest_class", st, nil, &smallest); err != nil {
			return err
		}
		st.store.ample.Store(dataset, smallest > uint64(st.G.K))
		if !upToK || smallest <= uint64(st.G.K) {
			return nil
		}
		upToK = false
		if err := st.store.dropStage(ctx, st.ClassTable); err != nil {
			return err
		}
		if err := st.carryOut(ctx, []step{{"create_classes", st}}); err != nil {
			return err
		}
	}
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

// Discard implements sinks.Staged.
func (st *stage) Discard(ctx context.Context) error {
	of := st.ofPublished()
	return st.store.dropStage(ctx,
		st.IdentifierTable, st.CopyTable, st.TieTable, st.TextTable, st.MatchTable, of.TextTable, of.MatchTable, st.TaintTable,
		st.CellTable, st.LevelTable, st.ClassTable, st.StageTable)
}

// undecide removes what was decided, and what was written for it.
func (st *stage) undecide(ctx context.Context) error {
	return st.store.dropStage(ctx, st.CellTable, st.LevelTable, st.ClassTable, st.StageTable)
}

// dropStage removes tables that may not be there.
func (s *Store) dropStage(ctx context.Context, names ...string) error {
	return s.exec(ctx, "drop_stage", map[string]any{"Control": s.db.Control, "Tables": names}, nil)
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
