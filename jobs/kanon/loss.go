package kanon

import (
	"fmt"
	"math"
)

// Loss says how the loss of information is measured.
type Loss struct {
	Measure Measure `json:"measure"`
	// CountSuppressed lets the suppressed rows count. Without it a measure tells only
	// what is lost by generalisation, which ARX calls its monotonic variant.
	CountSuppressed bool `json:"count_suppressed"`
	// Balance, from 0 to 1, weighs generalisation against suppression: below 0.5
	// suppression costs less, above 0.5 generalisation does. ARX calls it the
	// generalisation/suppression factor.
	Balance float64 `json:"balance"`
	// Aggregate makes one number of the columns' losses, where a measure has such.
	Aggregate Aggregate `json:"aggregate"`
}

// Measure names a measure of loss.
type Measure string

// The measures.
const (
	// NonUniformEntropy is, for each column, the sum over all rows of -log2 of the
	// probability of the value given what it was generalised to (de Waal, Willenborg,
	// 1999); suppressed rows add what is lost by making their values alike.
	NonUniformEntropy Measure = "entropy"
	// NormalisedEntropy is NonUniformEntropy, for each column relative to the loss of
	// making all its values alike.
	NormalisedEntropy Measure = "normalised_entropy"
	// Discernibility is the sum of the squares of the classes' sizes; suppressed rows
	// each count as many as there are rows (Bayardo, Agrawal, 2005).
	Discernibility Measure = "discernibility"
	// AverageClassSize is the number of rows for each class, all suppressed rows being
	// one class (LeFevre, DeWitt, Ramakrishnan, 2006).
	AverageClassSize Measure = "average_class_size"
	// Precision is the level relative to the coarsest, for each column; 1 for suppressed
	// rows (Sweeney, 2002, who subtracts it from 1).
	Precision Measure = "precision"
	// Granularity is the average share of the values that a value was made alike to;
	// 1 for suppressed rows. ARX calls it loss (Iyengar, 2002).
	Granularity Measure = "granularity"
	// Height is the sum of the levels.
	Height Measure = "height"
	// Suppression is the share of the rows that are suppressed.
	Suppression Measure = "suppression"
)

// Measures are all measures.
var Measures = []Measure{NonUniformEntropy, NormalisedEntropy, Discernibility, AverageClassSize, Precision, Granularity, Height, Suppression}

// Aggregate names a function over columns.
type Aggregate string

// The aggregate functions; each column's loss is multiplied by its weight relative to
// the greatest weight.
const (
	Sum           Aggregate = "sum"
	Mean          Aggregate = "mean"
	GeometricMean Aggregate = "geometric_mean" // of the losses plus one, less one
	Maximum       Aggregate = "maximum"
)

// Aggregates are all aggregate functions.
var Aggregates = []Aggregate{Sum, Mean, GeometricMean, Maximum}

// LossOf returns the usual loss by a measure: balanced, with the measure's own
// aggregate function, and suppressed rows counted, but for NonUniformEntropy, whose
// variant without them is by far the faster to search and the one to compare with.
func LossOf(m Measure) Loss {
	l := Loss{Measure: m, CountSuppressed: m != NonUniformEntropy && m != Height, Balance: 0.5, Aggregate: Sum}
	switch m {
	case Precision:
		l.Aggregate = Mean
	case Granularity:
		l.Aggregate = GeometricMean
	}
	return l
}

func (l *Loss) check() error {
	if !contains(Measures, l.Measure) {
		return fmt.Errorf("%q is no measure of loss; use one of %v", l.Measure, Measures)
	}
	if !contains(Aggregates, l.Aggregate) {
		return fmt.Errorf("%q is no aggregate function; use one of %v", l.Aggregate, Aggregates)
	}
	if !(l.Balance >= 0 && l.Balance <= 1) {
		return fmt.Errorf("the balance is %v; it is a number from 0 to 1", l.Balance)
	}
	if l.Measure == Suppression && !l.CountSuppressed {
		return fmt.Errorf("%s counts nothing but suppressed rows", Suppression)
	}
	return nil
}

func contains[T comparable](list []T, v T) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}

// factors returns the weights of generalisation and of suppression.
func (l *Loss) factors() (generalised, suppressed float64) {
	return min(1, 2-2*l.Balance), min(1, 2*l.Balance)
}

// meter measures losses of one table.
type meter struct {
	Loss
	base                    *base
	generalised, suppressed float64     // factors
	weight                  []float64   // by column
	byLevel                 [][]float64 // by column and level: what generalisation loses, for the measures that add up columns
	most                    []float64   // by column: the entropy of the column
	counts                  []float64
	losses                  []float64
}

func newMeter(l Loss, b *base) *meter {
	m := &meter{Loss: l, base: b, losses: make([]float64, len(b.columns))}
	m.generalised, m.suppressed = l.factors()
	m.weigh()
	for i, c := range b.columns {
		counts := make([]float64, c.values)
		for tuple, v := range b.values[i] {
			counts[v] += float64(b.tuples.rows[tuple])
		}
		byLevel := make([]float64, len(c.levels))
		for l := range c.levels {
			byLevel[l] = m.columnLoss(&c.levels[l], counts, l, len(c.levels)-1)
		}
		m.byLevel = append(m.byLevel, byLevel)
		m.most = append(m.most, m.entropyOf(counts))
	}
	return m
}

// weigh sets each column's weight relative to the greatest.
func (m *meter) weigh() {
	greatest := 0.0
	for _, c := range m.base.columns {
		greatest = max(greatest, c.Weight)
	}
	for _, c := range m.base.columns {
		if greatest == 0 {
			m.weight = append(m.weight, 1)
		} else {
			m.weight = append(m.weight, c.Weight/greatest)
		}
	}
}

// columnLoss is what generalisation to a level loses in one column, before any
// rounding; counts are the rows by value.
func (m *meter) columnLoss(at *level, counts []float64, level, height int) float64 {
	grouped := make([]float64, at.groups())
	for v, n := range counts {
		grouped[at.code[v]] += n
	}
	loss := 0.0
	switch m.Measure {
	case NonUniformEntropy, NormalisedEntropy:
		for v, n := range counts {
			if n != 0 {
				loss += n * log2(n/grouped[at.code[v]])
			}
		}
	case Granularity:
		for g, n := range grouped {
			loss += n * at.share[g]
		}
	case Precision:
		if height > 0 {
			loss = float64(level) / float64(height)
		}
	case Height:
		loss = float64(level)
	}
	return loss
}

// entropyOf returns what is lost by making all values alike, rounded.
func (m *meter) entropyOf(counts []float64) float64 {
	entropy := 0.0
	for _, n := range counts {
		if n != 0 {
			entropy += n * log2(n/float64(m.base.rows))
		}
	}
	return round(-entropy * m.generalised)
}

func log2(x float64) float64 { return math.Log(x) / math.Ln2 }

// round cuts off after ten digits, as ARX does.
func round(x float64) float64 { return math.Floor(x*1e10) / 1e10 }

// byColumns reports whether what generalisation loses follows from the levels alone.
func (m *meter) byColumns() bool {
	switch m.Measure {
	case Discernibility, AverageClassSize, Suppression:
		return false
	}
	return true
}

// exact reports whether bound is the loss itself.
func (m *meter) exact() bool { return m.byColumns() && !m.CountSuppressed || m.Measure == Height }

// slack allows for sums that were added up in another order.
const slack = 1e-9

// bound returns what is lost at least at a vector where no more than a share of the
// rows is suppressed, as far as the levels alone tell.
func (m *meter) bound(vector []int, suppressed float64) float64 {
	if !m.byColumns() {
		return 0
	}
	exact := m.exact()
	for i, l := range vector {
		generalised := m.byLevel[i][l] * m.generalised
		if m.Measure == Precision && !exact && m.suppressed < generalised {
			generalised -= suppressed * (generalised - m.suppressed) // to suppress costs less
		}
		m.losses[i] = m.column(i, generalised, 0)
	}
	least := m.aggregate(m.losses)
	if exact {
		return least
	}
	return least - slack*max(1, least)
}

// column turns the sum over a column's rows, and what suppression adds to it, into
// the column's loss.
func (m *meter) column(i int, generalised, suppressed float64) float64 {
	sum := generalised + suppressed
	rows := float64(m.base.rows)
	switch m.Measure {
	case NonUniformEntropy:
		return round(-sum)
	case NormalisedEntropy:
		if m.most[i] == 0 {
			return 0
		}
		return round(-sum) / m.most[i]
	case Granularity:
		least := m.generalised * rows / float64(m.base.columns[i].values)
		if rows == least {
			return 0
		}
		return round(max(0, (sum-least)/(rows-least)))
	}
	return sum
}

// floor returns what is lost at least at any vector that only merges these classes.
func (m *meter) floor(c *classes) float64 {
	switch m.Measure {
	case Discernibility:
		sum := 0.0
		for _, n := range c.rows {
			sum += float64(n) * float64(n)
		}
		return sum
	case AverageClassSize: // with suppression, at least one class becomes part of another
		n := float64(len(c.tuple))
		return min(float64(m.base.rows)/max(n*m.suppressed, (n-1)*m.suppressed+m.generalised), math.MaxFloat64)
	}
	return 0
}

// of returns the loss at a vector, given its classes and which of them fail.
func (m *meter) of(vector []int, c *classes, v verdict) float64 {
	if m.exact() {
		return m.bound(vector, 0)
	}
	switch m.Measure {
	case Suppression:
		return float64(v.suppressed) / float64(m.base.rows)
	case Discernibility:
		return m.discernibility(c, v)
	case AverageClassSize:
		return m.averageClassSize(c, v)
	}
	for i, l := range vector {
		m.losses[i] = m.withSuppressed(i, l, c, v)
	}
	return m.aggregate(m.losses)
}

func (m *meter) discernibility(c *classes, v verdict) float64 {
	sum := 0.0
	for class, n := range c.rows {
		if v.fails[class] && m.CountSuppressed {
			sum += float64(n) * float64(m.base.rows)
		} else {
			sum += float64(n) * float64(n)
		}
	}
	return sum
}

// averageClassSize weighs the classes that are published by the factor of suppression
// and the one of what is suppressed by that of generalisation, since few classes cost
// much.
func (m *meter) averageClassSize(c *classes, v verdict) float64 {
	published := 0
	for _, fails := range v.fails {
		if !fails {
			published++
		}
	}
	classes := float64(published) * m.suppressed
	switch {
	case !m.CountSuppressed:
		classes = float64(len(c.tuple)) * m.suppressed
	case published < len(c.tuple):
		classes += m.generalised
	}
	return min(float64(m.base.rows)/classes, math.MaxFloat64) // no class may weigh anything
}

// withSuppressed is the loss of column i at level l, with the suppressed rows.
func (m *meter) withSuppressed(i, l int, c *classes, v verdict) float64 {
	at := &m.base.columns[i].levels[l]
	generalised := m.byLevel[i][l] * m.generalised
	suppressed := float64(v.suppressed)
	if suppressed == 0 {
		if m.Measure == Precision {
			return generalised
		}
		return m.column(i, generalised, 0)
	}
	switch m.Measure {
	case Precision:
		rows := float64(m.base.rows)
		return ((rows-suppressed)*m.byLevel[i][l]*m.generalised + suppressed*m.suppressed) / rows
	case Granularity:
		return m.column(i, generalised, m.granularityAdded(i, at, c, v))
	}
	m.counts = resize(m.counts, at.groups())
	clear(m.counts)
	values := m.base.values[i]
	for class, fails := range v.fails {
		if fails {
			m.counts[at.code[values[c.tuple[class]]]] += float64(c.rows[class])
		}
	}
	added := 0.0
	for _, n := range m.counts {
		if n != 0 {
			added += n * log2(n/suppressed)
		}
	}
	return m.column(i, generalised, added*m.suppressed)
}

// granularityAdded is what the suppressed rows add to a column's sum beyond their
// generalisation.
func (m *meter) granularityAdded(i int, at *level, c *classes, v verdict) float64 {
	added := 0.0
	values := m.base.values[i]
	for class, fails := range v.fails {
		if fails {
			rows := float64(c.rows[class])
			share := rows * at.share[at.code[values[c.tuple[class]]]]
			added += share + m.suppressed*(rows-share) - share*m.generalised
		}
	}
	return added
}

// aggregate makes one number of the columns' losses.
func (m *meter) aggregate(losses []float64) float64 {
	n := float64(len(losses))
	result := 0.0
	if m.Aggregate == GeometricMean {
		result = 1
	}
	for i, loss := range losses {
		weighed := loss * m.weight[i]
		switch m.Aggregate {
		case Sum:
			result += weighed
		case Mean:
			result += loss / n * m.weight[i]
		case GeometricMean:
			result *= math.Pow(weighed+1, 1/n)
		case Maximum:
			result = max(result, weighed)
		}
	}
	if m.Aggregate == GeometricMean {
		return result - 1
	}
	return result
}
