package clickhouse

import (
	"context"
	"slices"
	"time"

	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.SubjectTables = (*Cluster)(nil)
	_ sinks.PeopleTables  = (*Cluster)(nil)
	_ sinks.Rectification = (*Cluster)(nil)
)

// erased is what came of an erasure on a node.
type erased struct {
	sinks.Node
	rows sinks.SubjectRows
	left sinks.Absence
}

// DueSubjects implements sinks.SubjectTables. Who is due is decided by the rows of all
// nodes.
func (c *Cluster) DueSubjects(ctx context.Context, dataset string, cut sinks.SubjectCutoff) (sum sinks.SubjectRows, err error) {
	found, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (erased, error) {
		rows, err := s.DueSubjects(ctx, dataset, cut)
		return erased{Node: s.node, rows: rows}, err
	})
	return sumSubjects(found), err
}

// EraseSubjects implements sinks.SubjectTables. All that is held of somebody in the
// dataset is on one shard, so what is gone from one node changes nothing about who is due
// on another.
func (c *Cluster) EraseSubjects(ctx context.Context, dataset string, cut sinks.SubjectCutoff) (sinks.SubjectRows, sinks.Absence, error) {
	found, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (erased, error) {
		rows, left, err := s.EraseSubjects(ctx, dataset, cut)
		return erased{s.node, rows, left}, err
	})
	var left sinks.Absence
	for _, e := range found {
		left = left.Plus(e.left)
	}
	return sumSubjects(found), left, err
}

// sumSubjects counts what each shard has once, however many replicas.
func sumSubjects(found []erased) (sum sinks.SubjectRows) {
	for _, e := range found {
		if e.Replica <= 1 {
			sum.Rows, sum.Subjects = sum.Rows+e.rows.Rows, sum.Subjects+e.rows.Subjects
		}
	}
	return sum
}

// Ties implements sinks.PeopleTables.
func (c *Cluster) Ties(ctx context.Context, of []sinks.Identifier, organisations bool) ([]sinks.Tie, error) {
	lists, err := on(ctx, c, c.readers(), func(ctx context.Context, s *Store) ([]sinks.Tie, error) { return s.Ties(ctx, of, organisations) })
	if err != nil {
		return nil, err
	}
	return distinct(slices.Concat(lists...)), nil
}

// Resolve implements sinks.PeopleTables.
func (c *Cluster) Resolve(ctx context.Context, of []sinks.Identifier) (map[sinks.Identifier][]sinks.Identifier, error) {
	found, err := on(ctx, c, c.readers(), func(ctx context.Context, s *Store) (map[sinks.Identifier][]sinks.Identifier, error) {
		return s.Resolve(ctx, of)
	})
	if err != nil {
		return nil, err
	}
	all := map[sinks.Identifier][]sinks.Identifier{}
	for _, m := range found {
		for other, subjects := range m {
			all[other] = distinct(append(all[other], subjects...))
		}
	}
	return all, nil
}

// distinct leaves out what comes again.
func distinct[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(list, func(v T) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

// people is what was found of people on a node.
type people struct {
	partitions []sinks.PeopleRows
	persons    []sinks.PersonRows
	left       sinks.Absence
}

// CountPeople implements sinks.PeopleTables.
func (c *Cluster) CountPeople(ctx context.Context, of sinks.People, asOf time.Time) (partitions []sinks.PeopleRows, persons []sinks.PersonRows, err error) {
	found, err := on(ctx, c, c.nodes, func(ctx context.Context, s *Store) (people, error) {
		partitions, persons, err := s.CountPeople(ctx, of, asOf)
		return people{partitions: partitions, persons: persons}, err
	})
	for _, p := range found {
		partitions, persons = append(partitions, p.partitions...), append(persons, p.persons...)
	}
	return whole(partitions), persons, err
}

// whole adds up the rows of tables that are not divided, over all nodes.
func whole(rows []sinks.PeopleRows) (sums []sinks.PeopleRows) {
	at := map[string]int{}
	for _, n := range rows {
		if i, seen := at[n.Dataset]; seen && n.Partition == nil {
			sums[i].Rows, sums[i].Held, sums[i].People = sums[i].Rows+n.Rows, sums[i].Held+n.Held, sums[i].People+n.People
			continue
		}
		if n.Partition == nil {
			at[n.Dataset] = len(sums)
		}
		sums = append(sums, n)
	}
	return sums
}

// ErasePeople implements sinks.PeopleTables.
func (c *Cluster) ErasePeople(ctx context.Context, dataset string, partitions []sinks.Partition, of sinks.People, asOf time.Time) (rows []sinks.PeopleRows, left sinks.Absence, err error) {
	some, nodes, err := c.divide(partitions)
	if err != nil {
		return nil, left, err
	}
	if len(partitions) == 0 {
		nodes = c.keeping(dataset)
	}
	found, err := on(ctx, c, nodes, func(ctx context.Context, s *Store) (people, error) {
		rows, left, err := s.ErasePeople(ctx, dataset, some[s.node], of, asOf)
		return people{partitions: rows, left: left}, err
	})
	for _, p := range found {
		rows, left = append(rows, p.partitions...), left.Plus(p.left)
	}
	return whole(rows), left, err
}

// ForgetPeople implements sinks.RequestRegister. Every node has searched for the people.
func (c *Cluster) ForgetPeople(ctx context.Context, requests []sinks.ID) (left sinks.Absence, err error) {
	_, err = on(ctx, c, c.nodes, func(ctx context.Context, s *Store) (struct{}, error) { return struct{}{}, s.kept.end(ctx) })
	if err != nil {
		return left, err
	}
	return c.Store.ForgetPeople(ctx, requests)
}

// CountUnrectified implements sinks.Rectification.
func (c *Cluster) CountUnrectified(ctx context.Context, dataset string, person sinks.Person, values map[string]string, asOf time.Time) (sum uint64, err error) {
	counts, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) (uint64, error) {
		return s.CountUnrectified(ctx, dataset, person, values, asOf)
	})
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// RectifyRows implements sinks.Rectification.
func (c *Cluster) RectifyRows(ctx context.Context, dataset string, person sinks.Person, values map[string]string, asOf time.Time) (rows, left uint64, err error) {
	found, err := on(ctx, c, c.keeping(dataset), func(ctx context.Context, s *Store) ([2]uint64, error) {
		rows, left, err := s.RectifyRows(ctx, dataset, person, values, asOf)
		return [2]uint64{rows, left}, err
	})
	for _, n := range found {
		rows, left = rows+n[0], left+n[1]
	}
	return rows, left, err
}
