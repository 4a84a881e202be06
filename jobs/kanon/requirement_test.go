package kanon

import (
	"math"
	"testing"
)

func TestDiversityOfClasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		diversity Diversity
		counts    []uint32
		want      bool
	}{
		"two values of two":                  {Diversity{Kind: Distinct, L: 2}, []uint32{9, 1}, true},
		"two values of three":                {Diversity{Kind: Distinct, L: 3}, []uint32{9, 1}, false},
		"as even as can be":                  {Diversity{Kind: Entropy, L: 2}, []uint32{1, 1}, true},
		"the same, rounded down as in ARX":   {Diversity{Kind: Entropy, L: 2}, []uint32{4, 4}, false},
		"less even, but of more values":      {Diversity{Kind: Entropy, L: 2}, []uint32{6, 1, 1, 1}, true}, // the entropy is that of 2.88
		"uneven":                             {Diversity{Kind: Entropy, L: 2}, []uint32{5, 4}, false},
		"uneven, for a lower l":              {Diversity{Kind: Entropy, L: 1.9}, []uint32{5, 4}, true},
		"too few values for entropy":         {Diversity{Kind: Entropy, L: 2}, []uint32{5}, false},
		"the rest outweighs the greatest":    {Diversity{Kind: Recursive, C: 2, L: 2}, []uint32{3, 5}, true},
		"the rest equals the greatest":       {Diversity{Kind: Recursive, C: 1, L: 2}, []uint32{5, 2, 3}, false},
		"what is above the l-th is left out": {Diversity{Kind: Recursive, C: 2, L: 3}, []uint32{5, 4, 2}, false},
		"counting from the first":            {Diversity{Kind: Recursive, C: 1.5, L: 1}, []uint32{5}, true},
	} {
		if got := c.diversity.holds(c.counts, &logarithms{}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestClosenessIsHalfTheSumOfTheDifferences(t *testing.T) {
	t.Parallel()
	overall := []float64{0.5, 0.25, 0.25}
	// Shares of 0.75, 0.25 and 0: the differences are 0.25, 0 and 0.25.
	values, counts := []uint32{1, 0}, []uint32{1, 3}
	for limit, want := range map[float64]bool{0.25: true, 0.24: false, 1: true, 0: false} {
		c := Closeness{T: limit}
		if got := c.holds(values, counts, overall); got != want {
			t.Errorf("t = %v: %v", limit, got)
		}
	}
}

// A person with many rows neither makes a class larger nor more diverse.
func TestPeopleAndTheirValuesCountOnce(t *testing.T) {
	t.Parallel()
	table := small(t)
	table.Values = [][]uint32{{0, 0, 0, 0, 0}}
	table.Sensitive[0].Values = []uint64{0, 0, 0, 1, 1}
	table.Subjects = []uint64{7, 7, 7, 7, 8}
	for _, c := range []struct {
		requirement Requirement
		want        bool
	}{
		{Requirement{K: 2}, true},
		{Requirement{K: 3}, false},
		// One person has the first value and two have the second.
		{Requirement{Diversity: []Diversity{{Kind: Recursive, L: 2, C: 2.1}}}, true},
		{Requirement{Diversity: []Diversity{{Kind: Recursive, L: 2, C: 2}}}, false},
		{Requirement{Diversity: []Diversity{{Kind: Entropy, L: 1.8}}}, true},
		{Requirement{Diversity: []Diversity{{Kind: Entropy, L: 1.95}}}, false},
	} {
		p, err := New(table, c.requirement, LossOf(NonUniformEntropy))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.At([]int{0}); got.Fulfils != c.want {
			t.Errorf("%+v: %+v", c.requirement, got)
		}
	}
}

func TestLogarithmsAreRoundedCorrectly(t *testing.T) {
	t.Parallel()
	var ln logarithms
	ln.upTo(100_000)
	for n, got := range ln.of {
		if want := math.Log(float64(n)); n > 1 && math.Abs(got-want) > 2*(math.Nextafter(want, math.Inf(1))-want) {
			t.Fatalf("ln %d is %v, want about %v", n, got, want)
		}
	}
	for n, want := range map[int]uint64{ // to 40 digits, then rounded
		2:     0x3fe62e42fefa39ef,
		3:     0x3ff193ea7aad030b,
		10:    0x40026bb1bbb55516,
		14:    0x40051cca16d7bba7,
		48:    0x400ef8383c50bb75,
		74:    0x4011375cd6fcab1d,
		176:   0x4014ae935b3cb89d,
		39690: 0x40252d7e57d06d61,
		39699: 0x40252d9c0faa9763,
		39731: 0x40252e05abd8a0f7,
	} {
		if got := math.Float64bits(ln.of[n]); got != want {
			t.Errorf("ln %d is %#x, want %#x", n, got, want)
		}
	}
}
