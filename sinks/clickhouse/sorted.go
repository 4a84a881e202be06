package clickhouse

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/facesoft/lapse/sinks"
)

// sorting puts the rows of blocks into the order in which their table keeps them.
// ClickHouse finds that they are, and neither sorts them nor copies them once more,
// which costs it several times as much: it compares rows, and here most values are
// numbers of a dictionary already. Where the order is not found here, it sorts.
type sorting struct {
	rows, other []uint16 // of a block, in order
	keys        []uint64
	ranks       []uint16
	counts      []uint32
	starts      []uint32 // where each string of a column begins
	buffer      []byte   // what is being sent
}

// sortings are those that are not in use.
type sortings struct {
	sync.Mutex
	idle []*sorting
}

func (p *sortings) take() *sorting {
	p.Lock()
	defer p.Unlock()
	n := len(p.idle)
	if n == 0 {
		return new(sorting)
	}
	s := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return s
}

func (p *sortings) giveBack(s *sorting) {
	p.Lock()
	defer p.Unlock()
	p.idle = append(p.idle, s)
}

// block returns b as it is to be sent, with its rows in the order of t where that can be
// found here. It is valid until the next call.
func (s *sorting) block(t *table, b *sinks.Block) *wireBlock {
	w := &wireBlock{Block: b, sorting: s}
	if s.order(t, b) {
		w.order = s.rows
	}
	return w
}

// order finds the order of the rows by the table's sorting key: by one of its columns
// after the other, the last first, each time leaving in order what is equal.
func (s *sorting) order(t *table, b *sinks.Block) bool {
	if t.dataset == nil || b.Rows() < 2 || !s.byTime(columnOf(b, t.Time)) {
		return false
	}
	for _, name := range slices.Backward(t.dataset.OrderBy) {
		if !s.byColumn(columnOf(b, name)) {
			return false
		}
	}
	return true
}

func columnOf(b *sinks.Block, name string) *sinks.Column {
	for _, c := range b.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// byTime orders rows by milliseconds.
func (s *sorting) byTime(c *sinks.Column) bool {
	if c == nil || c.Width != 8 || c.Nullable {
		return false
	}
	n := len(c.Data) / 8
	s.keys, s.rows = s.keys[:0], slices.Grow(s.rows[:0], n)[:n]
	for i := range n {
		at := binary.LittleEndian.Uint64(c.Data[8*i:])
		if at >= 1<<48 { // no day of a table is that late, or before 1970
			return false
		}
		s.keys = append(s.keys, at<<16|uint64(i))
	}
	slices.Sort(s.keys)
	for i, key := range s.keys {
		s.rows[i] = uint16(key)
	}
	return true
}

// byColumn orders rows by a column of few values, leaving in order what is equal.
func (s *sorting) byColumn(c *sinks.Column) bool {
	switch {
	case c == nil || c.Nullable:
		return false
	case c.Dictionary != nil:
		s.rankKeys(c.Dictionary)
		s.count(len(s.ranks), func(row uint16) uint16 { return s.ranks[binary.LittleEndian.Uint16(c.Data[2*int(row):])] })
	case c.Width == 1 && c.Type != "Int8":
		s.count(1<<8, func(row uint16) uint16 { return uint16(c.Data[row]) })
	case c.Width == 2 && c.Type != "Int16":
		s.count(1<<16, func(row uint16) uint16 { return binary.LittleEndian.Uint16(c.Data[2*int(row):]) })
	default:
		return false
	}
	return true
}

// rankKeys finds the places of a dictionary's values in their order.
func (s *sorting) rankKeys(d *sinks.Dictionary) {
	values := slices.Collect(d.Values())
	order := make([]uint16, len(values))
	for i := range order {
		order[i] = uint16(i)
	}
	slices.SortFunc(order, func(x, y uint16) int { return bytes.Compare(values[x], values[y]) })
	s.ranks = slices.Grow(s.ranks[:0], len(order))[:len(order)]
	for rank, n := range order {
		s.ranks[n] = uint16(rank)
	}
}

// count orders the rows by numbers below limit.
func (s *sorting) count(limit int, number func(row uint16) uint16) {
	s.counts = slices.Grow(s.counts[:0], limit)[:limit]
	clear(s.counts)
	for _, row := range s.rows {
		s.counts[number(row)]++
	}
	place := uint32(0)
	for i, n := range s.counts {
		s.counts[i] = place
		place += n
	}
	s.other = slices.Grow(s.other[:0], len(s.rows))[:len(s.rows)]
	for _, row := range s.rows {
		n := number(row)
		s.other[s.counts[n]] = row
		s.counts[n]++
	}
	s.rows, s.other = s.other, s.rows
}

// appendColumn appends a column's values in the order of the rows.
func (s *sorting) appendColumn(to []byte, c *sinks.Column) []byte {
	to = slices.Grow(to, len(c.Nulls)+len(c.Data))
	if c.Nullable {
		for _, row := range s.rows {
			to = append(to, c.Nulls[row])
		}
	}
	switch c.Width {
	case 0:
		return s.appendStrings(to, c.Data)
	case 1:
		for _, row := range s.rows {
			to = append(to, c.Data[row])
		}
		return to
	}
	return appendNumbers(to, c.Data, s.rows, c.Width)
}

func (s *sorting) appendStrings(to, from []byte) []byte {
	s.starts = s.starts[:0]
	for at := 0; at < len(from); {
		s.starts = append(s.starts, uint32(at))
		if n := from[at]; n < 0x80 { // most are short
			at += 1 + int(n)
			continue
		}
		length, prefix := binary.Uvarint(from[at:])
		at += prefix + int(length)
	}
	s.starts = append(s.starts, uint32(len(from)))
	for _, row := range s.rows {
		to = append(to, from[s.starts[row]:s.starts[row+1]]...)
	}
	return to
}

func appendNumbers(to, from []byte, rows []uint16, width int) []byte {
	for _, row := range rows {
		at := int(row) * width
		switch width {
		case 2:
			to = append(to, from[at], from[at+1])
		case 4:
			to = binary.LittleEndian.AppendUint32(to, binary.LittleEndian.Uint32(from[at:]))
		case 8:
			to = binary.LittleEndian.AppendUint64(to, binary.LittleEndian.Uint64(from[at:]))
		default:
			to = append(to, from[at:at+width]...)
		}
	}
	return to
}
