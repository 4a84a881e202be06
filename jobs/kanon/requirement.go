package kanon

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Requirement says which level vectors will do: those at which every class that is
// not suppressed fulfils all of it, and no more rows are suppressed than allowed.
type Requirement struct {
	// K is the least number of different people in a class (Samarati, Sweeney, 1998).
	K int `json:"k"`
	// SuppressionLimit is the share of the rows that may be suppressed, from 0 to 1.
	SuppressionLimit float64     `json:"suppression_limit"`
	Diversity        []Diversity `json:"diversity,omitempty"`
	Closeness        []Closeness `json:"closeness,omitempty"`
}

// Diversity asks for different values of a sensitive column in every class
// (Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, 2007). Where a person has
// several rows, each of the person's values counts once.
type Diversity struct {
	Sensitive int           `json:"sensitive"` // index into the table's sensitive columns
	Kind      DiversityKind `json:"kind"`
	L         float64       `json:"l"`
	C         float64       `json:"c,omitempty"` // of recursive diversity
}

// DiversityKind is a definition of l-diversity.
type DiversityKind string

// The definitions.
const (
	Distinct  DiversityKind = "distinct"  // at least L different values
	Entropy   DiversityKind = "entropy"   // the entropy of the values is at least log L
	Recursive DiversityKind = "recursive" // the most frequent value is rarer than C times those from the L-th on together
)

// Closeness asks that the distribution of a sensitive column in every class differs
// from that of the whole table by at most T, the earth mover's distance where all
// values are equally far from each other (Li, Li, Venkatasubramanian, 2007).
type Closeness struct {
	Sensitive int     `json:"sensitive"` // index into the table's sensitive columns
	T         float64 `json:"t"`
}

func (r *Requirement) check(t *Table) error {
	if r.K < 2 && len(r.Diversity)+len(r.Closeness) == 0 {
		return fmt.Errorf("nothing is required: k is %d; it must be at least 2", r.K)
	}
	if !(r.SuppressionLimit >= 0 && r.SuppressionLimit <= 1) {
		return fmt.Errorf("the suppression limit is %v; it is a share from 0 to 1", r.SuppressionLimit)
	}
	for _, d := range r.Diversity {
		switch {
		case d.Sensitive < 0 || d.Sensitive >= len(t.Sensitive):
			return fmt.Errorf("there is no sensitive column %d", d.Sensitive)
		case d.Kind != Distinct && d.Kind != Entropy && d.Kind != Recursive:
			return fmt.Errorf("%q is no kind of l-diversity; use %s, %s or %s", d.Kind, Distinct, Entropy, Recursive)
		case !(d.L >= 1) || math.IsInf(d.L, 0) || d.Kind != Entropy && d.L != math.Trunc(d.L):
			return fmt.Errorf("l is %v for %q; it is a number of values, at least 1", d.L, t.Sensitive[d.Sensitive].Name)
		case d.Kind == Recursive && !(d.C > 0):
			return fmt.Errorf("c is %v for %q; it must be greater than 0", d.C, t.Sensitive[d.Sensitive].Name)
		}
	}
	for _, c := range r.Closeness {
		switch {
		case c.Sensitive < 0 || c.Sensitive >= len(t.Sensitive):
			return fmt.Errorf("there is no sensitive column %d", c.Sensitive)
		case !(c.T >= 0 && c.T <= 1):
			return fmt.Errorf("t is %v for %q; it is a distance from 0 to 1", c.T, t.Sensitive[c.Sensitive].Name)
		}
	}
	return nil
}

// holds reports whether the values of one class, each with how often it occurs, are
// diverse enough.
func (d *Diversity) holds(counts []uint32, ln *logarithms) bool {
	if float64(len(counts)) < d.L {
		return false
	}
	switch d.Kind {
	case Entropy:
		return d.entropyHolds(counts, ln)
	case Recursive:
		return d.recursiveHolds(counts)
	}
	return true
}

// entropyHolds compares the entropy with log L, both times the number of values.
func (d *Diversity) entropyHolds(counts []uint32, ln *logarithms) bool {
	total, sum := 0, 0.0
	for _, n := range counts {
		total += int(n)
	}
	ln.upTo(max(total, int(d.L)))
	logL := math.Log(d.L)
	if d.L == math.Trunc(d.L) {
		logL = ln.of[int(d.L)]
	}
	most := float64(total) * (ln.of[total] - logL)
	for _, n := range counts {
		sum += float64(n) * ln.of[n]
	}
	return sum <= most
}

// recursiveHolds compares the greatest count with C times those from the L-th
// greatest on.
func (d *Diversity) recursiveHolds(counts []uint32) bool {
	descending := slices.Clone(counts)
	slices.SortFunc(descending, func(a, b uint32) int { return cmp.Compare(b, a) })
	rest := 0.0
	for _, n := range descending[int(d.L)-1:] {
		rest += float64(n)
	}
	return float64(descending[0]) < d.C*rest
}

// holds reports whether the values of one class are distributed closely enough like
// those of the whole table. With p and q the shares of a value here and overall, the
// distance is half the sum of |p-q| over all values; over those that do not occur
// here, that is 1 less the sum of the q that do.
func (c *Closeness) holds(values, counts []uint32, overall []float64) bool {
	total := 0.0
	for _, n := range counts {
		total += float64(n)
	}
	distance := 1.0
	for i, v := range values {
		q := overall[v]
		distance += math.Abs(q-float64(counts[i])/total) - q
	}
	return distance/2 <= c.T
}
