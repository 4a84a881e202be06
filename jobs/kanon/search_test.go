package kanon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wide makes a table with so many values in so many columns that no 64 bits could
// tell all vectors of values apart. Rows 2n and 2n+1 are alike at level 1 but for the
// first column, where all are.
func wide(t *testing.T, columns, rows int) *Table {
	t.Helper()
	table := &Table{}
	for i := range columns {
		hierarchy := make([][]string, rows)
		values := make([]uint32, rows)
		for n := range rows {
			group := fmt.Sprint("g", n/2)
			if i == 0 {
				group = "*"
			}
			hierarchy[n] = []string{fmt.Sprint("v", n), group, "*"}
			values[n] = uint32(n)
		}
		c, err := NewColumn(fmt.Sprint("c", i), hierarchy)
		if err != nil {
			t.Fatal(err)
		}
		table.Columns, table.Values = append(table.Columns, c), append(table.Values, values)
	}
	return table
}

func TestManyColumnsOfManyValuesAreToldApart(t *testing.T) {
	t.Parallel()
	const rows = 2000
	p, err := New(wide(t, 8, rows), Requirement{K: 2}, LossOf(NonUniformEntropy))
	if err != nil {
		t.Fatal(err)
	}
	for level, want := range []int{rows, rows / 2, 1} {
		levels := slices.Repeat([]int{level}, 8)
		if got := len(p.classes(levels).tuple); got != want {
			t.Errorf("%v has %d classes, want %d", levels, got, want)
		}
	}
	best, err := p.Best(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]int{1}, 8); !slices.Equal(best[0].Levels, want) {
		t.Errorf("%v, want %v", best[0].Levels, want)
	}
}

func TestTooManyVectorsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := New(wide(t, 15, 4), Requirement{K: 2}, LossOf(Height)); err == nil || !strings.Contains(err.Error(), "leave out levels or columns") {
		t.Error(err)
	}
}

func TestWhatIsKeptStaysWithinItsBound(t *testing.T) {
	t.Parallel()
	p, err := New(wide(t, 5, 1000), Requirement{K: 3}, LossOf(Discernibility))
	if err != nil {
		t.Fatal(err)
	}
	p.cache.limit = 20_000
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	for range 200 {
		levels := []int{1 + r.IntN(2), 1 + r.IntN(2), 1 + r.IntN(2), 1 + r.IntN(2), 1 + r.IntN(2)}
		seen[fmt.Sprint(levels)] = true
		p.classes(levels)
		held := 0
		for _, e := range p.cache.entries {
			held += e.classes.bytes()
		}
		if held != p.cache.bytes || held > p.cache.limit {
			t.Fatalf("%d bytes are kept, and %d are accounted for", held, p.cache.bytes)
		}
	}
	if n := len(p.cache.entries); n == 0 || n == len(seen) {
		t.Errorf("of %d vectors, %d are kept", len(seen), n)
	}
}

func TestSearchEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := New(wide(t, 4, 100), Requirement{K: 2}, LossOf(NonUniformEntropy))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Best(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.Best(t.Context(), 0); err == nil {
		t.Error("no vectors were asked for, and that was accepted")
	}
}

func TestNothingIsFoundWhereNothingFulfils(t *testing.T) {
	t.Parallel()
	p, err := New(wide(t, 3, 10), Requirement{K: 11}, LossOf(NonUniformEntropy))
	if err != nil {
		t.Fatal(err)
	}
	best, err := p.Best(t.Context(), 3)
	if err != nil || len(best) != 0 {
		t.Errorf("%v, %v", best, err)
	}
	if p.Checked() > p.Vectors()/2 {
		t.Errorf("%d of %d vectors were looked at to find out", p.Checked(), p.Vectors())
	}
}

func TestSearchingAgainFindsTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 4))
		b := problem(r)
		table := b.table(t, r)
		var first []Solution
		for range 3 {
			p, err := New(table, b.requirement, b.loss)
			if err != nil {
				t.Fatal(err)
			}
			found, err := p.Best(t.Context(), 5)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = found
			}
			if len(found) != len(first) {
				t.Fatalf("seed %d: %d vectors, then %d", seed, len(first), len(found))
			}
			for i := range found {
				if !slices.Equal(found[i].Levels, first[i].Levels) {
					t.Errorf("seed %d: %v, then %v", seed, first[i].Levels, found[i].Levels)
				}
			}
		}
	}
}
