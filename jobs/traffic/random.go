package traffic

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// seed derives every choice of a run. Each part of the generator draws from a
// stream of its own, so that a change to one leaves the others as they were.
type seed uint64

// stream names an independent source of chance.
type stream uint64

const (
	peopleStream stream = iota + 1
	telemetryTimes
	telemetryStream
	dirtStream
	accessTimes
	accessStream
	accessDirt
	trainingTimes
	trainingStream
	pixelStream

	messageIDs
	deviceIDs
	anonymousIDs
	passingIDs
	trainingIDs
	loginTokens
)

func (s seed) source(from stream) *rand.Rand {
	high := mix(uint64(s) + mix(uint64(from)))
	return rand.New(rand.NewPCG(high, mix(high)))
}

// uuid is a version 4 UUID; its text form is the usual 36 characters.
type uuid [16]byte

// uuid returns the nth UUID of a stream, so that identifiers which are used
// once can be listed afterwards without having been kept.
func (s seed) uuid(from stream, n uint64) uuid {
	key := mix(uint64(s) + mix(uint64(from)))
	var id uuid
	binary.BigEndian.PutUint64(id[:8], mix(key+n))
	binary.BigEndian.PutUint64(id[8:], mix(mix(key)^n))
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (id uuid) append(b []byte) []byte {
	b = hex.AppendEncode(b, id[0:4])
	b = hex.AppendEncode(append(b, '-'), id[4:6])
	b = hex.AppendEncode(append(b, '-'), id[6:8])
	b = hex.AppendEncode(append(b, '-'), id[8:10])
	return hex.AppendEncode(append(b, '-'), id[10:])
}

func (id uuid) String() string { return string(id.append(nil)) }

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection, so
// that distinct counters give distinct numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func chance(r *rand.Rand, share float64) bool { return r.Float64() < share }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// between returns a number from low to high, both included.
func between(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// weights draws indexes in proportion to whole numbers: integer arithmetic
// gives the same choice on every processor.
type weights []int

// weigh returns the weights of n things; weight(i) must not be negative and
// must be positive for one of them.
func weigh(n int, weight func(i int) int) weights {
	cumulative, sum := make(weights, n), 0
	for i := range cumulative {
		sum += weight(i)
		cumulative[i] = sum
	}
	return cumulative
}

func (w weights) draw(r *rand.Rand) int {
	wanted := r.IntN(w[len(w)-1])
	low, high := 0, len(w)-1
	for low < high {
		middle := (low + high) / 2
		if w[middle] > wanted {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
