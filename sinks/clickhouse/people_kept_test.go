package clickhouse_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
)

// searcher is a store that tells which statements it has run.
type searcher struct {
	*testing.T
	*clickhouse.Store
	options clickhouse.Options

	mu   sync.Mutex
	ran  []string
	then func(statement string)
}

func newSearcher(t *testing.T) *searcher {
	t.Helper()
	_, o := store(t)
	s := &searcher{T: t, options: o}
	o.Trace = func(statement string, _ time.Duration) {
		s.mu.Lock()
		s.ran = append(s.ran, statement)
		then := s.then
		s.mu.Unlock()
		if then != nil {
			then(statement)
		}
	}
	s.Store = reopen(t, o, visits)
	return s
}

// statements returns what has run since the last question.
func (s *searcher) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := s.ran
	s.ran = nil
	return ran
}

// wentOn reports whether a search has gone on from an earlier one since the last question,
// or was answered by it altogether.
func (s *searcher) wentOn() bool {
	ran := s.statements()
	return slices.Contains(ran, "copy_people_rows") || !slices.Contains(ran, "find_people_rows")
}

// found expects how many rows there are of people, by the store and by one that has never
// searched.
func (s *searcher) found(goesOn bool, want uint64, people ...sinks.Person) {
	s.Helper()
	s.wentOn()
	other := reopen(s.T, s.options, visits)
	defer other.Close() //nolint:errcheck // a test's
	for _, of := range []*clickhouse.Store{s.Store, other} {
		partitions, persons, err := of.CountPeople(s.Context(), sinks.People{Persons: people}, newYear)
		if err != nil {
			s.Fatal(err)
		}
		var inPartitions, ofPersons uint64
		for _, n := range partitions {
			inPartitions += n.Rows + n.Held
		}
		for _, n := range persons {
			ofPersons += n.Rows + n.Held
		}
		if inPartitions != want || ofPersons != want {
			s.Errorf("%d rows in partitions and %d of people, want %d", inPartitions, ofPersons, want)
		}
	}
	if went := s.wentOn(); went != goesOn {
		s.Errorf("went on from an earlier search: %v, want %v", went, goesOn)
	}
}

// stages returns how many tables of searches there are.
func (s *searcher) stages() string {
	s.Helper()
	return fmt.Sprint(query(s.T, s.options, statement(s.options, "SELECT count() FROM system.tables WHERE database = '"+s.options.Databases.Control+"' AND startsWith(name, 'stage_')"))[0][0])
}

func person(user string) sinks.Person {
	return sinks.Person{ID: sinks.NewID(), Identifiers: []sinks.Identifier{{Column: "user", Text: user}}}
}

func TestSearchGoesOnFromAnEarlierOneWhateverHappenedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	insert(t, s.Store, 1, []visit{{user: "ann"}, {day: 1, user: "ann"}, {day: 1, user: "bob"}, {day: 2, user: "cid"}})
	ann := person("ann")
	s.found(false, 2, ann)
	s.found(true, 2, ann) // nothing has happened
	insert(t, s.Store, 2, []visit{{user: "ann"}, {day: 3, user: "ann"}, {day: 3, user: "bob"}})
	s.found(true, 4, ann)
	execute(t, s.options, statement(s.options, "OPTIMIZE TABLE {personal}.visits PARTITION ID '20240101-0' FINAL"))
	s.found(true, 4, ann)
	execute(t, s.options, statement(s.options, "ALTER TABLE {personal}.visits DROP PARTITION ID '20240101-0'"))
	s.found(true, 2, ann)
	execute(t, s.options, statement(s.options, "ALTER TABLE {personal}.visits DELETE WHERE toDate(at, 'UTC') = '2024-01-02' SETTINGS mutations_sync = 2"))
	s.found(false, 1, ann) // all parts have changed
	execute(t, s.options, statement(s.options, "ALTER TABLE {personal}.visits DETACH PARTITION ID '20240104-0'"))
	s.found(true, 0, ann)
	execute(t, s.options, statement(s.options, "ALTER TABLE {personal}.visits ATTACH PARTITION ID '20240104-0'"))
	s.found(true, 1, ann)
}

// Who asks the same again is answered from what was found and counted the first time.
func TestSameSearchReadsNothingAgain(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	insert(t, s.Store, 1, []visit{{user: "ann"}, {day: 1, user: "ann"}, {day: 2, user: "ann"}, {day: 1, user: "bob"}})
	ann := person("ann")
	s.found(false, 3, ann)
	s.found(true, 3, ann)
	ann.Until = newYear.AddDate(0, 0, 2).Add(time.Hour) // after all that there is
	if _, _, err := s.CountPeople(t.Context(), sinks.People{Persons: []sinks.Person{ann}}, newYear); err != nil {
		t.Fatal(err)
	}
	for _, statement := range s.statements() {
		if statement == "find_people_rows" || statement == "copy_people_rows" || strings.HasPrefix(statement, "people_by_") {
			t.Errorf("%s ran again", statement)
		}
	}
	rows, left, err := s.ErasePeople(t.Context(), "visits", []sinks.Partition{day(1)}, sinks.People{Persons: []sinks.Person{ann}}, newYear)
	if err != nil || len(rows) != 1 || rows[0].Rows != 1 || *rows[0].Partition != day(1) || !left.Proven() {
		t.Errorf("of one day: %+v, left %+v: %v", rows, left, err)
	}
	s.found(true, 2, ann)
	ann.Until = newYear.Add(time.Hour) // what came after does not count any more
	s.found(true, 1, ann)
}

// A table that is made anew has parts of the same names.
func TestSearchKnowsPartsByWhatTheyHold(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	insert(t, s.Store, 1, []visit{{user: "ann"}})
	ann := person("ann")
	s.found(false, 1, ann)
	name := "SELECT name FROM system.parts WHERE table = 'visits' AND active AND database = '" + s.options.Databases.Telemetry + "'"
	before := query(t, s.options, name)
	execute(t, s.options, statement(s.options, "DROP TABLE {personal}.visits SYNC"))
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	insert(t, s.Store, 2, []visit{{user: "bob"}})
	if after := query(t, s.options, name); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Fatalf("the part is called %v and not %v: this tests nothing", after, before)
	}
	s.found(false, 0, ann)
}

func TestSearchGoesOnOnlyForTheSamePeople(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	insert(t, s.Store, 1, []visit{
		{user: "ann", visitor: "v"}, {day: 1, user: "ann"}, {day: 2, user: "ann"}, {day: 1, user: "bob"}, {day: 1, visitor: "v"}, {day: 3, user: "bob"},
	})
	ann, bob := person("ann"), person("bob")
	ann.Until = newYear.AddDate(0, 0, 1)
	s.found(false, 4, ann, bob)
	s.found(true, 2, ann)
	s.found(false, 2, bob) // he was not in the last one

	s.found(false, 4, bob, ann)
	earlier := ann
	earlier.Until = newYear.Add(time.Hour)
	s.found(true, 1, earlier)
	s.found(false, 2, ann) // later than that

	again := ann
	again.Until = time.Time{}
	s.found(false, 3, again)
	again.Identifiers = append(again.Identifiers, sinks.Identifier{Column: "visitor", Text: "v"})
	s.found(false, 4, again)
	slices.Reverse(again.Identifiers)
	s.found(true, 4, again)
	other := again
	other.ID = sinks.NewID()
	s.found(false, 4, other)

	hold := sinks.Hold{ID: sinks.NewID(), Dataset: "visits", Reason: "r", PlacedBy: "p", PlacedAt: newYear.Add(-time.Hour)}
	if err := s.PlaceHold(t.Context(), hold, "ann", ""); err != nil {
		t.Fatal(err)
	}
	s.found(false, 4, other)
	partitions, _, err := s.CountPeople(t.Context(), sinks.People{Persons: []sinks.Person{other}}, newYear)
	if err != nil || len(partitions) == 0 || partitions[0].Held != 1 || partitions[0].Rows != 0 {
		t.Errorf("held: %+v: %v", partitions, err)
	}
}

func TestKeptSearchesLeaveNothing(t *testing.T) {
	t.Parallel()
	ann, bob := person("ann"), person("bob")
	for name, end := range map[string]func(*searcher) error{
		"with the store":      func(s *searcher) error { return s.Close() },
		"with their purpose":  func(s *searcher) error { _, err := s.ForgetPeople(t.Context(), []sinks.ID{ann.ID}); return err },
		"after another's end": func(s *searcher) error { s.found(false, 1, bob); return s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSearcher(t)
			insert(t, s.Store, 1, []visit{{user: "ann"}, {user: "bob"}})
			s.found(false, 1, ann)
			if n := s.stages(); n != "2" {
				t.Fatalf("%s tables are kept: this tests nothing", n)
			}
			if err := end(s); err != nil {
				t.Fatal(err)
			}
			if n := s.stages(); n != "0" {
				t.Errorf("%s tables are left", n)
			}
		})
	}
	t.Run("after a while", func(t *testing.T) {
		t.Parallel()
		s := newSearcher(t)
		dropped := make(chan struct{}, 100)
		insert(t, s.Store, 1, []visit{{user: "ann"}})
		clickhouse.KeepSearchesFor(s.Store, time.Millisecond)
		s.then = func(statement string) {
			if statement == "drop_stage" {
				dropped <- struct{}{}
			}
		}
		if _, _, err := s.CountPeople(t.Context(), sinks.People{Persons: []sinks.Person{ann}}, newYear); err != nil {
			t.Fatal(err)
		}
		<-dropped // of people
		<-dropped // of their rows
		if n := s.stages(); n != "0" {
			t.Errorf("%s tables are left", n)
		}
	})
}

func TestSearchesAtOnceDoNotDisturbOneAnother(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	insert(t, s.Store, 1, []visit{{user: "ann"}, {day: 1, user: "ann"}, {day: 1, user: "bob"}})
	clickhouse.KeepSearchesFor(s.Store, 20*time.Millisecond) // some end in between
	people := map[string]uint64{"ann": 2, "bob": 1, "cid": 0}
	const copies, times = 3, 10
	searches := len(people) * copies * times
	var all sync.WaitGroup
	for user, want := range people {
		of := person(user)
		for range copies {
			all.Go(func() {
				for range times {
					_, rows, err := s.CountPeople(t.Context(), sinks.People{Persons: []sinks.Person{of}}, newYear)
					var n uint64
					for _, r := range rows {
						n += r.Rows
					}
					if err != nil || n != want {
						t.Errorf("%d rows of %s, want %d: %v", n, user, want, err)
					}
				}
			})
		}
	}
	all.Wait()
	finds := 0
	for _, statement := range s.statements() {
		if statement == "find_people_rows" {
			finds++
		}
	}
	if finds == searches {
		t.Error("none went on from another: this tests nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := s.stages(); n != "0" {
		t.Errorf("%s tables are left", n)
	}
}

// What was to be erased and comes back while it is erased is left; what is new is not, but
// whoever asks next is told of both.
func TestErasureTellsWhatIsLeftFromWhatIsNew(t *testing.T) {
	t.Parallel()
	s := newSearcher(t)
	ann := person("ann")
	people := sinks.People{Persons: []sinks.Person{ann}}
	insert(t, s.Store, 1, []visit{{user: "ann"}, {day: 1, user: "ann"}, {day: 1, user: "bob"}})
	execute(t, s.options, statement(s.options, "CREATE TABLE {personal}.spare AS {personal}.visits"))
	execute(t, s.options, statement(s.options, "INSERT INTO {personal}.spare SELECT * FROM {personal}.visits WHERE user = 'ann' AND toDate(at, 'UTC') = '2024-01-02'"))
	s.found(false, 2, ann)
	var once sync.Once
	s.then = func(statementName string) {
		if statementName == "people_leftovers" {
			once.Do(func() {
				execute(t, s.options, statement(s.options, "INSERT INTO {personal}.visits SELECT * FROM {personal}.spare"))
				insert(t, s.Store, 2, []visit{{day: 1, user: "ann"}, {day: 2, user: "ann"}})
			})
		}
	}
	rows, left, err := s.ErasePeople(t.Context(), "visits", []sinks.Partition{day(0), day(1)}, people, newYear)
	if err != nil || len(rows) != 2 || rows[0].Rows != 1 || rows[1].Rows != 1 || left.Rows != 1 {
		t.Errorf("of %+v there is left %+v: %v", rows, left, err)
	}
	s.then = nil
	if ran := s.statements(); slices.Index(ran, "find_people_rows") < slices.Index(ran, "erase_people") {
		t.Error("the erasure has not gone on from the search before it")
	}
	s.found(true, 3, ann)
	rows, left, err = s.ErasePeople(t.Context(), "visits", []sinks.Partition{day(1)}, people, newYear)
	if err != nil || len(rows) != 1 || rows[0].Rows != 2 || !left.Proven() {
		t.Errorf("of %+v there is left %+v: %v", rows, left, err)
	}
	s.found(true, 1, ann) // of a day that was not asked for
}
