package kanon

import "slices"

// cacheBytes is up to how much memory the classes of vectors that were looked at are
// kept, to make those of coarser ones from them.
const cacheBytes = 64 << 20

// cache keeps the classes of the vectors that were used last.
type cache struct {
	lattice *lattice
	limit   int      // bytes
	entries []cached // the one used last is at the end
	bytes   int
}

type cached struct {
	vector  []int
	classes *classes
}

// nearest returns the smallest of the kept classes from which those at vector can be
// made, or nil.
func (c *cache) nearest(vector []int) *classes {
	best := -1
	for i, e := range c.entries {
		if (best < 0 || len(e.classes.tuple) < len(c.entries[best].classes.tuple)) && c.lattice.merges(e.vector, vector) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	e := c.entries[best]
	c.entries = append(slices.Delete(c.entries, best, best+1), e)
	return e.classes
}

// keep adds classes, and forgets those that have not been used for longest.
func (c *cache) keep(vector []int, of *classes) {
	c.entries = append(c.entries, cached{slices.Clone(vector), of})
	c.bytes += of.bytes()
	forget := 0
	for c.bytes > c.limit {
		c.bytes -= c.entries[forget].classes.bytes()
		forget++
	}
	c.entries = slices.Delete(c.entries, 0, forget)
}
