package kanon

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// problem makes a small random problem.
func problem(r *rand.Rand) *brute {
	b := &brute{}
	for range 1 + r.IntN(4) {
		b.hierarchies = append(b.hierarchies, hierarchy(r))
		b.weights = append(b.weights, []float64{0, 0.5, 0.5, 1}[r.IntN(4)])
	}
	people := 1 + r.IntN(40)
	ownPerson := r.IntN(2) == 0
	partitions := 1 + r.IntN(2)
	sensitive := 2 + r.IntN(5)
	for n := range 1 + r.IntN(120) {
		row := bruteRow{partition: r.IntN(partitions), person: fmt.Sprint(r.IntN(people))}
		if ownPerson {
			row.person = fmt.Sprint("row", n)
		}
		for _, h := range b.hierarchies {
			row.values = append(row.values, min(r.IntN(len(h)), r.IntN(len(h))))
		}
		row.sensitive = []string{fmt.Sprint(r.IntN(sensitive)), fmt.Sprint(r.IntN(2))}
		b.rows = append(b.rows, row)
	}
	b.requirement = requirement(r)
	m := Measures[r.IntN(len(Measures))]
	b.loss = LossOf(m)
	if r.IntN(2) == 0 {
		b.loss.CountSuppressed = r.IntN(2) == 0 || m == Suppression
		b.loss.Balance = []float64{0, 0.2, 0.5, 0.8, 1}[r.IntN(5)]
		b.loss.Aggregate = Aggregates[r.IntN(len(Aggregates))]
	}
	return b
}

// hierarchy makes one whose levels mostly, but not always, lie within each other.
func hierarchy(r *rand.Rand) [][]string {
	values := 1 + r.IntN(8)
	rows := make([][]string, values)
	for v := range rows {
		rows[v] = []string{fmt.Sprint("v", v)}
	}
	groups := values
	nested := r.IntN(4) > 0
	for range r.IntN(4) {
		groups = 1 + r.IntN(groups)
		to := map[string]string{}
		for v := range rows {
			before := rows[v][len(rows[v])-1]
			if _, ok := to[before]; !ok || !nested {
				to[before] = fmt.Sprint("g", r.IntN(groups))
			}
			rows[v] = append(rows[v], to[before])
		}
	}
	return rows
}

func requirement(r *rand.Rand) Requirement {
	q := Requirement{K: 2 + r.IntN(4), SuppressionLimit: []float64{0, 0, 0.05, 0.3, 1}[r.IntN(5)]}
	for range r.IntN(3) {
		kind := []DiversityKind{Distinct, Entropy, Recursive}[r.IntN(3)]
		q.Diversity = append(q.Diversity, Diversity{Sensitive: r.IntN(2), Kind: kind, L: diversity(r, kind), C: []float64{0.7, 1, 3.3}[r.IntN(3)]})
	}
	if r.IntN(3) == 0 {
		q.Closeness = append(q.Closeness, Closeness{Sensitive: r.IntN(2), T: []float64{0.1137, 0.2371, 0.4713, 1}[r.IntN(4)]})
	}
	if len(q.Diversity)+len(q.Closeness) > 0 && r.IntN(2) == 0 {
		q.K = 0
	}
	return q
}

// diversity chooses l. For entropy, it is one that no entropy equals, so that
// rounding decides nothing.
func diversity(r *rand.Rand, kind DiversityKind) float64 {
	if kind == Entropy {
		return []float64{1.1, 1.9, 2.3}[r.IntN(3)]
	}
	return float64(1 + r.IntN(3))
}

// table writes the same problem as a table.
func (b *brute) table(t *testing.T, r *rand.Rand) *Table {
	t.Helper()
	made := &Table{Sensitive: []Sensitive{{Name: "s"}, {Name: "t"}}}
	for i, h := range b.hierarchies {
		c, err := NewColumn(fmt.Sprint("c", i), h)
		if err != nil {
			t.Fatal(err)
		}
		c.Weight = b.weights[i]
		made.Columns = append(made.Columns, c)
		made.Values = append(made.Values, nil)
	}
	own := true
	for _, row := range b.rows {
		for i, v := range row.values {
			made.Values[i] = append(made.Values[i], uint32(v))
		}
		made.Partitions = append(made.Partitions, uint32(row.partition))
		var person uint64
		_, _ = fmt.Sscan(strings.TrimPrefix(row.person, "row"), &person)
		made.Subjects = append(made.Subjects, person)
		own = own && strings.HasPrefix(row.person, "row")
		for i, s := range row.sensitive {
			var v uint64
			_, _ = fmt.Sscan(s, &v)
			made.Sensitive[i].Values = append(made.Sensitive[i].Values, v)
		}
	}
	if own && r.IntN(2) == 0 { // saying that each row is a person of its own, or leaving it out, is the same
		made.Subjects = nil
	}
	if slices.Max(made.Partitions) == 0 && r.IntN(2) == 0 {
		made.Partitions = nil
	}
	return made
}

func close(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-7*max(1, math.Abs(a)) }

func TestSearchFindsWhatLookingAtEveryVectorFinds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := problem(r)
		p, err := New(b.table(t, r), b.requirement, b.loss)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, b)
		}
		want := b.best()
		n := 1 + r.IntN(4)
		got, err := p.Best(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != min(n, len(want)) {
			t.Fatalf("seed %d: %d vectors found of %d, want %d\n%v", seed, len(got), len(want), n, b)
		}
		for i, s := range got {
			if problem := b.compare(s, want[i]); problem != "" {
				t.Fatalf("seed %d: vector %d: %s\n%v", seed, i, problem, b)
			}
		}
	}
}

// compare says how a found vector differs from the one that belongs in its place. Of
// vectors that lose the same, the one with the least height comes first.
func (b *brute) compare(got Solution, want bruteSolution) string {
	classes := b.classes(got.Levels)
	switch {
	case !close(got.Loss, want.loss):
		return fmt.Sprintf("%v loses %v, but %v only %v", got.Levels, got.Loss, want.vector, want.loss)
	case !close(got.Loss, b.measure(got.Levels, classes)):
		return fmt.Sprintf("%v loses %v, found %v", got.Levels, b.measure(got.Levels, classes), got.Loss)
	case !got.Fulfils:
		return fmt.Sprintf("%v does not fulfil the requirement", got.Levels)
	case float64(got.Cost.Suppressed) != b.suppressed(classes):
		return fmt.Sprintf("%v suppresses %v rows, found %d", got.Levels, b.suppressed(classes), got.Cost.Suppressed)
	}
	return ""
}

func TestLossOfEveryVectorFollowsFromTheDefinitions(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := problem(r)
		p, err := New(b.table(t, r), b.requirement, b.loss)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range b.vectors() {
			classes := b.classes(v)
			s := p.At(v)
			if want := b.measure(v, classes); !close(s.Loss, want) {
				t.Fatalf("seed %d: %v loses %v, want %v\n%v", seed, v, s.Loss, want, b)
			}
			published, smallest := 0, 0
			for _, c := range classes {
				if c.fails {
					continue
				}
				published++
				people := map[string]bool{}
				for _, row := range c.rows {
					people[row.person] = true
				}
				if smallest == 0 || len(people) < smallest {
					smallest = len(people)
				}
			}
			if s.Cost.Classes != published || s.Cost.Smallest != smallest || float64(s.Cost.Suppressed) != b.suppressed(classes) {
				t.Fatalf("seed %d: %v costs %+v, want %d classes, the smallest of %d people, %v rows suppressed\n%v", seed, v, s.Cost, published, smallest, b.suppressed(classes), b)
			}
		}
	}
}
