package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

// counts are what a search has found, counted at most once; nil is not yet.
type counts struct {
	partitions []string // IDs of those that hold any
	rows       []sinks.PeopleRows
	persons    []sinks.PersonRows
}

// byPartition counts what was found in the partitions that the search is for.
func (x *search) byPartition(ctx context.Context) (rows []sinks.PeopleRows, err error) {
	if x.empty() {
		return nil, nil
	}
	if x.rows == nil {
		n := counts{rows: []sinks.PeopleRows{}}
		if err := x.store.query(ctx, "people_by_partition", x, nil, func(r driver.Rows) error { return x.addPartition(r, &n) }); err != nil {
			return nil, err
		}
		x.partitions, x.rows = n.partitions, n.rows
	}
	for i, id := range x.partitions {
		if !x.Partitioned || x.wanted[id] {
			rows = append(rows, x.rows[i])
		}
	}
	return rows, nil
}

func (x *search) addPartition(r driver.Rows, to *counts) error {
	var id string
	n := sinks.PeopleRows{Dataset: x.dataset}
	if err := r.Scan(&id, &n.Rows, &n.Held, &n.People); err != nil {
		return err
	}
	if x.table.byDay() {
		p, err := parsePartitionID(id)
		if err != nil {
			return err
		}
		p = p.On(x.store.node)
		n.Partition = &p
	}
	to.partitions, to.rows = append(to.partitions, id), append(to.rows, n)
	return nil
}

// byPerson counts what was found of each person, in all partitions.
func (x *search) byPerson(ctx context.Context) ([]sinks.PersonRows, error) {
	if x.empty() || x.persons != nil {
		return x.persons, nil
	}
	persons := []sinks.PersonRows{}
	err := x.store.query(ctx, "people_by_person", x, nil, func(r driver.Rows) error {
		var person uuid.UUID
		n := sinks.PersonRows{Dataset: x.dataset}
		err := r.Scan(&person, &n.Rows, &n.Held, &n.Last)
		n.Person = sinks.ID(person)
		persons = append(persons, n)
		return err
	})
	if err == nil {
		x.persons = persons
	}
	return x.persons, err
}

// parsePartitionID is the inverse of partitionID.
func parsePartitionID(id string) (p sinks.Partition, err error) {
	day, batch, ok := strings.Cut(id, "-")
	t, err := time.Parse("20060102", day)
	n, err2 := strconv.ParseUint(batch, 10, 32)
	if !ok || err != nil || err2 != nil {
		return p, fmt.Errorf("%q is not a partition by day and batch", id)
	}
	return sinks.Partition{Day: sinks.DayOf(t), Batch: uint32(n)}, nil
}
