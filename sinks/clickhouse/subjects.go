package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

var _ sinks.SubjectTables = (*Store)(nil)

// erasure is what the statements about due subjects are rendered from. The
// subjects themselves stay inside ClickHouse, in a table that lives as long as the
// erasure.
type erasure struct {
	Control, SubjectTable string
	HeldTable             string
	Database, Name, Time  string
	Own                   []*table // the dataset's rows on all nodes, and once more those here
	Subject               string
	Event                 string
	Witnesses             []witness
	Held                  *heldRows // nil where no hold is in force
	parameters            parameters
}

// witness is a table that shows when a subject was active.
type witness struct {
	Database, Name, Time string
	Subject              string
	EventColumn          string
}

// DueSubjects implements sinks.SubjectTables.
func (s *Store) DueSubjects(ctx context.Context, dataset string, c sinks.SubjectCutoff) (rows sinks.SubjectRows, err error) {
	e, err := s.newErasure(ctx, dataset, c)
	if err != nil {
		return rows, err
	}
	defer func() { err = errors.Join(err, s.dropErasure(context.WithoutCancel(ctx), e)) }()
	if err := s.findSubjects(ctx, e, c); err != nil {
		return rows, err
	}
	err = s.queryRow(ctx, "count_due_subjects", e, nil, &rows.Rows, &rows.Subjects)
	return rows, err
}

// EraseSubjects implements sinks.SubjectTables.
func (s *Store) EraseSubjects(ctx context.Context, dataset string, c sinks.SubjectCutoff) (rows sinks.SubjectRows, left sinks.Absence, err error) {
	e, err := s.newErasure(ctx, dataset, c)
	if err != nil {
		return rows, left, err
	}
	defer func() { err = errors.Join(err, s.dropErasure(context.WithoutCancel(ctx), e)) }()
	if err := s.findSubjects(ctx, e, c); err != nil {
		return rows, left, err
	}
	if err := s.queryRow(ctx, "count_due_subjects", e, nil, &rows.Rows, &rows.Subjects); err != nil || rows.Rows == 0 {
		return rows, left, err
	}
	if err := s.mutate(ctx, s.tables[dataset], "erase_subjects", e); err != nil {
		return rows, left, err
	}
	left, err = s.awaitGone(ctx, s.tables[dataset], func() (uint64, error) {
		var still sinks.SubjectRows
		err := s.queryRow(ctx, "count_due_subjects", e, nil, &still.Rows, &still.Subjects)
		return still.Rows, err
	})
	return rows, left, err
}

func (s *Store) findSubjects(ctx context.Context, e *erasure, c sinks.SubjectCutoff) error {
	if err := s.exec(ctx, "create_due_subjects", e, nil); err != nil {
		return err
	}
	if err := s.exec(ctx, "find_due_subjects", e, parameters{"before": milliseconds(c.Before)}); err != nil || e.Held == nil {
		return err
	}
	if err := s.exec(ctx, "create_held", e, nil); err != nil {
		return err
	}
	return s.exec(ctx, "find_held", e, e.parameters)
}

func (s *Store) dropErasure(ctx context.Context, e *erasure) error {
	err := s.dropStage(ctx, e.SubjectTable)
	if e.Held != nil {
		err = errors.Join(err, s.dropStage(ctx, e.HeldTable))
	}
	return err
}

func (s *Store) newErasure(ctx context.Context, dataset string, c sinks.SubjectCutoff) (*erasure, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	if t.dataset == nil || len(t.dataset.Subject) == 0 {
		return nil, fmt.Errorf("the dataset %q has no subjects", dataset)
	}
	e := &erasure{
		Control: s.db.Control, SubjectTable: stagePrefix + sinks.NewID().String() + "_subjects",
		HeldTable: stagePrefix + sinks.NewID().String() + "_held",
		Database:  t.Database, Name: t.Name, Time: t.Time, Own: s.own(t), Subject: firstIdentifier(t.dataset.Subject),
		Event: c.Event,
	}
	if any, err := s.holdsInForce(ctx, dataset, c.AsOf); err != nil {
		return nil, err
	} else if any {
		held := s.heldRows(t)
		held.ByPartition = false // people are tied over all of the table
		e.Held, e.parameters = &held, holdParameters(dataset, c.AsOf)
	}
	for i := range s.policy.Datasets {
		d := &s.policy.Datasets[i]
		event, has := eventColumn(d)
		if !d.SharesSubject(t.dataset) || c.Event != "" && !has {
			continue
		}
		for _, w := range s.own(s.tables[d.Name]) {
			e.Witnesses = append(e.Witnesses, witness{w.Database, w.Name, d.Time, firstIdentifier(d.Subject), event})
		}
	}
	if len(e.Witnesses) == 0 {
		return nil, fmt.Errorf("no dataset holds the records called %q that close an account of %q", c.Event, dataset)
	}
	return e, nil
}

// own returns a table's rows on all nodes and once more those here, for statements to which
// it does not matter how often they see one: of other nodes one replica answers, and what is
// gone from that can still be here.
func (s *Store) own(t *table) []*table {
	if all := s.everywhere(t); all != t {
		return []*table{all, t}
	}
	return []*table{t}
}

// eventColumn returns the column that holds the name of a track call.
func eventColumn(d *config.Dataset) (string, bool) {
	for _, c := range d.Columns {
		if slices.Contains(c.From, "event") {
			return c.Name, true
		}
	}
	return "", false
}
