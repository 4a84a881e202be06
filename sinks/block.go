package sinks

import (
	"encoding/binary"
	"math"
	"slices"
)

// MaxRows is how many rows a Block may have.
const MaxRows = 1<<16 - 1

// Block is a batch of up to MaxRows rows of one personal dataset, column by column, in the
// encoding of ClickHouse's native format, so that it is written to the wire
// without another copy. Beside the policy's columns each row carries where it
// came from, which makes storing it again recognisable.
type Block struct {
	Dataset   string
	Columns   []*Column
	Days      []Day    // UTC day of each row's event time
	Records   []ID     // identity of each row: equal for a record and its copies
	Positions []uint64 // byte offset of each row's record in its decompressed source
	Batches   []uint32 // batch of each row's partition
	Source    uint64   // of all rows: the first 64 bits of the source's digest
}

// Rows returns the number of rows.
func (b *Block) Rows() int { return len(b.Days) }

// Reset empties b for reuse.
func (b *Block) Reset() {
	b.Days, b.Records, b.Positions, b.Batches = b.Days[:0], b.Records[:0], b.Positions[:0], b.Batches[:0]
	for _, c := range b.Columns {
		c.reset()
	}
}

// Clone returns an empty block of the same columns.
func (b *Block) Clone() *Block {
	clone := &Block{Dataset: b.Dataset, Source: b.Source}
	for _, c := range b.Columns {
		column := &Column{Name: c.Name, Type: c.Type, Width: c.Width, Nullable: c.Nullable, shortened: c.shortened}
		if c.Dictionary != nil {
			column.Dictionary = new(Dictionary)
		}
		clone.Columns = append(clone.Columns, column)
	}
	return clone
}

// Swap exchanges the rows of two blocks of the same columns; whoever holds a
// column of one of them goes on with the other's rows.
func (b *Block) Swap(other *Block) {
	for i, c := range b.Columns {
		*c, *other.Columns[i] = *other.Columns[i], *c
	}
	b.Days, other.Days = other.Days, b.Days
	b.Records, other.Records = other.Records, b.Records
	b.Positions, other.Positions = other.Positions, b.Positions
	b.Batches, other.Batches = other.Batches, b.Batches
}

// Filter keeps the rows for which keep is true.
func (b *Block) Filter(keep []bool) {
	if slices.Contains(keep, false) {
		b.split(keep, nil)
	}
}

// Move moves the rows for which moved is true to the end of another block of the
// same columns.
func (b *Block) Move(moved []bool, to *Block) {
	keep := make([]bool, len(moved))
	for i, m := range moved {
		keep[i] = !m
	}
	b.split(keep, to)
}

// split keeps some rows; the others go to the end of rest, if that is not nil.
func (b *Block) split(keep []bool, rest *Block) {
	ends := runsOf(keep)
	for i, c := range b.Columns {
		if rest == nil {
			c.split(ends, nil)
		} else {
			c.split(ends, rest.Columns[i])
		}
	}
	n := 0
	for i, k := range keep {
		if k {
			b.Days[n], b.Records[n], b.Positions[n] = b.Days[i], b.Records[i], b.Positions[i]
			n++
		} else if rest != nil {
			rest.Days, rest.Records, rest.Positions = append(rest.Days, b.Days[i]), append(rest.Records, b.Records[i]), append(rest.Positions, b.Positions[i])
		}
	}
	b.Days, b.Records, b.Positions = b.Days[:n], b.Records[:n], b.Positions[:n]
}

// Column holds the values of one column of a Block: little-endian numbers of
// Width bytes, or, if Width is 0, strings, each preceded by its length as an
// unsigned varint. A Nullable column has a byte a row in Nulls, 1 for NULL. A
// column with a Dictionary has strings that are numbers of two bytes.
type Column struct {
	Name     string
	Type     string // such as DateTime64(3, 'UTC')
	Width    int
	Nullable bool
	Data     []byte
	Nulls    []byte
	// Dictionary is that of a LowCardinality(String), or of a String that is shortened,
	// whose Width is then 2.
	Dictionary *Dictionary

	shortened bool
	last      int // where the last string begins
}

// Shorten lets an empty column of type String have a Dictionary for as long as its values
// come several times each, as those of a user agent do: they are held, sorted and sent
// once then. What is stored is the same.
func (c *Column) Shorten() {
	c.Width, c.Dictionary, c.shortened = 2, new(Dictionary), true
}

// WireType is the type as which the values are encoded. ClickHouse makes Type of it.
func (c *Column) WireType() string {
	if c.shortened && c.Dictionary != nil {
		return "LowCardinality(" + c.Type + ")"
	}
	return c.Type
}

// What it takes to know that a Dictionary does not shorten a column.
const (
	rowsToJudge = 1 << 10
	leastCopies = 4 // of a value, on average
)

// reset empties the column for reuse.
func (c *Column) reset() {
	if rows := len(c.Data) / 2; c.shortened && c.Dictionary != nil && rows >= rowsToJudge && leastCopies*c.Dictionary.Len() > rows {
		c.Width, c.Dictionary = 0, nil
	}
	c.Data, c.Nulls = c.Data[:0], c.Nulls[:0]
	if c.Dictionary != nil {
		c.Dictionary.Reset()
	}
}

// AppendString appends a string.
func (c *Column) AppendString(s []byte) {
	if c.Dictionary != nil {
		c.Data = binary.LittleEndian.AppendUint16(c.Data, c.Dictionary.index(s))
		return
	}
	c.last = len(c.Data)
	if len(s) < 0x80 { // most are short
		c.Data = append(append(c.Data, byte(len(s))), s...)
		return
	}
	c.Data = append(binary.AppendUvarint(c.Data, uint64(len(s))), s...)
}

// AppendUint appends the low Width bytes of v, which also carry signed numbers.
func (c *Column) AppendUint(v uint64) {
	switch c.Width {
	case 1:
		c.Data = append(c.Data, byte(v))
	case 2:
		c.Data = binary.LittleEndian.AppendUint16(c.Data, uint16(v))
	case 4:
		c.Data = binary.LittleEndian.AppendUint32(c.Data, uint32(v))
	default:
		c.Data = binary.LittleEndian.AppendUint64(c.Data, v)
	}
	if c.Nullable {
		c.Nulls = append(c.Nulls, 0)
	}
}

// AppendID appends a UUID to a column of 16 bytes.
func (c *Column) AppendID(id ID) { c.Data = AppendID(c.Data, id) }

// AppendID appends a UUID in the encoding of a column: two little-endian words, the more
// significant one first.
func AppendID(to []byte, id ID) []byte {
	to = binary.LittleEndian.AppendUint64(to, binary.BigEndian.Uint64(id[:8]))
	return binary.LittleEndian.AppendUint64(to, binary.BigEndian.Uint64(id[8:]))
}

// AppendFloat appends a floating-point number of Width bytes.
func (c *Column) AppendFloat(v float64) {
	if c.Width == 4 {
		c.AppendUint(uint64(math.Float32bits(float32(v))))
		return
	}
	c.AppendUint(math.Float64bits(v))
}

// AppendDefault appends NULL to a Nullable column and the type's zero value, or
// the empty string, to any other.
func (c *Column) AppendDefault() {
	if c.Width == 0 {
		c.AppendString(nil)
		return
	}
	c.AppendUint(0)
	if c.Nullable {
		c.Nulls[len(c.Nulls)-1] = 1
	}
}

// RemoveLast takes the last value away again. It may be called once between two
// appends.
func (c *Column) RemoveLast() {
	if c.Width == 0 {
		c.Data = c.Data[:c.last]
		return
	}
	c.Data = c.Data[:len(c.Data)-c.Width]
	if c.Nullable {
		c.Nulls = c.Nulls[:len(c.Nulls)-1]
	}
}

// CopyTo appends the rows for which chosen is true to another block of the same columns.
func (b *Block) CopyTo(chosen []bool, to *Block) {
	for i, c := range b.Columns {
		c.each(func(row int, value []byte) {
			if !chosen[row] {
				return
			}
			to.Columns[i].appendRaw(c, value)
			if c.Nullable {
				to.Columns[i].Nulls = append(to.Columns[i].Nulls, c.Nulls[row])
			}
		})
	}
	for i, k := range chosen {
		if k {
			to.Days, to.Records = append(to.Days, b.Days[i]), append(to.Records, b.Records[i])
			to.Positions, to.Batches = append(to.Positions, b.Positions[i]), append(to.Batches, b.Batches[i])
		}
	}
}

// EachText calls do with the texts of a column of strings, in the order of the rows. They
// are valid until the next one.
func (c *Column) EachText(do func(row int, text []byte)) {
	c.each(func(row int, value []byte) {
		if c.Dictionary == nil {
			_, prefix := binary.Uvarint(value)
			do(row, value[prefix:])
			return
		}
		if n := binary.LittleEndian.Uint16(value); n == 0 {
			do(row, nil)
		} else {
			do(row, c.Dictionary.key(n))
		}
	})
}

// each calls do with the values of a column as they are encoded.
func (c *Column) each(do func(row int, value []byte)) {
	for row, from := 0, 0; from < len(c.Data); row++ {
		size := c.sizeAt(from)
		do(row, c.Data[from:from+size])
		from += size
	}
}

// runsOf returns where each run of rows ends that are kept, and that are not, by turns;
// the first are kept.
func runsOf(keep []bool) (ends []int) {
	kept := true
	for i, k := range keep {
		if k != kept {
			ends, kept = append(ends, i), k
		}
	}
	return append(ends, len(keep))
}

// split copies what is kept as a run of values at a time.
func (c *Column) split(ends []int, rest *Column) {
	to, nulls, row, at := 0, 0, 0, 0
	for i, end := range ends {
		first, from := row, at
		if row = end; c.Width > 0 {
			at = end * c.Width
		} else {
			for range end - first {
				at += c.sizeAt(at)
			}
		}
		switch kept := i%2 == 0; {
		case kept:
			to += copy(c.Data[to:], c.Data[from:at])
			if c.Nullable {
				nulls += copy(c.Nulls[nulls:], c.Nulls[first:end])
			}
		case rest != nil:
			for from < at {
				size := c.sizeAt(from)
				rest.appendRaw(c, c.Data[from:from+size])
				from += size
			}
			if c.Nullable {
				rest.Nulls = append(rest.Nulls, c.Nulls[first:end]...)
			}
		}
	}
	c.Data, c.Nulls = c.Data[:to], c.Nulls[:nulls]
}

// sizeAt returns how many bytes the value takes that begins at a place.
func (c *Column) sizeAt(at int) int {
	switch {
	case c.Width > 0:
		return c.Width
	case c.Data[at] < 0x80: // most are short
		return 1 + int(c.Data[at])
	}
	length, prefix := binary.Uvarint(c.Data[at:])
	return prefix + int(length)
}

// appendRaw appends a value that is encoded as in from.
func (c *Column) appendRaw(from *Column, value []byte) {
	switch {
	case from.Dictionary != nil:
		if n := binary.LittleEndian.Uint16(value); n != 0 {
			c.AppendString(from.Dictionary.key(n))
		} else {
			c.AppendString(nil)
		}
	case c.Dictionary != nil:
		_, prefix := binary.Uvarint(value)
		c.AppendString(value[prefix:])
	default:
		c.Data = append(c.Data, value...)
	}
}
