package clickhouse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var (
	_ sinks.PeopleTables    = (*Store)(nil)
	_ sinks.TrainingErasure = (*Store)(nil)
)

// search is a search for the rows of people. The people, and the rows that were found,
// stay inside ClickHouse, in tables that live as long as the search. Its exported fields
// are what the statements are rendered from.
type search struct {
	Control               string
	PeopleTable, RowTable string
	RecordTable           string // of the rows that are to be erased
	Database, Name, Time  string
	Columns               []string // that hold identifiers
	Organisations         []string // columns that hold organisations, of all datasets
	Words                 bool     // they may stand anywhere in raw records
	Many                  bool     // people, so that all granules hold some
	Partitioned           bool     // the search is for some partitions only
	Held                  *heldRows
	Earlier               string // the rows of a search that this one goes on from
	Anew                  bool   // trust neither what was found before nor an index
	Index                 *bloomFilters
	Everywhere            bool // nearly all parts hold rows that are to be erased

	store      *Store
	table      *table
	dataset    string
	parameters parameters
	people     sinks.People
	parts      parts           // that it has looked through; nil unless it may be kept
	wanted     map[string]bool // partitions, by their IDs
	counts
	expiry *time.Timer
}

// externalPeople is the name of the table of people where it travels with the statement.
const externalPeople = "people"

// fewPeople are so few that the index of who may be where is worth reading.
const fewPeople = 32

// People returns the table of the people who are searched for, quoted.
func (x *search) People() string {
	if x.PeopleTable == "" {
		return quote(externalPeople)
	}
	return quote(x.Control) + "." + quote(x.PeopleTable)
}

// newSearch searches one table. The search has to be ended, or left.
func (s *Store) newSearch(ctx context.Context, dataset string, people sinks.People, partitions []sinks.Partition, asOf time.Time) (*search, error) {
	x, err := s.prepareSearch(ctx, dataset, people, partitions, asOf)
	if err != nil {
		return nil, err
	}
	if err := x.find(ctx); err != nil {
		return nil, errors.Join(err, x.end(ctx))
	}
	return x, nil
}

func (s *Store) prepareSearch(ctx context.Context, dataset string, people sinks.People, partitions []sinks.Partition, asOf time.Time) (*search, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	x := &search{
		Control: s.db.Control, Database: t.Database, Name: t.Name, Time: t.Time, Index: t.Index,
		Partitioned: len(partitions) > 0, Many: people.Erased != nil || len(people.Persons) > fewPeople,
		store: s, table: t, dataset: dataset, people: people, parameters: holdParameters(dataset, asOf),
	}
	ids := partitionIDs(partitions)
	x.parameters["partitions"], x.wanted = arrayOf(ids), map[string]bool{}
	for _, id := range ids {
		x.wanted[id] = true
	}
	if t.dataset != nil {
		x.Columns = t.dataset.Subject
		if people.Erased != nil || namesOrganisation(people.Persons, t.dataset.Organisation) {
			x.Columns = t.dataset.ErasedBy()
		}
	} else {
		x.Words, x.Columns = true, s.erasedBy()
	}
	if any, err := s.holdsInForce(ctx, dataset, asOf); err != nil {
		return nil, err
	} else if any {
		held := s.heldRows(t)
		held.ByPartition = false // people are tied over all of the table
		x.Held = &held
	}
	return x, nil
}

// find finds the rows of the people. In a table without rows there is nothing to look for.
func (x *search) find(ctx context.Context) (err error) {
	before, err := x.activeParts(ctx)
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return nil
	}
	earlier := x.store.kept.take(x)
	if earlier.answers(x, before) {
		x.PeopleTable, x.RowTable, x.parts, x.counts = earlier.PeopleTable, earlier.RowTable, earlier.parts, earlier.counts
		return nil
	}
	if earlier != nil {
		defer func() { err = errors.Join(err, earlier.end(ctx)) }()
	}
	name := stagePrefix + sinks.NewID().String()
	x.PeopleTable, x.RowTable = name+"_people", name+"_rows"
	for _, statement := range []string{"create_people", "create_people_rows"} {
		if err := x.store.exec(ctx, statement, x, nil); err != nil {
			return err
		}
	}
	if err := x.fillPeople(ctx, x.people); err != nil {
		return err
	}
	if seen := earlier.partsAmong(before); len(seen) > 0 {
		x.Earlier, x.parameters["seen"] = earlier.RowTable, arrayOf(slices.Collect(maps.Keys(seen)))
		if err := x.store.exec(ctx, "copy_people_rows", x, x.parameters); err != nil {
			return err
		}
		if len(seen) == len(before) {
			x.parts = seen
			return nil
		}
	}
	if err := x.store.exec(ctx, "find_people_rows", x, x.parameters); err != nil || !x.lasts() {
		return err
	}
	after, err := x.activeParts(ctx)
	x.parts = before.among(after)
	return err
}

// empty reports whether there was nothing to look for the people in.
func (x *search) empty() bool { return x.RowTable == "" }

func (x *search) fillPeople(ctx context.Context, people sinks.People) error {
	if people.Erased == nil {
		rows := personRows(people.Persons)
		return x.store.insert(ctx, "insert_people", x, len(rows), func(i int) []any { return rows[i] })
	}
	pads, err := hashPads(people.Erased)
	if err != nil {
		return err
	}
	return x.store.exec(clickhouse.Context(ctx, clickhouse.WithExternalTable(pads)), "fill_erased_people", x, nil)
}

// hashPads returns keys of an HMAC, each as the two texts that RFC 2104 makes of it.
func hashPads(keys []sinks.LedgerKey) (*ext.Table, error) {
	pads, err := ext.NewTable("pads", ext.Column("inner_pad", "String"), ext.Column("outer_pad", "String"))
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		inner, outer := make([]byte, sha256.BlockSize), make([]byte, sha256.BlockSize)
		copy(inner, key[:])
		copy(outer, key[:])
		for i := range inner {
			inner[i] ^= 0x36
			outer[i] ^= 0x5c
		}
		if err := pads.Append(string(inner), string(outer)); err != nil {
			return nil, err
		}
	}
	return pads, nil
}

// end removes what the search has made.
func (x *search) end(ctx context.Context) error { return x.drop(context.WithoutCancel(ctx)) }

func (x *search) drop(ctx context.Context) (err error) {
	for _, name := range []string{x.PeopleTable, x.RowTable, x.RecordTable} {
		if name != "" {
			err = errors.Join(err, x.store.dropStage(ctx, name))
		}
	}
	return err
}

// namesOrganisation reports whether any of the persons is an organisation that stands in
// a column.
func namesOrganisation(persons []sinks.Person, column string) bool {
	return slices.ContainsFunc(persons, func(p sinks.Person) bool {
		return slices.ContainsFunc(p.Identifiers, func(i sinks.Identifier) bool { return i.Column == column })
	})
}

// erasedBy returns the columns by which erasures find records, of all datasets.
func (s *Store) erasedBy() []string {
	columns := map[string]bool{}
	for i := range s.policy.Datasets {
		for _, c := range s.policy.Datasets[i].ErasedBy() {
			columns[c] = true
		}
	}
	return slices.Sorted(maps.Keys(columns))
}

// peopleDatasets returns the datasets in which people can be found, and the quarantine
// where it is on this server.
func (s *Store) peopleDatasets() (names []string) {
	for i := range s.policy.Datasets {
		if d := &s.policy.Datasets[i]; len(d.Subject) > 0 {
			names = append(names, d.Name)
		}
	}
	if s.first() {
		names = append(names, sinks.QuarantineDataset)
	}
	return names
}

// CountPeople implements sinks.PeopleTables.
func (s *Store) CountPeople(ctx context.Context, people sinks.People, asOf time.Time) (partitions []sinks.PeopleRows, persons []sinks.PersonRows, err error) {
	for _, dataset := range s.peopleDatasets() {
		x, err := s.newSearch(ctx, dataset, people, nil, asOf)
		if err != nil {
			return nil, nil, fmt.Errorf("count people in %s: %w", dataset, err)
		}
		byPartition, err := x.byPartition(ctx)
		var byPerson []sinks.PersonRows
		if err == nil {
			byPerson, err = x.byPerson(ctx)
		}
		if err = errors.Join(err, x.leave(ctx)); err != nil {
			return nil, nil, fmt.Errorf("count people in %s: %w", dataset, err)
		}
		partitions, persons = append(partitions, byPartition...), append(persons, byPerson...)
	}
	return partitions, persons, nil
}

// ErasePeople implements sinks.PeopleTables. The rows are listed first, and one mutation
// deletes those that were listed, whatever arrives meanwhile.
func (s *Store) ErasePeople(ctx context.Context, dataset string, partitions []sinks.Partition, people sinks.People, asOf time.Time) (rows []sinks.PeopleRows, left sinks.Absence, err error) {
	x, err := s.newSearch(ctx, dataset, people, partitions, asOf)
	if err != nil {
		return nil, left, fmt.Errorf("erase people from %s: %w", dataset, err)
	}
	defer func() { err = errors.Join(err, x.end(ctx)) }()
	if rows, err = x.byPartition(ctx); err != nil {
		return nil, left, err
	}
	found := slices.ContainsFunc(rows, func(n sinks.PeopleRows) bool { return n.Rows > 0 })
	if found {
		x.RecordTable = stagePrefix + sinks.NewID().String() + "_records"
		for _, statement := range []string{"create_people_records", "fill_people_records"} {
			if err := s.exec(ctx, statement, x, x.parameters); err != nil {
				return nil, left, err
			}
		}
		if err := x.lookEverywhere(ctx); err != nil {
			return nil, left, err
		}
		if err := s.mutate(ctx, x.table, "erase_people", x); err != nil {
			return rows, left, err
		}
	}
	sinks.Failpoint("subject.mutated")
	if left, err = x.awaitGone(ctx); err != nil {
		return rows, left, errors.Join(err, s.durable())
	}
	durable := make(chan error, 1)
	go func() { durable <- s.durable() }() // what is gone; to count what is left changes nothing
	if found {
		left.Rows, err = x.countErased(ctx, asOf)
	}
	return rows, left, errors.Join(err, <-durable)
}

// oneIn is of how many rows one may be written anew for nothing.
const oneIn = 20

// lookEverywhere notes whether nearly all parts hold rows that are to be erased.
func (x *search) lookEverywhere(ctx context.Context) error {
	if x.Index == nil {
		return nil
	}
	var untouched, all uint64
	err := x.store.queryRow(ctx, "untouched_rows", x, x.parameters, &untouched, &all)
	x.Everywhere = untouched*oneIn <= all
	return err
}

// awaitGone waits until no part of before the mutation is on disk. Parts that merges leave
// meanwhile hold none of the rows.
func (x *search) awaitGone(ctx context.Context) (left sinks.Absence, err error) {
	version, err := x.store.generation(ctx, x.table)
	if err != nil {
		return left, err
	}
	until := newPoll(goneTimeout)
	for {
		if err := x.store.exec(ctx, "sweep_parts", x, nil); err != nil {
			return left, err
		}
		err := x.store.queryRow(ctx, "people_leftovers", x, parameters{"version": fmt.Sprint(version)}, &left.Inactive, &left.Active, &left.Detached)
		if err != nil || left.Inactive == 0 && left.Active == 0 || until.expired() {
			return left, err
		}
		if err := until.wait(ctx); err != nil {
			return left, err
		}
	}
}

// countErased counts the rows that were to be erased and are still there. Where somebody
// may ask for the same people next, it looks for the people again, in all that there is,
// and keeps what it finds: that costs no more than to look for the records. A row that is
// left names its people as before: whoever changes identifiers has to wait (see jobs).
func (x *search) countErased(ctx context.Context, asOf time.Time) (n uint64, err error) {
	again, err := x.store.prepareSearch(ctx, x.dataset, x.people, nil, asOf)
	if err != nil {
		return 0, err
	}
	if !again.lasts() {
		err = x.store.queryRow(ctx, "count_erased_people", x, nil, &n)
		return n, err
	}
	again.Anew = true
	if err = again.find(ctx); err == nil && !again.empty() {
		data := map[string]any{"Control": x.Control, "RowTable": again.RowTable, "RecordTable": x.RecordTable}
		err = x.store.queryRow(ctx, "count_left_people", data, nil, &n)
	}
	if err != nil {
		return 0, errors.Join(err, again.end(ctx))
	}
	return n, again.leave(ctx)
}

// EraseFromTraining implements sinks.TrainingErasure.
func (s *Store) EraseFromTraining(ctx context.Context, people []sinks.Person, at time.Time) error {
	return s.withPeople(ctx, people, func(x *search) error {
		if err := s.exec(ctx, "erase_from_training", x, parameters{"at": milliseconds(at)}); err != nil {
			return err
		}
		return s.durable()
	})
}

// TrainingItemsOf implements sinks.TrainingErasure.
func (s *Store) TrainingItemsOf(ctx context.Context, people []sinks.Person) (items map[sinks.ID]uint64, err error) {
	items = map[sinks.ID]uint64{}
	err = s.withPeople(ctx, people, func(x *search) error {
		return s.query(ctx, "training_items_of", x, nil, func(r driver.Rows) error {
			var person uuid.UUID
			var n uint64
			err := r.Scan(&person, &n)
			items[sinks.ID(person)] = n
			return err
		})
	})
	return items, err
}

// withPeople calls do while people stand in a table.
func (s *Store) withPeople(ctx context.Context, people []sinks.Person, do func(*search) error) (err error) {
	if len(people) == 0 {
		return nil
	}
	x := &search{Control: s.db.Control, PeopleTable: stagePrefix + sinks.NewID().String() + "_people", Organisations: s.policy.OrganisationColumns(), store: s}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), x.PeopleTable)) }()
	if err := s.exec(ctx, "create_people", x, nil); err != nil {
		return err
	}
	if err := x.fillPeople(ctx, sinks.People{Persons: people}); err != nil {
		return err
	}
	return do(x)
}
