package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// publication compares what is published of a dataset.
func (d *difference) publication(dataset string, was, now *Publication) {
	switch {
	case was == nil && now == nil:
		return
	case was == nil:
		d.add(dataset, More, "is published anonymised, k=%d", now.K)
		return
	case now == nil:
		d.add(dataset, Less, "is published no more")
		return
	case was.K > now.K:
		d.add(dataset, More, "published classes hold at least %d people, and not %d", now.K, was.K)
	case was.K < now.K:
		d.add(dataset, Less, "published classes hold at least %d people, and not %d", now.K, was.K)
	}
	switch {
	case was.After.IsZero() && !now.After.IsZero():
		d.add(dataset, More, "is published anonymised %s after each day already, while the records live on", now.After)
	case !was.After.IsZero() && now.After.IsZero():
		d.add(dataset, Less, "is published anonymised when its window has passed, and not %s after each day", was.After)
	case was.After != now.After:
		d.add(dataset, Other, "is published anonymised %s after each day, and not %s", now.After, was.After)
	}
	if a, b := limitWords(was), limitWords(now); a != b {
		d.add(dataset, Other, "of each day's rows %s may be suppressed, and not %s", b, a)
	}
	d.publishedColumns(dataset, was, now)
	if !slices.EqualFunc(was.Chain, now.Chain, maps.Equal[map[string]int]) {
		d.add(dataset, Other, "rows are generalised in other steps (chain)")
	}
}

func limitWords(p *Publication) string {
	if p.SuppressionLimit == nil {
		return "all"
	}
	return fmt.Sprintf("%g%%", float64(*p.SuppressionLimit)*100)
}

func (d *difference) publishedColumns(dataset string, was, now *Publication) {
	before := map[string]PublishedColumn{}
	for _, c := range was.Columns {
		before[c.Name] = c
	}
	for _, c := range now.Columns {
		old, known := before[c.Name]
		delete(before, c.Name)
		switch {
		case !known:
			d.add(dataset, More, "the column %s is published: %s", c.Name, c.words())
		case old.words() != c.words():
			d.add(dataset, Other, "the column %s is published otherwise: %s, and not %s", c.Name, c.words(), old.words())
		case c.Hierarchy != nil && !slices.EqualFunc(old.Hierarchy.Rows, c.Hierarchy.Rows, slices.Equal[[]string]):
			d.add(dataset, Other, "the column %s is published by another hierarchy", c.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		d.add(dataset, Less, "the column %s is published no more", name)
	}
}

// words say what becomes of the column's values.
func (c PublishedColumn) words() string {
	switch {
	case c.Measure:
		return c.From + " as it is"
	case c.Sensitive != nil:
		return c.From + " as it is, where classes have values enough" + c.Sensitive.words()
	}
	levels := make([]string, len(c.Levels))
	for i, l := range c.Levels {
		levels[i] = l.String()
	}
	return c.From + " as " + strings.Join(levels, ", ")
}

func (s *Sensitive) words() (words string) {
	for _, asked := range []struct {
		name  string
		value float64
	}{{"distinct_l", float64(s.DistinctL)}, {"entropy_l", s.EntropyL}, {"t", s.T}} {
		if asked.value != 0 {
			words += fmt.Sprintf("; %s %g", asked.name, asked.value)
		}
	}
	if r := s.Recursive; r != nil {
		words += fmt.Sprintf("; recursive c %g, l %d", r.C, r.L)
	}
	return words
}
