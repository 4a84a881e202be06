package kanon

import (
	"fmt"
	"slices"
)

// Solution is a vector of levels with what it costs.
type Solution struct {
	Levels []int `json:"levels"` // by column
	// Fulfils says whether the requirement holds, with no more suppressed than allowed.
	Fulfils bool    `json:"fulfils"`
	Loss    float64 `json:"loss"` // as the problem measures it
	Cost    Cost    `json:"cost"`
}

// Cost is what a vector costs, by several measures.
type Cost struct {
	Rows       int `json:"rows"`
	Suppressed int `json:"suppressed"` // rows
	Classes    int `json:"classes"`    // that are published
	// Smallest is the number of people in the smallest class that is published; 0 if
	// none is.
	Smallest int `json:"smallest"`
	// Losses are by all measures, as LossOf defines them.
	Losses map[Measure]float64 `json:"losses"`
}

// SuppressedShare returns the share of the rows that are suppressed.
func (c *Cost) SuppressedShare() float64 { return float64(c.Suppressed) / float64(c.Rows) }

// At returns what the vector with the given levels costs. It panics if there is no
// such vector.
func (p *Problem) At(levels []int) Solution {
	if len(levels) != len(p.base.columns) {
		panic(fmt.Sprintf("kanon: %d levels for %d columns", len(levels), len(p.base.columns)))
	}
	c := p.classes(levels)
	v := p.judge.complete(c)
	s := Solution{Levels: slices.Clone(levels), Fulfils: v.suppressed <= p.judge.limit, Loss: p.meter.of(levels, c, v)}
	s.Cost = Cost{Rows: p.base.rows, Suppressed: v.suppressed, Losses: map[Measure]float64{}}
	people := p.judge.peopleOf(c)
	for class, fails := range v.fails {
		if fails {
			continue
		}
		s.Cost.Classes++
		if n := int(people[class]); s.Cost.Smallest == 0 || n < s.Cost.Smallest {
			s.Cost.Smallest = n
		}
	}
	for _, measure := range Measures {
		if p.meters[measure] == nil {
			p.meters[measure] = newMeter(LossOf(measure), p.base)
		}
		s.Cost.Losses[measure] = p.meters[measure].of(levels, c, v)
	}
	return s
}
