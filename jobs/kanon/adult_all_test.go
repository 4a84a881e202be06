package kanon

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
)

// everyVector looks at all vectors of the Adult data, or at a part of the lattice, without
// anything of the search: the rows are put into classes vector by vector by the texts they
// become.
type everyVector struct {
	table  *Table
	texts  [][][]uint32 // by column, level and row: what the value becomes, numbered by its text
	height []int        // of each column's levels
}

// vectorCost is what one vector costs.
type vectorCost struct {
	levels []int
	sizes  []int   // of the classes, ascending
	loss   float64 // of non-uniform entropy, by generalisation alone
}

func newEveryVector(t *testing.T, columns []int, most int) *everyVector {
	t.Helper()
	all := adult(t, "", nil)
	e := &everyVector{table: &Table{}}
	raw := readAdult(t, "adult.csv")
	for _, i := range columns {
		name := raw[0][i]
		hierarchy := readAdult(t, "adult_hierarchy_"+name+".csv")
		rowOf := map[string][]string{}
		for _, row := range hierarchy {
			rowOf[row[0]] = row
		}
		var levels [][]uint32
		for level := range hierarchy[0] {
			var values []string
			for _, record := range raw[1:min(len(raw), 1+most)] {
				values = append(values, rowOf[record[i]][level])
			}
			levels = append(levels, number(values))
		}
		e.texts = append(e.texts, levels)
		e.height = append(e.height, len(levels))
		e.table.Columns = append(e.table.Columns, all.Columns[i])
		e.table.Values = append(e.table.Values, all.Values[i][:len(levels[0])])
	}
	return e
}

// costs works out every vector.
func (e *everyVector) costs() []vectorCost {
	entropy := make([][]float64, len(e.texts))
	for i, levels := range e.texts {
		for _, texts := range levels {
			entropy[i] = append(entropy[i], columnEntropy(levels[0], texts))
		}
	}
	var all []vectorCost
	vector := make([]int, len(e.texts))
	for {
		c := vectorCost{levels: slices.Clone(vector), sizes: e.sizes(vector)}
		for i, l := range vector {
			c.loss += entropy[i][l]
		}
		all = append(all, c)
		i := len(vector) - 1
		for ; i >= 0; i-- {
			if vector[i]++; vector[i] < e.height[i] {
				break
			}
			vector[i] = 0
		}
		if i < 0 {
			return all
		}
	}
}

// columnEntropy is the sum over all rows of -log2 of how probable the value is, given
// the text it became.
func columnEntropy(values, texts []uint32) float64 {
	finest, here := map[uint32]float64{}, map[uint32]float64{}
	for row := range values {
		finest[values[row]]++
		here[texts[row]]++
	}
	sum := 0.0
	for row := range values {
		sum -= math.Log2(finest[values[row]] / here[texts[row]])
	}
	return sum
}

// sizes returns how many rows each class has.
func (e *everyVector) sizes(vector []int) []int {
	rows := e.table.Rows()
	class, next := make([]uint32, rows), uint32(1)
	for i, l := range vector {
		texts := e.texts[i][l]
		joined := map[uint64]uint32{}
		next = 0
		for row := range rows {
			key := uint64(class[row])<<32 | uint64(texts[row])
			c, ok := joined[key]
			if !ok {
				c = next
				joined[key] = c
				next++
			}
			class[row] = c
		}
	}
	sizes := make([]int, next)
	for _, c := range class {
		sizes[c]++
	}
	slices.Sort(sizes)
	return sizes
}

// suppressed is how many rows are in classes of fewer than k.
func (c vectorCost) suppressed(k int) (rows int) {
	for _, n := range c.sizes {
		if n >= k {
			return rows
		}
		rows += n
	}
	return rows
}

// discernibility is the sum over the rows of how many each is alike to.
func (c vectorCost) discernibility(k, rows int) (sum float64) {
	for _, n := range c.sizes {
		if n < k {
			sum += float64(n) * float64(rows)
		} else {
			sum += float64(n) * float64(n)
		}
	}
	return sum
}

// TestOptimumOfAdultIsThatOfAllVectors compares what is found for many k and limits with
// the best of all vectors: of a part of the columns, or of all nine in a long run
// (LAPSE_SOAK).
func TestOptimumOfAdultIsThatOfAllVectors(t *testing.T) {
	t.Parallel()
	columns, most := []int{0, 1, 2, 4, 6}, 4_000
	if os.Getenv("LAPSE_SOAK") != "" {
		columns, most = []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, 1<<30
	}
	e := newEveryVector(t, columns, most)
	all := e.costs()
	rows := e.table.Rows()
	for _, k := range []int{2, 3, 5, 7, 10, 20, 25, 50, 100, 250, 1000} {
		for _, limit := range []float64{0, 0.0005, 0.001, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.2, 0.5, 1} {
			for _, measure := range []Measure{NonUniformEntropy, Discernibility, Suppression} {
				t.Run(fmt.Sprintf("%s, k=%d, limit %g", measure, k, limit), func(t *testing.T) {
					lossOf := func(c vectorCost) float64 {
						switch measure {
						case Discernibility:
							return c.discernibility(k, rows)
						case Suppression:
							return float64(c.suppressed(k)) / float64(rows)
						}
						return c.loss
					}
					var want []vectorCost
					for _, c := range all {
						if c.suppressed(k) <= int(math.Floor(limit*float64(rows))) {
							want = append(want, c)
						}
					}
					p, err := New(e.table, Requirement{K: k, SuppressionLimit: limit}, LossOf(measure))
					if err != nil {
						t.Fatal(err)
					}
					got, err := p.Best(t.Context(), 1)
					if err != nil || (len(got) == 0) != (len(want) == 0) {
						t.Fatalf("found %v, want one of %d (%v)", got, len(want), err)
					}
					if len(want) == 0 {
						return
					}
					best := slices.MinFunc(want, func(a, b vectorCost) int { return cmp.Compare(lossOf(a), lossOf(b)) })
					at := slices.IndexFunc(want, func(c vectorCost) bool { return slices.Equal(c.levels, got[0].Levels) })
					if at < 0 || math.Abs(got[0].Loss-lossOf(best)) > 1e-6 || math.Abs(lossOf(want[at])-lossOf(best)) > 1e-6 {
						t.Errorf("found %v with a loss of %v, want %v with %v", got[0].Levels, got[0].Loss, best.levels, lossOf(best))
					}
				})
			}
		}
	}
}

// TestOptimumOfAdultWithSensitiveValuesIsThatOfAllVectors does so for l-diversity and
// t-closeness, row by row, with a part of the columns and of the rows.
func TestOptimumOfAdultWithSensitiveValuesIsThatOfAllVectors(t *testing.T) {
	t.Parallel()
	columns, most := []int{1, 4, 6}, 400
	raw := readAdult(t, "adult.csv")
	table := newEveryVector(t, columns, most).table
	plain := &brute{}
	for _, i := range columns {
		plain.hierarchies = append(plain.hierarchies, readAdult(t, "adult_hierarchy_"+raw[0][i]+".csv"))
		plain.weights = append(plain.weights, DefaultWeight)
	}
	occupation := slices.Index(raw[0], "occupation")
	var occupations []string
	for n := range table.Rows() {
		row := bruteRow{person: fmt.Sprint(n), sensitive: []string{raw[1+n][occupation]}}
		for i := range columns {
			row.values = append(row.values, int(table.Values[i][n]))
		}
		plain.rows = append(plain.rows, row)
		occupations = append(occupations, raw[1+n][occupation])
	}
	table.Sensitive = []Sensitive{{Name: "occupation"}}
	for _, v := range number(occupations) {
		table.Sensitive[0].Values = append(table.Sensitive[0].Values, uint64(v))
	}
	for _, r := range []Requirement{
		{Diversity: []Diversity{{Kind: Distinct, L: 3}}}, {K: 4, Diversity: []Diversity{{Kind: Distinct, L: 6}}},
		{Diversity: []Diversity{{Kind: Entropy, L: 2.3}}}, {K: 5, Diversity: []Diversity{{Kind: Entropy, L: 5.1}}},
		{Diversity: []Diversity{{Kind: Recursive, L: 3, C: 2.1}}},
		{K: 3, Closeness: []Closeness{{T: 0.2137}}}, {K: 2, Closeness: []Closeness{{T: 0.4713}}},
		{K: 2, Diversity: []Diversity{{Kind: Distinct, L: 2}}, Closeness: []Closeness{{T: 0.6}}},
	} {
		for _, limit := range []float64{0, 0.05, 0.3} {
			for _, count := range []bool{false, true} {
				r.SuppressionLimit = limit
				t.Run(fmt.Sprintf("%+v, %t", r, count), func(t *testing.T) {
					t.Parallel()
					b := *plain
					b.requirement, b.loss = r, LossOf(NonUniformEntropy)
					b.loss.CountSuppressed = count
					p, err := New(table, b.requirement, b.loss)
					if err != nil {
						t.Fatal(err)
					}
					want := b.best()
					got, err := p.Best(t.Context(), 1)
					if err != nil || len(got) != min(1, len(want)) {
						t.Fatalf("found %v, want one of %d (%v)", got, len(want), err)
					}
					if len(want) > 0 {
						if problem := b.compare(got[0], want[0]); problem != "" {
							t.Error(problem)
						}
					}
				})
			}
		}
	}
}
