package kanon

import "math/bits"

// classes are the equivalence classes of a table at one vector. They hold what is
// needed to make those of any coarser vector from them, without the rows.
type classes struct {
	tuple     []uint32 // by class: one of the tuples in it
	rows      []uint32 // by class: how many rows it has
	people    *facts   // who is in it; nil where every row is a person of its own
	sensitive []*facts // by sensitive column: which values are in it
}

// facts are different pairs of a class and an item, such as a person. In count is how
// many rows say so; if it is nil, each fact counts once.
type facts struct {
	class, item, count []uint32
}

func (c *classes) bytes() int {
	n := 8 * len(c.tuple)
	for _, f := range append([]*facts{c.people}, c.sensitive...) {
		if f != nil {
			n += 4 * (len(f.class) + len(f.item) + len(f.count))
		}
	}
	return n
}

// base is a table without its repetitions.
type base struct {
	columns    []*Column
	values     [][]uint32 // by column, then by tuple
	partition  []uint32   // by tuple; nil if there is but one
	partitions uint64
	rows       int
	tuples     *classes    // each tuple a class
	valueOf    [][]uint32  // by sensitive column: the value of an item; nil where items are values
	overall    [][]float64 // by sensitive column: the share of each value in the whole table
	group      grouper
	keys       []uint64
	moved, ids []uint32
}

// newBase gathers the different tuples of a table that was checked.
func newBase(t *Table) *base {
	b := &base{columns: t.Columns, rows: t.Rows(), partitions: 1}
	id := b.tupleOf(t)
	c := &classes{}
	for row, tuple := range id {
		if int(tuple) == len(c.tuple) {
			c.tuple = append(c.tuple, uint32(row))
			c.rows = append(c.rows, 0)
		}
		c.rows[tuple]++
	}
	b.values = make([][]uint32, len(t.Columns))
	for i := range t.Columns {
		b.values[i] = pick(t.Values[i], c.tuple)
	}
	if t.Partitions != nil {
		b.partition = pick(t.Partitions, c.tuple)
	}
	for i := range c.tuple {
		c.tuple[i] = uint32(i)
	}
	b.tuples = c
	var person []uint32
	if t.Subjects != nil {
		person = number(t.Subjects)
		c.people = b.distinct(id, person)
	}
	for _, s := range t.Sensitive {
		b.addSensitive(id, person, s.Values)
	}
	return b
}

func pick(values, rows []uint32) []uint32 {
	picked := make([]uint32, len(rows))
	for i, row := range rows {
		picked[i] = values[row]
	}
	return picked
}

// number replaces numbers by 0, 1, 2, … in the order in which they are first met.
func number[T comparable](values []T) []uint32 {
	numbers := make([]uint32, len(values))
	seen := map[T]uint32{}
	for i, v := range values {
		n, ok := seen[v]
		if !ok {
			n = uint32(len(seen))
			seen[v] = n
		}
		numbers[i] = n
	}
	return numbers
}

// tupleOf numbers the rows' tuples of values.
func (b *base) tupleOf(t *Table) []uint32 {
	b.keys = make([]uint64, b.rows)
	width := uint64(1)
	if t.Partitions != nil {
		for row, p := range t.Partitions {
			b.keys[row] = uint64(p)
			b.partitions = max(b.partitions, uint64(p)+1)
		}
		width = b.partitions
	}
	for i, c := range t.Columns {
		size := uint64(c.values)
		width = b.widen(width, size)
		for row, v := range t.Values[i] {
			b.keys[row] = b.keys[row]*size + uint64(v)
		}
	}
	id := make([]uint32, b.rows)
	b.group.reset(b.rows)
	for row, key := range b.keys {
		id[row] = b.group.id(key)
	}
	return id
}

// widen makes room in the keys for another digit: where they would become too wide,
// the keys so far are replaced by consecutive numbers.
func (b *base) widen(width, size uint64) uint64 {
	if high, low := bits.Mul64(width, size); high == 0 {
		return low
	}
	b.group.reset(len(b.keys))
	for i, key := range b.keys {
		b.keys[i] = uint64(b.group.id(key))
	}
	return uint64(b.group.len()) * size // both are less than 1<<32
}

// addSensitive gathers the values of a sensitive column. Where people have several
// rows, an item is a person together with a value, so that it counts once.
func (b *base) addSensitive(id, person []uint32, of []uint64) {
	values := number(of)
	if person == nil {
		b.tuples.sensitive = append(b.tuples.sensitive, b.counted(id, values))
		b.valueOf = append(b.valueOf, nil)
		b.overall = append(b.overall, shares(values))
		return
	}
	pairs := make([]uint64, len(values))
	for row, v := range values {
		pairs[row] = uint64(person[row])<<32 | uint64(v)
	}
	items := number(pairs)
	var valueOf []uint32
	for row, item := range items {
		if int(item) == len(valueOf) {
			valueOf = append(valueOf, values[row])
		}
	}
	b.tuples.sensitive = append(b.tuples.sensitive, b.distinct(id, items))
	b.valueOf = append(b.valueOf, valueOf)
	b.overall = append(b.overall, shares(valueOf))
}

// shares returns how large a share of the numbers each number makes up.
func shares(values []uint32) []float64 {
	var share []float64
	for _, v := range values {
		for int(v) >= len(share) {
			share = append(share, 0)
		}
		share[v]++
	}
	for i := range share {
		share[i] /= float64(len(values))
	}
	return share
}

// distinct gathers the different pairs of class and item.
func (b *base) distinct(class, item []uint32) *facts {
	f := &facts{}
	b.group.reset(len(class))
	for i := range class {
		if n := b.group.id(uint64(class[i])<<32 | uint64(item[i])); int(n) == len(f.class) {
			f.class, f.item = append(f.class, class[i]), append(f.item, item[i])
		}
	}
	return f
}

// counted gathers the different pairs of class and item, with how often each occurs.
func (b *base) counted(class, item []uint32) *facts {
	f := &facts{}
	b.group.reset(len(class))
	for i := range class {
		n := b.group.id(uint64(class[i])<<32 | uint64(item[i]))
		if int(n) == len(f.class) {
			f.class, f.item, f.count = append(f.class, class[i]), append(f.item, item[i]), append(f.count, 0)
		}
		f.count[n]++
	}
	return f
}

// at makes the classes at a vector from those at a finer one.
func (b *base) at(vector []int, from *classes) *classes {
	b.keysOf(vector, from)
	b.group.reset(len(b.keys))
	b.moved = resize(b.moved, len(b.keys))
	for i, key := range b.keys {
		b.moved[i] = b.group.id(key)
	}
	c := &classes{tuple: make([]uint32, b.group.len()), rows: make([]uint32, b.group.len())}
	for i, class := range b.moved {
		c.tuple[class] = from.tuple[i]
		c.rows[class] += from.rows[i]
	}
	if from.people != nil {
		c.people = b.move(from.people)
	}
	for _, f := range from.sensitive {
		c.sensitive = append(c.sensitive, b.move(f))
	}
	return c
}

// keysOf writes down for each of the classes which group it belongs to at vector.
func (b *base) keysOf(vector []int, from *classes) {
	b.keys = resize(b.keys, len(from.tuple))
	width := b.partitions
	if b.partition == nil {
		clear(b.keys)
	} else {
		for i, tuple := range from.tuple {
			b.keys[i] = uint64(b.partition[tuple])
		}
	}
	for i, l := range vector {
		at := &b.columns[i].levels[l]
		size := uint64(at.groups())
		if size == 1 {
			continue
		}
		width = b.widen(width, size)
		values := b.values[i]
		for j, tuple := range from.tuple {
			b.keys[j] = b.keys[j]*size + uint64(at.code[values[tuple]])
		}
	}
}

// move carries facts over to the classes that those of before have moved into.
func (b *base) move(f *facts) *facts {
	b.group.reset(len(f.class))
	b.ids = resize(b.ids, len(f.class))
	for i, class := range f.class {
		b.ids[i] = b.group.id(uint64(b.moved[class])<<32 | uint64(f.item[i]))
	}
	n := b.group.len()
	into := &facts{class: make([]uint32, n), item: make([]uint32, n)}
	for id, key := range b.group.keys {
		into.class[id], into.item[id] = uint32(key>>32), uint32(key)
	}
	if f.count != nil {
		into.count = make([]uint32, n)
		for i, id := range b.ids {
			into.count[id] += f.count[i]
		}
	}
	return into
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// grouper numbers keys 0, 1, 2, … in the order in which they are first met. It is a
// hash table with linear probing that is made large enough beforehand.
type grouper struct {
	slots []uint32 // number of the key there, plus one
	keys  []uint64 // by number
	shift int
}

// reset makes g forget its keys and ready for up to n others.
func (g *grouper) reset(n int) {
	size := 1 << bits.Len(uint(n|7)) * 2 // at most half full
	if cap(g.slots) < size {
		g.slots = make([]uint32, size)
	} else {
		g.slots = g.slots[:size]
		clear(g.slots)
	}
	g.shift = 64 - (bits.Len(uint(size)) - 1)
	g.keys = g.keys[:0]
}

func (g *grouper) len() int { return len(g.keys) }

// id returns the number of key.
func (g *grouper) id(key uint64) uint32 {
	at := mix(key) >> g.shift
	for {
		n := g.slots[at]
		if n == 0 {
			g.keys = append(g.keys, key)
			g.slots[at] = uint32(len(g.keys))
			return uint32(len(g.keys) - 1)
		}
		if g.keys[n-1] == key {
			return n - 1
		}
		if at++; at == uint64(len(g.slots)) {
			at = 0
		}
	}
}

// mix spreads keys, whose differences are in few bits, over all of them.
func mix(key uint64) uint64 {
	key *= 0x9e3779b97f4a7c15
	key ^= key >> 32
	return key * 0xd6e8feb86659fd93
}
