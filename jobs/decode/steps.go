package decode

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// node is a place in the tree of JSON paths: those that are wanted, and those that
// records have had besides.
type node struct {
	name     string
	parent   *node // whose object it is a member of; nil: it is the whole record
	depth    int   // of an object that stands here
	slot     int   // where the value goes; -1: nowhere
	wanted   bool  // it, or something in it
	opaque   bool  // it stands for all names of which nothing is known
	children []*node
	unknown  int   // how many of them are not wanted
	other    *node // of an object here: what there was no room for

	count uint64          // how often it came
	from  int             // where the object that is being read begins
	steps [maxSteps]*step // from its value to what followed, the likeliest first
}

// The names remembered in one place, in all places that are not wanted, and their
// length, are bounded: they come from the input.
const (
	maxNames      = 64
	maxNested     = 512
	maxNameLength = 64
)

// newRoot returns the place of the whole record.
func newRoot() *node { return &node{slot: -1, depth: 1, wanted: true} }

// add makes sure that the dotted path is wanted, and returns its slot.
func (n *node) add(path string, slots *int) int {
	for name := range strings.SplitSeq(path, ".") {
		child := n.child([]byte(name))
		if child == nil {
			child = n.append(name)
			child.wanted = true
		}
		n = child
	}
	if n.slot < 0 {
		n.slot = *slots
		*slots++
	}
	return n.slot
}

// clone returns a tree of the same wanted paths, below another parent.
func (n *node) clone(parent *node) *node {
	c := &node{name: n.name, parent: parent, depth: n.depth, slot: n.slot, wanted: n.wanted}
	for _, child := range n.children {
		c.children = append(c.children, child.clone(c))
	}
	return c
}

func (n *node) append(name string) *node {
	child := &node{name: name, parent: n, depth: n.depth + 1, slot: -1}
	n.children = append(n.children, child)
	return child
}

func (n *node) child(key []byte) *node {
	for _, c := range n.children {
		if c.name == string(key) {
			return c
		}
	}
	return nil
}

// others returns the place of the names in n's object that there is no room for.
func (n *node) others() *node {
	if n.other == nil {
		n.other = &node{parent: n, depth: n.depth + 1, slot: -1, opaque: true}
	}
	return n.other
}

// step is what has stood between two values: the end of objects, a name, the beginning
// of others. Most calls come from the same few programs, which write the same names in
// the same order, so that a comparison takes the place of reading: what has been read
// from a place on once is read alike again.
type step struct {
	head, mask [headWords]uint64 // the text's first bytes, and which of these there are
	text       []byte
	to         *node // whose value follows; nil: the record ends
	quoted     bool  // the value is a string, whose quote ends the text
	passed     []passage
}

// passage is the beginning or the end of an object, in a step, that is of interest.
type passage struct {
	of     *node
	at     int // in the step's text
	begins bool
}

// pass notes that an object begins or ends at a place in the step, if that is of interest.
func (st *step) pass(n *node, at int, begins bool) {
	if n.slot >= 0 || begins && !n.wanted {
		st.passed = append(st.passed, passage{n, at, begins})
	}
}

// The steps remembered from one place, and their length, are bounded. A new one takes
// the place of the least likely.
const (
	maxSteps      = 8
	maxStepLength = 256
	headWords     = 4
	headSize      = 8 * headWords
)

// take returns the step with which data goes on after n's value; nil if none is known.
func (n *node) take(data []byte) *step {
	if len(data) < headSize { // no text has zeros in it
		var end [headSize]byte
		copy(end[:], data)
		return n.find(&end, data)
	}
	return n.find((*[headSize]byte)(data), data)
}

func (n *node) find(head *[headSize]byte, data []byte) *step {
	a, b := binary.LittleEndian.Uint64(head[0:]), binary.LittleEndian.Uint64(head[8:])
	c, d := binary.LittleEndian.Uint64(head[16:]), binary.LittleEndian.Uint64(head[24:])
	for i, st := range &n.steps {
		if st == nil {
			break
		}
		if (a^st.head[0])&st.mask[0]|(b^st.head[1])&st.mask[1]|(c^st.head[2])&st.mask[2]|(d^st.head[3])&st.mask[3] == 0 && st.fits(data) {
			if i > 0 {
				n.steps[i], n.steps[i-1] = n.steps[i-1], st
			}
			return st
		}
	}
	return nil
}

// fits reports whether data, which begins with the step's head, goes on as it does.
func (st *step) fits(data []byte) bool {
	size := len(st.text)
	if size > headSize && !bytes.HasPrefix(data[headSize:], st.text[headSize:]) {
		return false
	}
	switch {
	case st.quoted:
		return true
	case st.to == nil:
		return len(data) == size
	}
	return len(data) > size && data[size] > ' ' && (data[size] != '{' || st.to.opaque) // a step leads over white space, and into an object
}

// learn remembers a step from n's value.
func (n *node) learn(text []byte, st *step) {
	if len(text) > maxStepLength {
		return
	}
	i := 0
	for i < maxSteps-1 && n.steps[i] != nil {
		i++
	}
	if n.steps[i] == nil {
		n.steps[i] = new(step)
	}
	known := n.steps[i]
	known.text, known.passed = append(known.text[:0], text...), append(known.passed[:0], st.passed...)
	known.to, known.quoted = st.to, st.quoted
	var head, mask [headSize]byte
	copy(head[:], text)
	for i := range min(headSize, len(text)) {
		mask[i] = 0xFF
	}
	for i := range known.head {
		known.head[i], known.mask[i] = binary.LittleEndian.Uint64(head[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
}
