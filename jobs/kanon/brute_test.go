package kanon

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// brute works out a problem from the definitions, vector by vector and row by row, by
// the texts of the values: slow, and with nothing in common with the search.
type brute struct {
	hierarchies [][][]string // by column: the rows
	weights     []float64
	rows        []bruteRow
	requirement Requirement
	loss        Loss
}

type bruteRow struct {
	values    []int // by column
	partition int
	person    string
	sensitive []string
}

// bruteClass is an equivalence class.
type bruteClass struct {
	rows  []bruteRow
	fails bool
}

func (b *brute) vectors() [][]int {
	vectors := [][]int{{}}
	for _, h := range b.hierarchies {
		var longer [][]int
		for _, v := range vectors {
			for l := range h[0] {
				longer = append(longer, append(slices.Clone(v), l))
			}
		}
		vectors = longer
	}
	return vectors
}

func (b *brute) classes(vector []int) []*bruteClass {
	byText := map[string]*bruteClass{}
	var order []*bruteClass
	for _, row := range b.rows {
		key := fmt.Sprint(row.partition)
		for i, l := range vector {
			key += "\x00" + b.hierarchies[i][row.values[i]][l]
		}
		c := byText[key]
		if c == nil {
			c = &bruteClass{}
			byText[key] = c
			order = append(order, c)
		}
		c.rows = append(c.rows, row)
	}
	for _, c := range order {
		c.fails = !b.fulfils(c)
	}
	return order
}

// distribution counts each value of each person once.
func distribution(rows []bruteRow, sensitive int) (map[string]float64, float64) {
	seen := map[string]bool{}
	counts, total := map[string]float64{}, 0.0
	for _, row := range rows {
		if key := row.person + "\x00" + row.sensitive[sensitive]; !seen[key] {
			seen[key] = true
			counts[row.sensitive[sensitive]]++
			total++
		}
	}
	return counts, total
}

func (b *brute) fulfils(c *bruteClass) bool {
	people := map[string]bool{}
	for _, row := range c.rows {
		people[row.person] = true
	}
	if len(people) < b.requirement.K {
		return false
	}
	for _, d := range b.requirement.Diversity {
		counts, total := distribution(c.rows, d.Sensitive)
		var frequencies []float64
		entropy := 0.0
		for _, n := range counts {
			frequencies = append(frequencies, n)
			entropy -= n / total * math.Log(n/total)
		}
		slices.SortFunc(frequencies, func(a, b float64) int { return cmp.Compare(b, a) })
		if float64(len(frequencies)) < d.L {
			return false
		}
		rest := 0.0
		for _, n := range frequencies[int(math.Ceil(d.L))-1:] {
			rest += n
		}
		if d.Kind == Entropy && entropy < math.Log(d.L)-1e-9 || d.Kind == Recursive && frequencies[0] >= d.C*rest {
			return false
		}
	}
	for _, t := range b.requirement.Closeness {
		counts, total := distribution(c.rows, t.Sensitive)
		overall, all := distribution(b.rows, t.Sensitive)
		distance := 0.0
		for value, n := range overall {
			distance += math.Abs(n/all-counts[value]/total) / 2
		}
		if distance > t.T+1e-9 {
			return false
		}
	}
	return true
}

func (b *brute) suppressed(classes []*bruteClass) float64 {
	n := 0
	for _, c := range classes {
		if c.fails {
			n += len(c.rows)
		}
	}
	return float64(n)
}

// factors as the generalisation/suppression factor is defined: 1 and 1 in the middle,
// falling to 0 on the one side or the other.
func (b *brute) factors() (float64, float64) {
	if b.loss.Balance < 0.5 {
		return 1, b.loss.Balance * 2
	}
	return 1 - 2*(b.loss.Balance-0.5), 1
}

func (b *brute) measure(vector []int, classes []*bruteClass) float64 {
	g, s := b.factors()
	rows, suppressed := float64(len(b.rows)), b.suppressed(classes)
	if !b.loss.CountSuppressed {
		suppressed = 0
	}
	switch b.loss.Measure {
	case Suppression:
		return suppressed / rows
	case Discernibility:
		sum := 0.0
		for _, c := range classes {
			n := float64(len(c.rows))
			if c.fails && b.loss.CountSuppressed {
				sum += n * rows
			} else {
				sum += n * n
			}
		}
		return sum
	case AverageClassSize:
		published, one := 0.0, 0.0
		for _, c := range classes {
			if c.fails && b.loss.CountSuppressed {
				one = 1
			} else {
				published++
			}
		}
		return min(rows/(published*s+one*g), math.MaxFloat64)
	}
	losses := make([]float64, len(vector))
	for i := range vector {
		losses[i] = b.column(i, vector[i], classes, g, s)
	}
	return b.aggregate(losses)
}

// column is the loss of one column, row by row.
func (b *brute) column(i, l int, classes []*bruteClass, g, s float64) float64 {
	h := b.hierarchies[i]
	rows, suppressed := float64(len(b.rows)), b.suppressed(classes)
	finest, here, domain := map[int]float64{}, map[string]float64{}, map[string]float64{}
	for _, row := range b.rows {
		finest[row.values[i]]++
		here[h[row.values[i]][l]]++
	}
	for _, row := range h {
		domain[row[l]] += 1 / float64(len(h))
	}
	taken := map[string]float64{}
	for _, c := range classes {
		if c.fails {
			taken[h[c.rows[0].values[i]][l]] += float64(len(c.rows))
		}
	}
	sum, most := 0.0, 0.0
	for _, c := range classes {
		counted := c.fails && b.loss.CountSuppressed
		for _, row := range c.rows {
			v := row.values[i]
			to := h[v][l]
			share := domain[to]
			switch b.loss.Measure {
			case NonUniformEntropy, NormalisedEntropy:
				sum -= g * math.Log2(finest[v]/here[to])
				most -= g * math.Log2(finest[v]/rows)
				if counted {
					sum -= s * math.Log2(taken[to]/suppressed)
				}
			case Granularity:
				if counted {
					sum += share + s*(1-share)
				} else {
					sum += share * g
				}
			case Precision:
				if counted {
					sum += s / rows
				} else if len(h[0]) > 1 {
					sum += g * float64(l) / float64(len(h[0])-1) / rows
				}
			}
		}
	}
	switch b.loss.Measure {
	case Height:
		return float64(l) * g
	case NormalisedEntropy:
		if most < 1e-9 {
			return 0
		}
		return sum / most
	case Granularity:
		least := g * rows / float64(len(h))
		if rows-least < 1e-9 {
			return 0
		}
		return max(0, (sum-least)/(rows-least))
	}
	return sum
}

func (b *brute) aggregate(losses []float64) float64 {
	greatest := slices.Max(b.weights)
	result := 0.0
	product := 1.0
	for i, loss := range losses {
		w := 1.0
		if greatest > 0 {
			w = b.weights[i] / greatest
		}
		switch b.loss.Aggregate {
		case Sum:
			result += w * loss
		case Mean:
			result += w * loss / float64(len(losses))
		case Maximum:
			result = max(result, w*loss)
		}
		product *= 1 + w*loss
	}
	if b.loss.Aggregate == GeometricMean {
		return math.Pow(product, 1/float64(len(losses))) - 1
	}
	return result
}

// bruteSolution is a vector that fulfils the requirement.
type bruteSolution struct {
	vector []int
	loss   float64
	height int
}

// best returns all vectors that fulfil the requirement, those that lose least first.
func (b *brute) best() []bruteSolution {
	var solutions []bruteSolution
	for _, v := range b.vectors() {
		classes := b.classes(v)
		if b.suppressed(classes) <= math.Floor(b.requirement.SuppressionLimit*float64(len(b.rows))) {
			height := 0
			for _, l := range v {
				height += l
			}
			solutions = append(solutions, bruteSolution{v, b.measure(v, classes), height})
		}
	}
	slices.SortStableFunc(solutions, func(x, y bruteSolution) int { return cmp.Compare(x.loss, y.loss) })
	return solutions
}

func (b *brute) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%+v %+v weights %v\n", b.requirement, b.loss, b.weights)
	for _, h := range b.hierarchies {
		fmt.Fprintln(&s, h)
	}
	fmt.Fprint(&s, b.rows)
	return s.String()
}
