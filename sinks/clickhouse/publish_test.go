package clickhouse_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// publish stages, publishes and verifies partitions.
func publish(t *testing.T, s *clickhouse.Store, partitions ...sinks.Partition) map[sinks.Partition]sinks.Publication {
	t.Helper()
	staged, err := s.Stage(t.Context(), "visits", partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partitions {
		if err := staged.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := staged.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := staged.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	pubs := map[sinks.Partition]sinks.Publication{}
	for _, p := range staged.Publications() {
		pubs[p.Partition] = p
	}
	return pubs
}

// classOf generalises a visit independently of the program, for a level of the
// chain of the policy above.
func classOf(v visit, level int) string {
	section := "/" + strings.Split(v.path+"/", "/")[1]
	switch level {
	case 0:
		return fmt.Sprint(v.day, "|", v.hour, "|", v.path, "|", v.country)
	case 1:
		return fmt.Sprint(v.day, "|0|", section, "|", v.country)
	}
	return fmt.Sprint(v.day, "|0|*|*")
}

// anonymise does the same as the program, row by row and with maps.
func anonymise(rows []visit, k int) (classes map[string]int, suppressed int) {
	person := persons(rows)
	classes = map[string]int{}
	rest := rows
	for level := range 3 {
		people := map[string]map[string]bool{}
		for _, v := range rest {
			c := classOf(v, level)
			if people[c] == nil {
				people[c] = map[string]bool{}
			}
			people[c][person(v)] = true
		}
		var next []visit
		for _, v := range rest {
			if c := classOf(v, level); len(people[c]) >= k {
				classes[fmt.Sprint(c, "|", level)]++
			} else {
				next = append(next, v)
			}
		}
		rest = next
	}
	return classes, len(rest)
}

// persons ties visitors to the user they are seen with on the same day.
func persons(rows []visit) func(visit) string {
	tied := map[string]string{}
	for _, v := range rows {
		if v.user != "" && v.visitor != "" {
			key := fmt.Sprint(v.day, v.visitor)
			tied[key] = max(tied[key], v.user)
		}
	}
	return func(v visit) string {
		switch {
		case v.user != "":
			return "u" + v.user
		case tied[fmt.Sprint(v.day, v.visitor)] != "":
			return "u" + tied[fmt.Sprint(v.day, v.visitor)]
		}
		return "v" + v.visitor
	}
}

func TestPublishedClassesHoldAtLeastKPeople(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			var rows []visit
			for range 200 + r.IntN(1500) {
				v := visit{day: r.IntN(3), hour: r.IntN(3), path: fmt.Sprintf("/s%d/p%d", r.IntN(4), r.IntN(6)), country: []string{"GB", "DE", ""}[r.IntN(3)]}
				who := r.IntN(40)
				if r.IntN(2) == 0 {
					v.user = fmt.Sprint("user", who)
				}
				if v.user == "" || r.IntN(2) == 0 {
					v.visitor = fmt.Sprint("visitor", who)
				}
				rows = append(rows, v)
			}
			s, o := store(t)
			insert(t, s, 1, rows)
			pubs := publish(t, s, day(0), day(1), day(2))
			want, suppressed := anonymise(rows, 3)
			var gotSuppressed uint64
			for _, p := range pubs {
				gotSuppressed += p.Suppressed
				if p.Published > 0 && p.K.Smallest < 3 {
					t.Errorf("%s: a class of %d people was published", p.Partition, p.K.Smallest)
				}
			}
			if int(gotSuppressed) != suppressed {
				t.Errorf("%d rows suppressed, want %d", gotSuppressed, suppressed)
			}
			got := map[string]int{}
			for _, row := range query(t, o, "SELECT toString(day - toDate('2024-01-01')), toString(toHour(hour)), page, country, toString(lapse_level), count() FROM visits GROUP BY ALL") {
				got[fmt.Sprintf("%s|%s|%s|%s|%s", row[:5]...)] = int(row[5].(uint64))
			}
			for class, n := range want {
				if got[class] != n {
					t.Errorf("class %s: %d rows published, want %d", class, got[class], n)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d classes published, want %d", len(got), len(want))
			}
		})
	}
}

func TestVisitorWhoSignsInIsOnePerson(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	// Two people, one of whom was seen before signing in: not three.
	insert(t, s, 1, []visit{{visitor: "v1", path: "/a"}, {user: "u1", visitor: "v1", path: "/a"}, {user: "u2", path: "/a"}})
	if p := publish(t, s, day(0))[day(0)]; p.Subjects != 2 || p.Published != 0 || p.Suppressed != 3 {
		t.Errorf("%d people, %d published, %d suppressed", p.Subjects, p.Published, p.Suppressed)
	}
}

func TestRowsWithoutASubjectCountAsOnePerson(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	insert(t, s, 1, []visit{{path: "/a"}, {path: "/a"}, {path: "/a"}, {path: "/a"}})
	if p := publish(t, s, day(0))[day(0)]; p.Subjects != 1 || p.Published != 0 {
		t.Errorf("%d people, %d published", p.Subjects, p.Published)
	}
}

// Each text would be shared by enough people, and names one of them.
func TestDirectIdentifiersAreNotPublished(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/people/u1", "/people/u1.html?x", "/mail/jane@example.org/inbox", "/from/198.18.0.7", "/x?u1", "u1"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			var rows []visit
			for i := range 5 {
				rows = append(rows, visit{user: fmt.Sprint("u", i), path: path, country: "GB"})
			}
			insert(t, s, 1, rows)
			p := publish(t, s, day(0))[day(0)]
			if p.Published != 5 {
				t.Errorf("%d rows published, want 5 at a coarser level", p.Published)
			}
			for _, row := range query(t, o, "SELECT DISTINCT page FROM visits") {
				page := row[0].(string)
				for _, canary := range []string{"u1", "jane@example.org", "198.18.0.7"} {
					if strings.Contains(page, canary) {
						t.Errorf("%q was published", page)
					}
				}
			}
		})
	}
}

func TestEachPartitionIsWorkedOnAsIfAlone(t *testing.T) {
	t.Parallel()
	var rows []visit
	for i := range 12 { // every class has people enough only over all the days
		rows = append(rows, visit{day: i % 4, user: fmt.Sprint("u", i), path: fmt.Sprint("/", i%2)})
	}
	together, _ := store(t)
	insert(t, together, 1, rows)
	alone, _ := store(t)
	insert(t, alone, 1, rows)
	all := publish(t, together, day(0), day(1), day(2), day(3))
	for n := range 4 {
		one := publish(t, alone, day(n))[day(n)]
		if a := all[day(n)]; a.Published != one.Published || a.Suppressed != one.Suppressed || a.K != one.K {
			t.Errorf("day %d: %d published, %d suppressed, %+v together; %d, %d, %+v alone", n, a.Published, a.Suppressed, a.K, one.Published, one.Suppressed, one.K)
		}
	}
}

func TestPublishingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	var rows []visit
	for i := range 50 {
		rows = append(rows, visit{user: fmt.Sprint("u", i%9), path: fmt.Sprintf("/a/%d", i%7), country: "GB"})
	}
	insert(t, s, 1, rows)
	const content = "SELECT toString(cityHash64(groupArray(x))) FROM (SELECT toString(tuple(*)) AS x FROM visits ORDER BY x)"
	publish(t, s, day(0))
	first := query(t, o, content)[0][0]
	publish(t, s, day(0))
	if again := query(t, o, content)[0][0]; again != first {
		t.Error("the content differs")
	}
}

func TestVerificationNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{
		"a row too many": "11 rows are published, 10 were staged", "a row too few": "9 rows are published", "nothing": "0 rows are published",
		"a class of too few": "a published class holds 0 people, the policy asks for 3",
		"an identifier":      "1 published values hold a direct identifier",
		"an e-mail address":  "1 published values hold a direct identifier",
	}
	for name, damage := range map[string]string{
		"a row too many":     "INSERT INTO %s.visits SELECT * FROM %[1]s.visits LIMIT 1",
		"a row too few":      "ALTER TABLE %s.visits DELETE WHERE ms = 0 SETTINGS mutations_sync = 2",
		"another value":      "ALTER TABLE %s.visits UPDATE ms = 77, lapse_level = 0 WHERE 1 SETTINGS mutations_sync = 2",
		"nothing":            "TRUNCATE TABLE %s.visits",
		"a class of too few": "INSERT INTO %s.visits SELECT * REPLACE ('/secret' AS page) FROM %[1]s.visits LIMIT 2", // k-1 rows
		"an identifier":      "INSERT INTO %s.visits SELECT * REPLACE ('/people/u1' AS page) FROM %[1]s.visits LIMIT 3",
		"an e-mail address":  "INSERT INTO %s.visits SELECT * REPLACE ('jane%%40example.org' AS country) FROM %[1]s.visits LIMIT 3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := store(t)
			var rows []visit
			for i := range 10 {
				rows = append(rows, visit{user: fmt.Sprint("u", i), path: "/a", country: "GB"})
			}
			insert(t, s, 1, rows)
			staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{day(0)})
			if err != nil {
				t.Fatal(err)
			}
			if err := staged.Publish(t.Context(), day(0)); err != nil {
				t.Fatal(err)
			}
			execute(t, o, fmt.Sprintf(damage, "`"+o.Databases.Analytics+"`"))
			err = staged.Verify(t.Context())
			if name == "another value" { // a measure is not part of the class, and is not what is verified
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, sinks.ErrVerification) || !staged.Publications()[0].VerifiedAt.IsZero() {
				t.Errorf("verified all the same: %v", err)
			}
			if want := reasons[name]; err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		})
	}
}

func TestPublicationsAreRemembered(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	insert(t, s, 1, []visit{{user: "a", path: "/"}, {user: "b", path: "/"}, {user: "c", path: "/"}})
	pub := publish(t, s, day(0))[day(0)]
	pub.Step = sinks.NewID()
	if err := s.RecordPublications(t.Context(), []sinks.Publication{pub}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Publications(t.Context(), "visits", []sinks.Partition{day(0), day(1)})
	if err != nil {
		t.Fatal(err)
	}
	g := got[day(0)]
	if len(got) != 1 || g.Step != pub.Step || g.K != pub.K || g.Published != 3 || g.Query != pub.Query || !g.DroppedAt.IsZero() || g.VerifiedAt.IsZero() {
		t.Errorf("%+v", got)
	}
}

// What is published of a day is replaced as a whole, whatever has become of it.
func TestPublishingAgainReplacesWhatWasThere(t *testing.T) {
	t.Parallel()
	s, o := store(t)
	insert(t, s, 1, []visit{
		{user: "a", path: "/p"}, {user: "b", path: "/p"}, {user: "c", path: "/p"},
		{day: 1, user: "a", path: "/q"}, {day: 1, user: "b", path: "/q"}, {day: 1, user: "c", path: "/q"},
	})
	publish(t, s, day(0), day(1))
	execute(t, o, statement(o, "INSERT INTO {published}.visits SELECT * REPLACE ('/planted' AS page) FROM {published}.visits"))
	execute(t, o, statement(o, "ALTER TABLE {published}.visits DELETE WHERE page = '/p' SETTINGS mutations_sync = 2"))
	publish(t, s, day(0))
	const pages = "SELECT toString(day), page, count() FROM visits GROUP BY ALL ORDER BY ALL"
	if got, want := fmt.Sprint(query(t, o, pages)), "[[2024-01-01 /p 3] [2024-01-02 /planted 3] [2024-01-02 /q 3]]"; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
	// With one person fewer there is no class left: nothing may stay of the day.
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits DELETE WHERE user = 'c' SETTINGS mutations_sync = 2"))
	if p := publish(t, s, day(1))[day(1)]; p.Published != 0 || p.Suppressed != 2 {
		t.Errorf("%d published, %d suppressed", p.Published, p.Suppressed)
	}
	if got, want := fmt.Sprint(query(t, o, pages)), "[[2024-01-01 /p 3]]"; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
}

// Another process may finish a day at any moment of this one's work on it. What it
// has published stays.
func TestPublicationOutlivesAnotherThatComesTooLate(t *testing.T) {
	t.Parallel()
	var rows []visit
	for i := range 10 {
		rows = append(rows, visit{user: fmt.Sprint("u", i), path: "/p", country: "GB"}, visit{day: 1, user: fmt.Sprint("u", i), path: "/p", country: "GB"})
	}
	for _, moment := range []string{"create_stage", "copy_rows", "match_texts", "fill_cells", "find_level", "stage_rows", "count_personal", "count_stage", "publish_partition", "verify_classes"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			first, o := store(t)
			insert(t, first, 1, rows)
			drop := func() {
				publish(t, first, day(0), day(1))
				if _, err := first.Drop(t.Context(), "visits", []sinks.Partition{day(0)}); err != nil {
					t.Error(err)
				}
			}
			second := traced(t, o, moment, drop)
			staged, err := second.Stage(t.Context(), "visits", []sinks.Partition{day(0), day(1)})
			if err == nil {
				for _, p := range []sinks.Partition{day(0), day(1)} {
					err = errors.Join(err, staged.Publish(t.Context(), p))
				}
				err = errors.Join(err, staged.Verify(t.Context()), staged.Discard(t.Context()))
			}
			if moment != "verify_classes" && !errors.Is(err, sinks.ErrConflict) || errors.Is(err, sinks.ErrVerification) {
				t.Errorf("the conflict went unnoticed: %v", err)
			}
			if got, want := fmt.Sprint(query(t, o, "SELECT toString(day), page, count() FROM visits GROUP BY ALL ORDER BY ALL")), "[[2024-01-01 /p 10] [2024-01-02 /p 10]]"; got != want {
				t.Errorf("published %s, want %s", got, want)
			}
		})
	}
}

// traced opens a store that does something once, after the first statement of a name.
func traced(t *testing.T, o clickhouse.Options, statement string, then func()) *clickhouse.Store {
	t.Helper()
	o.Policy = sinktest.Policy(t, []byte(visits))
	var done atomic.Bool // statements may run side by side
	o.Trace = func(name string, _ time.Duration) {
		if name == statement && done.CompareAndSwap(false, true) {
			then()
		}
	}
	s, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		if !done.Load() {
			t.Errorf("there was no statement %s", statement)
		}
	})
	return s
}
