package clickhouse_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/clickhouse"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// visited is a visit with what is stored beside it.
type visited struct {
	visit
	batch uint32
	ms    int // -1: not known
}

func (r visited) partition() sinks.Partition {
	return sinks.Partition{Day: day(r.day).Day, Batch: r.batch}
}

// level is one generalisation, as the policy has it and as it is worked out here.
type level struct {
	yaml string
	// of generalises; others are the rows of the same partition.
	of func(r visited, others *partition) string
}

// classColumn is a published column with its levels.
type classColumn struct {
	name, from string
	hierarchy  string // in place of the levels' own words
	levels     []level
}

// publication is a random way to publish visits.
type publication struct {
	k         int
	limit     float64 // 1: none
	columns   []classColumn
	sensitive bool // the country is a sensitive column, and no part of the class
	distinct  int
	entropy   float64
	recursive bool // with c = 2 and l = 2
	closeness float64
	chain     [][]int // levels of the columns
}

func randomPublication(r *rand.Rand) publication {
	p := publication{k: 2 + r.IntN(4), limit: []float64{1, 1, 0.5, 0.1}[r.IntN(4)], sensitive: r.IntN(2) > 0}
	p.columns = []classColumn{randomHour(r), randomPage(r)}
	if r.IntN(2) == 0 {
		p.columns = append(p.columns, randomNumber(r))
	}
	if !p.sensitive {
		p.columns = append(p.columns, randomCountry(r))
	}
	for p.sensitive && p.distinct+int(p.entropy*10)+int(p.closeness*100) == 0 && !p.recursive {
		p.distinct = []int{0, 2, 3}[r.IntN(3)]
		p.entropy = []float64{0, 1.5, 2, 2.7}[r.IntN(4)]
		p.recursive = r.IntN(3) == 0
		p.closeness = []float64{0, 0.2, 0.5}[r.IntN(3)]
	}
	vector := make([]int, len(p.columns))
	for {
		p.chain = append(p.chain, slices.Clone(vector))
		var room []int
		for i, c := range p.columns {
			if vector[i] < len(c.levels)-1 {
				room = append(room, i)
			}
		}
		if len(room) == 0 || len(p.chain) > 1 && r.IntN(5) == 0 {
			return p
		}
		for range 1 + r.IntN(2) {
			if i := room[r.IntN(len(room))]; vector[i] < len(p.columns[i].levels)-1 {
				vector[i]++
			}
		}
	}
}

// policy writes the policy above with this publication in place of its own.
func (p publication) policy() string {
	var columns strings.Builder
	for _, c := range p.columns {
		var levels []string
		for _, l := range c.levels {
			levels = append(levels, l.yaml)
		}
		said := "levels: [" + strings.Join(levels, ", ") + "]"
		if c.hierarchy != "" {
			said = "hierarchy: " + c.hierarchy
		}
		fmt.Fprintf(&columns, "        - {name: %s, from: %s, %s}\n", c.name, c.from, said)
	}
	if p.sensitive {
		var asked []string
		if p.distinct > 0 {
			asked = append(asked, fmt.Sprint("distinct_l: ", p.distinct))
		}
		if p.entropy > 0 {
			asked = append(asked, fmt.Sprint("entropy_l: ", p.entropy))
		}
		if p.recursive {
			asked = append(asked, "recursive: {c: 2, l: 2}")
		}
		if p.closeness > 0 {
			asked = append(asked, fmt.Sprint("t: ", p.closeness))
		}
		fmt.Fprintf(&columns, "        - {name: country, from: country, sensitive: {%s}}\n", strings.Join(asked, ", "))
	}
	var chain []string
	for _, v := range p.chain {
		var step []string
		for i, c := range p.columns {
			step = append(step, fmt.Sprintf("%s: %d", c.name, v[i]))
		}
		chain = append(chain, "{"+strings.Join(step, ", ")+"}")
	}
	before, _, _ := strings.Cut(visits, "    publish:\n")
	return before + fmt.Sprintf("    publish:\n      k: %d\n      suppression_limit: %g\n      columns:\n%s        - {name: measured, from: ms, measure: true}\n      chain: [%s]\n",
		p.k, p.limit, columns.String(), strings.Join(chain, ", "))
}

// partition is the rows that are published together.
type partition struct {
	rows   []visited
	person func(visit) string
}

func newPartition(rows []visited) *partition {
	plain := make([]visit, len(rows))
	for i, r := range rows {
		plain[i] = r.visit
	}
	return &partition{rows, persons(plain)}
}

// people counts those who have a value.
func (p *partition) people(value func(visited) string, wanted string) int {
	who := map[string]bool{}
	for _, r := range p.rows {
		if value(r) == wanted {
			who[p.person(r.visit)] = true
		}
	}
	return len(who)
}

// named reports whether a text holds an identifier of somebody of the partition.
func (p *partition) named(text string) bool {
	words := strings.Split(text, "/")
	return slices.ContainsFunc(p.rows, func(r visited) bool {
		return r.user != "" && slices.Contains(words, r.user) || r.visitor != "" && slices.Contains(words, r.visitor)
	})
}

// class generalises a record, independently of the program. It is "" where it names
// somebody.
func (p publication) class(r visited, in *partition, vector int) string {
	class := fmt.Sprintf("%s|%d", in.rows[0].partition().Day, r.batch)
	for i, c := range p.columns {
		text := c.levels[p.chain[vector][i]].of(r, in)
		if c.from != "at" && c.from != "ms" && in.named(text) {
			return ""
		}
		class += "|" + text
	}
	return class + fmt.Sprint("|", vector)
}

// holds checks all that is asked of a class, row by row and with maps.
func (p publication) holds(class []visited, all *partition) bool {
	people := map[string]bool{}
	for _, r := range class {
		people[all.person(r.visit)] = true
	}
	if len(people) < p.k || !p.sensitive {
		return len(people) >= p.k
	}
	here, overall := valuesOf(class, all.person), valuesOf(all.rows, all.person)
	counts := slices.SortedFunc(maps.Values(here), func(a, b float64) int { return int(b - a) })
	total, everywhere := sum(counts), sum(slices.Collect(maps.Values(overall)))
	entropy, distance := 0.0, 0.0
	for _, n := range counts {
		entropy -= n / total * math.Log(n/total)
	}
	for value, n := range overall {
		distance += math.Abs(here[value]/total-n/everywhere) / 2
	}
	return len(counts) >= p.distinct &&
		(p.entropy == 0 || entropy >= math.Log(p.entropy)-1e-9) &&
		(!p.recursive || len(counts) > 1 && counts[0] < 2*sum(counts[1:])) &&
		(p.closeness == 0 || distance <= p.closeness+1e-9)
}

// valuesOf counts the people of whom each value is known.
func valuesOf(rows []visited, person func(visit) string) map[string]float64 {
	seen, counts := map[string]bool{}, map[string]float64{}
	for _, v := range rows {
		if key := person(v.visit) + "|" + v.country; !seen[key] {
			seen[key] = true
			counts[v.country]++
		}
	}
	return counts
}

func sum(counts []float64) (total float64) {
	for _, n := range counts {
		total += n
	}
	return total
}

// expected publishes one partition: the rows of each class that is published, by what is
// published of them.
func (p publication) expected(in *partition) (classes map[string][]visited, suppressed int) {
	classes = map[string][]visited{}
	rest := in.rows
	for vector := range p.chain {
		candidates := map[string][]visited{}
		for _, r := range rest {
			class := p.class(r, in, vector)
			candidates[class] = append(candidates[class], r)
		}
		rest = nil
		for name, class := range candidates {
			if name != "" && p.holds(class, in) {
				classes[name] = class
			} else {
				rest = append(rest, class...)
			}
		}
	}
	return classes, len(rest)
}

func randomRows(r *rand.Rand) (rows []visited) {
	people := 10 + r.IntN(40)
	for i := range 30 + r.IntN(500) {
		v := visited{ms: -1, visit: visit{day: r.IntN(2), hour: r.IntN(3), path: fmt.Sprintf("/s%d/p%d", r.IntN(3), min(r.IntN(9), r.IntN(9))), country: []string{"GB", "DE", "FR", "", "GB"}[r.IntN(5)]}}
		if i%2 == 0 { // as block has it
			v.ms = i
		}
		if r.IntN(4) == 0 {
			v.batch = 1
		}
		who := r.IntN(people)
		switch r.IntN(12) {
		case 0:
			v.path = fmt.Sprintf("/s%d/%d", r.IntN(3), r.IntN(1000))
		case 1:
			v.path = fmt.Sprintf("/s%d/user%d", r.IntN(3), r.IntN(people))
		}
		if r.IntN(2) == 0 {
			v.user = fmt.Sprint("user", who)
		}
		if v.user == "" || r.IntN(2) == 0 {
			v.visitor = fmt.Sprint("visitor", who)
		}
		rows = append(rows, v)
	}
	return rows
}

// I4 for any policy and any data: what is published is what an independent reading of
// the policy gives, class by class and value by value.
func TestWhateverThePolicyItsRequirementsHold(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if os.Getenv("LAPSE_SOAK") != "" {
		seeds = 500
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			randomPublication(r).check(t, randomRows(r))
		})
	}
}

func (p publication) check(t *testing.T, rows []visited) {
	t.Helper()
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
	insertRows(t, s, rows)
	parts := map[sinks.Partition][]visited{}
	for _, r := range rows {
		parts[r.partition()] = append(parts[r.partition()], r)
	}
	staged, err := s.Stage(t.Context(), "visits", slices.Collect(maps.Keys(parts)))
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Discard(t.Context()) //nolint:errcheck // a test's
	want, values := map[string]int{}, map[string]int{}
	for at, rows := range parts {
		classes, suppressed := p.expected(newPartition(rows))
		err = staged.Publish(t.Context(), at)
		if over := float64(suppressed) > p.limit*float64(len(rows)); over != errors.Is(err, sinks.ErrSuppression) || !over && err != nil {
			t.Fatalf("%d of %d rows are suppressed, with a limit of %g: %v", suppressed, len(rows), p.limit, err)
		} else if over {
			continue
		}
		for name, class := range classes {
			want[name] = len(class)
			for _, v := range class {
				values[name+"|"+v.country]++
			}
		}
	}
	if err := staged.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, gotValues := p.published(t, o)
	if !maps.Equal(got, want) {
		t.Errorf("%+v: published are %v, want %v", p, got, want)
	}
	if p.sensitive && !maps.Equal(gotValues, values) {
		t.Errorf("%+v: published values are %v, want %v", p, gotValues, values)
	}
	p.checkAfterErasure(t, s, o, rows, got)
}

func insertRows(t *testing.T, s *clickhouse.Store, rows []visited) {
	t.Helper()
	plain := make([]visit, len(rows))
	for i, r := range rows {
		plain[i] = r.visit
	}
	b := block(1, plain)
	for i, r := range rows {
		b.Batches[i] = r.batch
	}
	if err := s.Insert(t.Context(), b, sinks.NewID()); err != nil {
		t.Fatal(err)
	}
}

// published reads how many rows each class has, and each value in it.
func (p publication) published(t *testing.T, o clickhouse.Options) (classes, values map[string]int) {
	t.Helper()
	parts := []string{"toString(day)", "toString(lapse_batch)"}
	for _, c := range p.columns {
		parts = append(parts, "toString("+c.name+")")
	}
	country := "''"
	if p.sensitive {
		country = "country"
	}
	classes, values = map[string]int{}, map[string]int{}
	for _, row := range query(t, o, fmt.Sprintf("SELECT arrayStringConcat([%s, toString(lapse_level)], '|') AS class, %s AS value, count() FROM visits GROUP BY class, value", strings.Join(parts, ", "), country)) {
		classes[row[0].(string)] += int(row[2].(uint64))
		values[fmt.Sprint(row[0], "|", row[1])] += int(row[2].(uint64))
	}
	return classes, values
}

// checkAfterErasure erases some people from the personal rows of what is published. Where
// it is said to stand, all classes hold k of the others.
func (p publication) checkAfterErasure(t *testing.T, s *clickhouse.Store, o clickhouse.Options, rows []visited, published map[string]int) {
	t.Helper()
	erased := []string{"user1", "user2", "visitor1", "visitor2"}
	execute(t, o, statement(o, "ALTER TABLE {personal}.visits DELETE WHERE user IN ('user1', 'user2') OR visitor IN ('visitor1', 'visitor2') SETTINGS mutations_sync = 2"))
	parts := map[sinks.Partition][]visited{}
	for _, r := range rows {
		if !slices.Contains(erased, r.user) && !slices.Contains(erased, r.visitor) {
			parts[r.partition()] = append(parts[r.partition()], r)
		}
	}
	for at, left := range parts {
		staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{at})
		if err != nil {
			t.Fatal(err)
		}
		stands, err := staged.Stands(t.Context())
		if err := errors.Join(err, staged.Discard(t.Context())); err != nil {
			t.Fatal(err)
		}
		in := newPartition(left)
		for vector := range p.chain {
			people := map[string]map[string]bool{}
			for _, r := range left {
				class := p.class(r, in, vector)
				if people[class] == nil {
					people[class] = map[string]bool{}
				}
				people[class][in.person(r.visit)] = true
			}
			for class := range published {
				if stands[at] && strings.HasPrefix(class, fmt.Sprintf("%s|%d|", at.Day, at.Batch)) && strings.HasSuffix(class, fmt.Sprint("|", vector)) && len(people[class]) < p.k {
					t.Errorf("%s is said to stand, and %s has %d people left of %d", at, class, len(people[class]), p.k)
				}
			}
		}
	}
}

// Verification sees by itself that sensitive values are too much alike, or others than
// the personal rows have.
func TestVerificationNoticesSensitiveValues(t *testing.T) {
	t.Parallel()
	p := publication{k: 3, limit: 1, sensitive: true, distinct: 2, columns: []classColumn{randomHour(nil), pageLevels[0]}, chain: [][]int{{0, 0}}}
	for name, c := range map[string]struct{ damage, want string }{
		"other values": {"ALTER TABLE {published}.visits UPDATE country = 'XX' WHERE 1 SETTINGS mutations_sync = 2", "sensitive values are not published as often"},
		"as they are":  {"SELECT 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
			insert(t, s, 1, []visit{{user: "a", path: "/", country: "GB"}, {user: "b", path: "/", country: "DE"}, {user: "c", path: "/", country: "GB"}})
			staged, err := s.Stage(t.Context(), "visits", []sinks.Partition{day(0)})
			if err != nil {
				t.Fatal(err)
			}
			if err := staged.Publish(t.Context(), day(0)); err != nil {
				t.Fatal(err)
			}
			execute(t, o, statement(o, c.damage))
			err = staged.Verify(t.Context())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A sensitive text that names somebody is not published, and its row does not count.
func TestSensitiveTextsWithIdentifiersAreNotPublished(t *testing.T) {
	t.Parallel()
	p := publication{k: 3, limit: 1, sensitive: true, distinct: 2, columns: []classColumn{randomHour(nil), pageLevels[0]}, chain: [][]int{{0, 0}}}
	s, o := sinktest.Store(t, sinktest.Policy(t, []byte(p.policy())))
	rows := []visit{{user: "somebody1", path: "/", country: "GB"}, {user: "b", path: "/", country: "DE"}, {user: "c", path: "/", country: "GB"}, {user: "d", path: "/", country: "near somebody1"}}
	insert(t, s, 1, rows)
	pub := publish(t, s, day(0))[day(0)]
	if got := fmt.Sprint(query(t, o, "SELECT country, count() FROM visits GROUP BY 1 ORDER BY 1")); got != "[[DE 1] [GB 2]]" || pub.Suppressed != 1 || pub.Rows != 4 {
		t.Errorf("published are %s, %+v", got, pub)
	}
}

func TestLossIsTheShareOfDetailThatIsGone(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	var rows []visit
	for i := range 3 { // as they are
		rows = append(rows, visit{user: fmt.Sprint("a", i), path: "/a/1", country: "GB"})
	}
	for i := range 3 { // with the day and the section: levels 1 of 1, 1 of 2 and 0 of 1
		rows = append(rows, visit{user: fmt.Sprint("b", i), hour: i, path: "/b/1", country: "GB"})
	}
	rows = append(rows, visit{user: "c", path: "/c", country: "DE"}, visit{user: "d", path: "/d", country: "FR"}) // suppressed
	insert(t, s, 1, rows)
	pub := publish(t, s, day(0))[day(0)]
	if want := (3*0.5 + 2) / 8; math.Abs(pub.Loss-want) > 1e-9 || pub.Suppressed != 2 {
		t.Errorf("the loss is %g, want %g; %d suppressed", pub.Loss, want, pub.Suppressed)
	}
}
