package decode

import "hash/maphash"

// Recent remembers what was made of texts lately: a few people are most of the traffic.
// Each text has one place, which it shares with others, and the last one has it, so
// that it never grows. It does not hold the texts but 63 bits of a keyed hash of each:
// that a text is taken for the one before it in its place happens once in 10^19 times.
type Recent[V any] struct {
	seed   maphash.Seed
	places []place[V]
}

type place[V any] struct {
	hash  uint64 // 0: nothing is in it
	value V
}

// recentPlaces is how many texts are remembered.
const recentPlaces = 1 << 14

// Find returns the place of a text, and whether what it holds was made of that; if not,
// the caller puts that there.
func (r *Recent[V]) Find(text []byte) (value *V, known bool) {
	if r.places == nil {
		r.seed, r.places = maphash.MakeSeed(), make([]place[V], recentPlaces)
	}
	hash := maphash.Bytes(r.seed, text)
	p := &r.places[hash%recentPlaces]
	known = p.hash == hash|1<<63
	p.hash = hash | 1<<63
	return &p.value, known
}
