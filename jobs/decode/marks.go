package decode

import (
	"encoding/binary"
	"math/bits"
)

// marks knows where the strings of a text may end: a bit for each byte that is a
// quote, a backslash or a control character, and for all behind the text's end. It
// looks at a window of the text at a time, for most records all of it. That is the
// first of the two passes of simdjson (Langdale and Lemire, 2019), for quotes alone.
type marks struct {
	from    int                             // where the window begins in the text
	bits    [windowSize/8 + blockSize]uint8 // and what makes the last read whole
	foreign bool                            // a byte of the windows so far is not ASCII
	last    [blockSize]byte
}

const (
	blockSize  = 64 // bytes of text that are looked at together
	windowSize = 4096
	reach      = 64 - 7 // bytes whose marks one read tells at least
)

// look looks at the window of data that begins with the byte at.
func (m *marks) look(data []byte, at int) {
	m.from = at
	rest := data[min(at, len(data)):]
	blocks := min(len(rest), windowSize) / blockSize
	if mark(rest, m.bits[:8*blocks]) {
		m.foreign = true
	}
	if blocks == windowSize/blockSize {
		return
	}
	clear(m.last[:]) // what is behind the end is marked
	copy(m.last[:], rest[blocks*blockSize:])
	if mark(m.last[:], m.bits[8*blocks:8*blocks+8]) {
		m.foreign = true
	}
	binary.LittleEndian.PutUint64(m.bits[8*blocks+8:], ^uint64(0))
}

// near returns where the next marked byte is, from at on. If it is further away than
// one read tells, or outside of the window, the result is not ok.
func (m *marks) near(at int) (next int, ok bool) {
	i := uint(at - m.from)
	if i >= windowSize-reach {
		return at, false
	}
	word := binary.LittleEndian.Uint64(m.bits[i/8:]) >> (i % 8)
	return at + bits.TrailingZeros64(word), word != 0
}

// next returns where the next marked byte is, from at on.
func (m *marks) next(data []byte, at int) int {
	for {
		if next, ok := m.near(at); ok {
			return next
		}
		if uint(at-m.from) >= windowSize-reach {
			m.look(data, at)
		} else {
			at += reach
		}
	}
}

// Eight bytes at a time: each constant holds one byte eight times.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	lows   = 0x7F * ones
	quotes = '"' * ones
	slants = '\\' * ones
	gather = 0x0102040810204080 // brings the lowest bits of eight bytes together in the highest byte
)

// markPlainly marks as many bytes of data as there are bits in marks, and reports
// whether any of them is not ASCII.
func markPlainly(data []byte, marks []uint8) (foreign bool) {
	var all uint64
	for i := range marks {
		eight := binary.LittleEndian.Uint64(data[8*i:])
		all |= eight
		low := eight & lows // no sum below carries into the next byte
		other := (low ^ quotes + lows) & (low ^ slants + lows) & (low + (0x80-' ')*ones)
		marks[i] = uint8((^(other | eight) & highs >> 7) * gather >> 56)
	}
	return all&highs != 0
}
