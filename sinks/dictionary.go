package sinks

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math/bits"
)

// Dictionary holds the distinct values of a column of a Block, so that a value
// that comes often is sent once and for the rest as a number of two bytes. Value 0
// is the empty string. The zero Dictionary is ready for use.
type Dictionary struct {
	Keys []byte // the values in order, each preceded by its length as an unsigned varint

	places []keyPlace // of the values
	slots  []uint16   // hash table of the numbers of values; 0 is a free slot
}

// keyPlace is where a value stands in Keys, without its length, and its two ends, which
// are all of a short one.
type keyPlace struct {
	ends     ends
	from, to uint32
}

// ends are the first and the last bytes of a value, and its length: together they are all
// of a value of up to shortValue bytes.
type ends struct {
	first, last uint64
	length      uint32
}

const shortValue = 16

func endsOf(v []byte) ends {
	n := len(v)
	switch {
	case n >= 8:
		return ends{binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[n-8:]), uint32(n)}
	case n >= 4:
		return ends{uint64(binary.LittleEndian.Uint32(v)), uint64(binary.LittleEndian.Uint32(v[n-4:])), uint32(n)}
	}
	return ends{first: uint64(v[0]) | uint64(v[n/2])<<8 | uint64(v[n-1])<<16, length: uint32(n)}
}

// dictionarySeed makes the table's order unknown to senders.
var (
	dictionarySeed = maphash.MakeSeed()
	shortSeeds     = [2]uint64{maphash.Bytes(dictionarySeed, nil), maphash.Bytes(maphash.MakeSeed(), nil)}
)

const firstSlots = 64

// Len returns the number of values.
func (d *Dictionary) Len() int { return max(len(d.places), 1) }

// Values returns the values in the order of their numbers. They may not be changed.
func (d *Dictionary) Values() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		more := yield(nil)
		for n := 1; more && n < d.Len(); n++ {
			more = yield(d.key(uint16(n)))
		}
	}
}

// Reset forgets all values but the empty string.
func (d *Dictionary) Reset() {
	d.Keys = append(d.Keys[:0], 0)
	d.places = append(d.places[:0], keyPlace{from: 1, to: 1})
	clear(d.slots)
}

// index returns the number of a value, which it adds if it is new. A Block has no
// more than MaxRows rows, so the numbers do not run out.
func (d *Dictionary) index(value []byte) uint16 {
	if len(value) == 0 {
		return 0
	}
	if len(d.places) == 0 {
		d.Reset()
	}
	if 2*d.Len() >= len(d.slots) {
		d.grow()
	}
	e := endsOf(value)
	slot := d.find(value, e)
	if n := d.slots[slot]; n != 0 {
		return n
	}
	n := uint16(d.Len())
	d.Keys = binary.AppendUvarint(d.Keys, uint64(len(value)))
	from := uint32(len(d.Keys))
	d.Keys = append(d.Keys, value...)
	d.places = append(d.places, keyPlace{e, from, uint32(len(d.Keys))})
	d.slots[slot] = n
	return n
}

// find returns the slot that has the value's number, or the free one it belongs in.
func (d *Dictionary) find(value []byte, e ends) uint64 {
	mask := uint64(len(d.slots) - 1)
	for slot := hashValue(value, e) & mask; ; slot = (slot + 1) & mask {
		n := d.slots[slot]
		if n == 0 || d.places[n].ends == e && (e.length <= shortValue || string(d.key(n)) == string(value)) {
			return slot
		}
	}
}

// hashValue is quick for short values, which most are: a product of the value's two
// ends, as in wyhash, that nobody foresees who does not know the seeds.
func hashValue(v []byte, e ends) uint64 {
	if e.length > shortValue {
		return maphash.Bytes(dictionarySeed, v)
	}
	high, low := bits.Mul64(e.first^shortSeeds[0], e.last^uint64(e.length)^shortSeeds[1])
	return high ^ low
}

// key returns the value with number n, which is not 0.
func (d *Dictionary) key(n uint16) []byte {
	p := d.places[n]
	return d.Keys[p.from:p.to]
}

func (d *Dictionary) grow() {
	d.slots = make([]uint16, max(4*len(d.slots), firstSlots))
	for n := 1; n < d.Len(); n++ {
		d.slots[d.find(d.key(uint16(n)), d.places[n].ends)] = uint16(n)
	}
}
