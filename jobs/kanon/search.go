package kanon

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Problem is a table with a requirement and a measure of loss. It is not safe for use
// by several goroutines at once.
type Problem struct {
	base    *base
	lattice *lattice
	judge   *judge
	meter   *meter
	meters  map[Measure]*meter // for reports
	cache   cache
	checked int
}

// New prepares a search. The table must not be changed afterwards.
func New(t *Table, r Requirement, l Loss) (*Problem, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := r.check(t); err != nil {
		return nil, err
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	for _, c := range t.Columns {
		if !(c.Weight >= 0 && c.Weight <= 1) {
			return nil, fmt.Errorf("the weight of %q is %v; it is a number from 0 to 1", c.Name, c.Weight)
		}
	}
	lattice, err := newLattice(t.Columns)
	if err != nil {
		return nil, err
	}
	b := newBase(t)
	return &Problem{
		base: b, lattice: lattice, judge: newJudge(r, b), meter: newMeter(l, b),
		meters: map[Measure]*meter{}, cache: cache{lattice: lattice, limit: cacheBytes},
	}, nil
}

// Vectors returns how many vectors of levels there are.
func (p *Problem) Vectors() int { return p.lattice.size }

// Checked returns how many vectors' classes searches have looked at.
func (p *Problem) Checked() int { return p.checked }

// classes returns the classes at a vector.
func (p *Problem) classes(vector []int) *classes {
	from := p.cache.nearest(vector)
	if from == nil {
		from = p.base.tuples
	}
	c := p.base.at(vector, from)
	if len(c.tuple) < len(from.tuple) {
		p.cache.keep(vector, c)
	}
	return c
}

// Best returns the n vectors that lose the least of all that fulfil the requirement,
// the best first; fewer if there are fewer. Of vectors that lose the same, the one
// with the lower levels is better.
func (p *Problem) Best(ctx context.Context, n int) ([]Solution, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d vectors are asked for; ask for at least 1", n)
	}
	s := &search{Problem: p, ctx: ctx, wanted: n, state: make([]state, p.lattice.size)}
	if err := s.run(); err != nil {
		return nil, err
	}
	solutions := make([]Solution, len(s.best))
	for i, c := range s.best {
		solutions[i] = p.At(p.lattice.vector(c.rank.number, nil))
	}
	return solutions, nil
}

// state is what is known of a vector.
type state uint8

const (
	fit    state = 1 << iota // fulfils what coarser vectors then fulfil too
	unfit                    // does not, and no finer vector does
	closed                   // needs no further look
	pruned                   // nor does anything coarser
)

// candidate is a vector that fulfils the requirement.
type candidate struct {
	loss float64
	rank rank
}

func (c candidate) compare(other candidate) int {
	return cmp.Or(cmp.Compare(c.loss, other.loss), c.rank.compare(other.rank))
}

// search is one search for the best vectors.
//
// What a requirement asks of the number of people in a class holds for every coarser
// vector as well, so one look decides for many: chains of vectors from fine to coarse
// are bisected, and what is found is passed on to all finer or all coarser ones. The
// chains begin where the least can be lost. When they bring nothing better any more,
// what could still be better is looked at from the coarsest down, where a look that
// finds too few people in the classes settles most. The search ends when all that is
// left loses more than the best that were found.
type search struct {
	*Problem
	ctx    context.Context
	wanted int
	state  []state
	best   []candidate
	better bool        // best has changed
	floors []candidate // what coarser vectors lose at least, of those that were looked at
	levels []int
}

func (s *search) run() error {
	order := s.order()
	if !s.meter.byColumns() {
		return s.upwards(order)
	}
	if err := s.dive(order); err != nil {
		return err
	}
	return s.downwards(order)
}

// vainChains is how many chains are bisected in vain before the search turns to
// proving that nothing better is left.
const vainChains = 16

// dive bisects chains from where the least can be lost, until that helps no more.
func (s *search) dive(order []int32) error {
	vain := 0
	for _, n := range order {
		for s.state[n]&(unfit|closed) == 0 {
			if vain == vainChains || s.hopeless(int(n)) {
				return nil
			}
			if err := s.ctx.Err(); err != nil {
				return err
			}
			s.better = false
			s.settle(int(n))
			if s.better {
				vain = 0
			} else if len(s.best) == s.wanted {
				vain++
			}
		}
	}
	return nil
}

// downwards settles what is left, those first that could lose the most: when one of
// them has too few people in its classes, so have all finer ones.
func (s *search) downwards(order []int32) error {
	end, _ := slices.BinarySearchFunc(order, 0, func(n int32, _ int) int {
		if s.hopeless(int(n)) {
			return 1
		}
		return -1
	})
	for _, n := range slices.Backward(order[:end]) {
		if s.state[n]&(unfit|closed) != 0 || s.hopeless(int(n)) {
			continue
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if s.state[n]&fit != 0 {
			s.accept(int(n))
		} else {
			s.look(int(n))
		}
	}
	return nil
}

// upwards settles all vectors that are not hopeless, those first that are finest: what
// coarser ones lose at least is only known from the classes of finer ones.
func (s *search) upwards(order []int32) error {
	for _, n := range order {
		for s.state[n]&(unfit|closed) == 0 && !s.hopeless(int(n)) {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			s.settle(int(n))
		}
	}
	return nil
}

// order lists the vectors, those first that lose the least as far as is known.
func (s *search) order() []int32 {
	least := make([]float64, s.lattice.size)
	order := make([]int32, s.lattice.size)
	for n := range order {
		least[n] = s.bound(n).loss
		order[n] = int32(n)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c := cmp.Compare(least[a], least[b]); c != 0 {
			return c
		}
		return s.lattice.rank(int(a)).compare(s.lattice.rank(int(b)))
	})
	return order
}

// bound is a candidate that is no worse than vector n.
func (s *search) bound(n int) candidate {
	s.levels = s.lattice.vector(n, s.levels)
	return candidate{s.meter.bound(s.levels, s.judge.requirement.SuppressionLimit), s.lattice.rank(n)}
}

// hopeless reports whether vector n cannot be among the best.
func (s *search) hopeless(n int) bool { return s.worse(s.bound(n)) }

func (s *search) worse(bound candidate) bool {
	return len(s.best) == s.wanted && bound.compare(s.best[len(s.best)-1]) > 0
}

// settle finds out about vector n: looks at it, if it is known to have people enough,
// or else bisects a chain that begins with it.
func (s *search) settle(n int) {
	if s.state[n]&fit != 0 {
		s.accept(n)
		return
	}
	chain := s.chain(n)
	low, high := 0, len(chain)-1
	for low <= high {
		middle := (low + high) / 2
		if s.look(chain[middle]) {
			high = middle - 1
		} else {
			low = middle + 1
		}
	}
}

// accept settles a vector that is known to be fit.
func (s *search) accept(n int) {
	if s.judge.monotone && s.meter.exact() {
		s.state[n] |= closed
		s.offer(s.bound(n))
		return
	}
	s.look(n)
}

// chain returns n and ever coarser vectors of which nothing is known.
func (s *search) chain(n int) []int {
	chain := []int{n}
	for {
		next := -1
		var nextRank rank
		s.lattice.coarser(n, func(c int) {
			if s.state[c] == 0 && !s.hopeless(c) {
				if r := s.lattice.rank(c); next < 0 || r.compare(nextRank) < 0 {
					next, nextRank = c, r
				}
			}
		})
		if next < 0 {
			return chain
		}
		n = next
		chain = append(chain, n)
	}
}

// look judges the classes of vector n, and reports whether it is fit.
func (s *search) look(n int) bool {
	s.checked++
	s.levels = s.lattice.vector(n, s.levels)
	c := s.classes(s.levels)
	v := s.judge.of(c)
	s.state[n] |= closed
	least := candidate{s.meter.floor(c), s.lattice.rank(n)}
	fulfilled := v.suppressed <= s.judge.limit
	enough := v.tooFew <= s.judge.limit && (fulfilled || !s.judge.monotone)
	if enough {
		s.spread(n, fit, s.lattice.coarser)
	} else {
		s.spread(n, unfit, s.lattice.finer)
	}
	if fulfilled {
		s.offer(candidate{s.meter.of(s.levels, c, v), s.lattice.rank(n)})
	}
	if !s.meter.byColumns() {
		s.prune(least)
	}
	return enough
}

// spread marks n and everything that can be reached from it.
func (s *search) spread(n int, mark state, neighbours func(int, func(int))) {
	if s.state[n]&mark != 0 {
		return
	}
	s.state[n] |= mark
	neighbours(n, func(next int) { s.spread(next, mark, neighbours) })
}

// prune closes what is coarser than vectors that already lose too much: the one that
// was looked at last, and, when better ones have been found, those before.
func (s *search) prune(least candidate) {
	s.floors = append(s.floors, least)
	from := len(s.floors) - 1
	if s.better {
		from, s.better = 0, false
	}
	kept := s.floors[:from]
	for _, c := range s.floors[from:] {
		if s.worse(c) {
			s.lattice.coarser(c.rank.number, s.close)
		} else {
			kept = append(kept, c)
		}
	}
	s.floors = kept
}

// close closes n and everything coarser.
func (s *search) close(n int) {
	if s.state[n]&pruned != 0 {
		return
	}
	s.state[n] |= closed | pruned
	s.lattice.coarser(n, s.close)
}

// offer takes a vector among the best if it is one of them.
func (s *search) offer(c candidate) {
	at, _ := slices.BinarySearchFunc(s.best, c, candidate.compare)
	if at == s.wanted {
		return
	}
	if len(s.best) == s.wanted {
		s.best = s.best[:s.wanted-1]
	}
	s.best = slices.Insert(s.best, at, c)
	s.better = true
}
