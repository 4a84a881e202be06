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
	slots  []keySlot  // hash table of the values
}

// keyPlace is where a value stands in Keys, without its length.
type keyPlace struct{ from, to uint32 }

// keySlot is the place of a value in the hash table, with all of a short value: to find one
// that is known takes a look at one line of the processor's cache.
type keySlot struct {
	ends   ends
	from   uint32 // in Keys
	number uint16 // 0: the slot is free
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
	if n >= 8 {
		return ends{binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[n-8:]), uint32(n)}
	}
	var all uint64
	if cap(v) >= 8 { // most are parts of a text
		all = binary.LittleEndian.Uint64(v[:8]) & (1<<(8*n&63) - 1)
	} else {
		for i, c := range v {
			all |= uint64(c) << (8 * i & 63)
		}
	}
	return ends{all, all, uint32(n)}
}

// dictionarySeed makes the table's order unknown to senders.
var (
	dictionarySeed = maphash.MakeSeed()
	seeds          = [3]uint64{maphash.Bytes(dictionarySeed, nil), maphash.Bytes(maphash.MakeSeed(), nil), maphash.Bytes(maphash.MakeSeed(), nil)}
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
	d.places = append(d.places[:0], keyPlace{1, 1})
	clear(d.slots)
}

// index returns the number of a value, which it adds if it is new. A Block has no
// more than MaxRows rows, so the numbers do not run out.
func (d *Dictionary) index(value []byte) uint16 {
	if len(value) == 0 {
		return 0
	}
	e := endsOf(value)
	if e.length > shortValue {
		return d.find(value, e, hashLong(value))
	}
	hash := e.hash()
	if at := hash & uint64(len(d.slots)-1); at < uint64(len(d.slots)) && d.slots[at].ends == e { // nearly always
		return d.slots[at].number
	}
	return d.find(value, e, hash)
}

// find looks for a value from the slot on that its hash tells, and adds it if it is new.
func (d *Dictionary) find(value []byte, e ends, hash uint64) uint16 {
	mask := uint64(len(d.slots) - 1)
	for at := hash & mask; at < uint64(len(d.slots)); at = (at + 1) & mask {
		s := &d.slots[at]
		if s.ends == e && (e.length <= shortValue || string(d.Keys[s.from:s.from+e.length]) == string(value)) {
			return s.number
		}
		if s.number == 0 {
			break
		}
	}
	return d.add(value, e, hash)
}

// add adds a value that is new.
func (d *Dictionary) add(value []byte, e ends, hash uint64) uint16 {
	if len(d.places) == 0 {
		d.Reset()
	}
	if 2*d.Len() >= len(d.slots) {
		d.grow()
	}
	n := uint16(d.Len())
	d.Keys = binary.AppendUvarint(d.Keys, uint64(len(value)))
	from := uint32(len(d.Keys))
	d.Keys = append(d.Keys, value...)
	d.places = append(d.places, keyPlace{from, uint32(len(d.Keys))})
	d.enter(keySlot{e, from, n}, hash)
	return n
}

// enter puts a value that is new into a free slot.
func (d *Dictionary) enter(s keySlot, hash uint64) {
	mask := uint64(len(d.slots) - 1)
	at := hash & mask
	for d.slots[at].number != 0 {
		at = (at + 1) & mask
	}
	d.slots[at] = s
}

func (d *Dictionary) grow() {
	old := d.slots
	d.slots = make([]keySlot, max(2*len(old), firstSlots))
	for _, s := range old {
		if s.number == 0 {
			continue
		}
		hash := s.ends.hash()
		if s.ends.length > shortValue {
			hash = hashLong(d.key(s.number))
		}
		d.enter(s, hash)
	}
}

// hash is that of a short value. Nobody foresees it who does not know the seeds.
func (e ends) hash() uint64 { return mix(e.first^seeds[0], e.last^uint64(e.length)^seeds[1]) }

// mix is the step of wyhash: both halves of a product.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// hashLong is the hash of a value that is not short. Those of up to three times that
// length, as addresses of pages and identifiers are, are read here, in three parts.
func hashLong(v []byte) uint64 {
	n := len(v)
	if n > 3*shortValue {
		return maphash.Bytes(dictionarySeed, v)
	}
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(v[at:]) }
	middle := min(shortValue, n-shortValue)
	return mix(word(0)^seeds[0], word(8)^uint64(n)^seeds[1]) ^
		mix(word(middle)^seeds[1], word(middle+8)^seeds[2]) ^
		mix(word(n-16)^seeds[2], word(n-8)^seeds[0])
}

// key returns the value with number n, which is not 0.
func (d *Dictionary) key(n uint16) []byte {
	p := d.places[n]
	return d.Keys[p.from:p.to]
}
