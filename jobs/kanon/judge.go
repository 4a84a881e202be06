package kanon

import "math"

// verdict says which classes do not fulfil a requirement.
type verdict struct {
	fails      []bool // by class; valid until the next verdict
	suppressed int    // rows of those classes
	// tooFew is how many rows are in classes with too few people or too few
	// different values: what can only become less with coarser levels.
	tooFew int
}

// judge holds a requirement against classes.
type judge struct {
	requirement Requirement
	base        *base
	limit       int           // rows that may be suppressed
	monotone    bool          // coarser levels than those that do will do
	sensitive   [][]condition // by sensitive column

	fails      []bool
	people     []uint32
	logarithms logarithms
}

// condition is what is asked of one sensitive column in each class.
type condition struct {
	basic bool // coarser levels never break it for a class
	holds func(values, counts []uint32) bool
}

func newJudge(r Requirement, b *base) *judge {
	j := &judge{requirement: r, base: b, limit: int(math.Floor(r.SuppressionLimit * float64(b.rows)))}
	j.sensitive = make([][]condition, len(b.tuples.sensitive))
	add := func(sensitive int, c condition) {
		j.sensitive[sensitive] = append(j.sensitive[sensitive], c)
	}
	for _, d := range r.Diversity {
		enough := Diversity{Kind: Distinct, L: d.L}
		add(d.Sensitive, condition{true, func(_, counts []uint32) bool { return enough.holds(counts, nil) }})
		if d.Kind != Distinct {
			add(d.Sensitive, condition{false, func(_, counts []uint32) bool { return d.holds(counts, &j.logarithms) }})
		}
	}
	for _, c := range r.Closeness {
		overall := b.overall[c.Sensitive]
		add(c.Sensitive, condition{false, func(values, counts []uint32) bool { return c.holds(values, counts, overall) }})
	}
	// Two classes that are diverse, or close, are so together. That says nothing of a
	// class that is suppressed, nor of people who are in both.
	j.monotone = j.basicOnly() || j.limit == 0 && b.tuples.people == nil
	return j
}

func (j *judge) basicOnly() bool {
	for _, conditions := range j.sensitive {
		for _, c := range conditions {
			if !c.basic {
				return false
			}
		}
	}
	return true
}

// of judges classes. Where tooFew is over the limit, the rest is not looked at.
func (j *judge) of(c *classes) verdict { return j.judge(c, false) }

// complete judges classes and looks at everything.
func (j *judge) complete(c *classes) verdict { return j.judge(c, true) }

func (j *judge) judge(c *classes, complete bool) verdict {
	n := len(c.tuple)
	j.fails = resize(j.fails, n)
	people := j.peopleOf(c)
	v := verdict{fails: j.fails}
	for class := range n {
		j.fails[class] = int(people[class]) < j.requirement.K
	}
	histograms := make([]histogram, len(j.sensitive))
	for s, conditions := range j.sensitive {
		if len(conditions) > 0 {
			histograms[s] = j.base.histogram(c, s)
			j.apply(histograms[s], conditions, true)
		}
	}
	v.tooFew = v.count(c)
	v.suppressed = v.tooFew
	if v.tooFew > j.limit && !complete || j.basicOnly() {
		return v
	}
	for s, conditions := range j.sensitive {
		j.apply(histograms[s], conditions, false)
	}
	v.suppressed = v.count(c)
	return v
}

func (j *judge) apply(h histogram, conditions []condition, basic bool) {
	for _, condition := range conditions {
		if condition.basic != basic {
			continue
		}
		for class := range j.fails {
			if !j.fails[class] {
				j.fails[class] = !condition.holds(h.of(class))
			}
		}
	}
}

func (v *verdict) count(c *classes) int {
	n := 0
	for class, fails := range v.fails {
		if fails {
			n += int(c.rows[class])
		}
	}
	return n
}

// peopleOf counts the different people of each class.
func (j *judge) peopleOf(c *classes) []uint32 {
	if c.people == nil {
		return c.rows
	}
	j.people = resize(j.people, len(c.tuple))
	clear(j.people)
	for _, class := range c.people.class {
		j.people[class]++
	}
	return j.people
}

// histogram holds, class by class, the different values of a sensitive column and how
// often each occurs.
type histogram struct {
	start         []uint32 // by class, and one more: where its values begin
	value, number []uint32
}

func (h *histogram) of(class int) (values, counts []uint32) {
	from, to := h.start[class], h.start[class+1]
	return h.value[from:to], h.number[from:to]
}

func (b *base) histogram(c *classes, sensitive int) histogram {
	f := c.sensitive[sensitive]
	if valueOf := b.valueOf[sensitive]; valueOf != nil {
		values := make([]uint32, len(f.item))
		for i, item := range f.item {
			values[i] = valueOf[item]
		}
		f = b.counted(f.class, values)
	}
	h := histogram{make([]uint32, len(c.tuple)+1), make([]uint32, len(f.item)), make([]uint32, len(f.item))}
	for _, class := range f.class {
		h.start[class+1]++
	}
	for class := range c.tuple {
		h.start[class+1] += h.start[class]
	}
	next := make([]uint32, len(c.tuple))
	copy(next, h.start)
	for i, class := range f.class {
		h.value[next[class]], h.number[next[class]] = f.item[i], f.count[i]
		next[class]++
	}
	return h
}
