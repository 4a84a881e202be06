package clickhouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/facesoft/lapse/sinks"
)

// wireBlock is a block in the shape in which the native client sends it: the policy's
// columns, which are encoded already, and those of originColumns. Each column is put in
// order when it is its turn, and sent soon, so that there is never a second copy of all.
type wireBlock struct {
	*sinks.Block
	sorting *sorting
	order   []uint16 // of the rows; nil if they are sent as they lie
	err     error    // of sending
}

// bufferedBytes is how much is gathered before it is sent.
const bufferedBytes = 1 << 20

// begin forgets an attempt at sending the block.
func (b *wireBlock) begin() { b.sorting.buffer, b.err = b.sorting.buffer[:0], nil }

func (b *wireBlock) input() proto.Input {
	input := make(proto.Input, 0, len(b.Columns)+len(originColumns))
	for _, c := range b.Columns {
		input = append(input, proto.InputColumn{Name: c.Name, Data: &wireColumn{b, c.WireType(), c.Dictionary, func(to []byte) []byte {
			if b.order == nil {
				return append(append(to, c.Nulls...), c.Data...)
			}
			return b.sorting.appendColumn(to, c)
		}}})
	}
	return append(input, b.origin()...)
}

// origin are the columns of originColumns.
func (b *wireBlock) origin() proto.Input {
	column := func(name, kind string, value func(to []byte, row int) []byte) proto.InputColumn {
		return proto.InputColumn{Name: name, Data: &wireColumn{b, kind, nil, func(to []byte) []byte {
			for i := range b.Rows() {
				if b.order != nil {
					i = int(b.order[i])
				}
				to = value(to, i)
			}
			return to
		}}}
	}
	return proto.Input{
		column(recordColumn, "UUID", func(to []byte, row int) []byte {
			return sinks.AppendID(to, b.Records[row])
		}),
		column(sourceColumn, "UInt64", func(to []byte, _ int) []byte {
			return binary.LittleEndian.AppendUint64(to, b.Source)
		}),
		column(positionColumn, "UInt64", func(to []byte, row int) []byte {
			return binary.LittleEndian.AppendUint64(to, b.Positions[row])
		}),
		column(batchColumn, "UInt32", func(to []byte, row int) []byte {
			return binary.LittleEndian.AppendUint32(to, b.Batches[row])
		}),
	}
}

// wireColumn is a column of a wireBlock.
type wireColumn struct {
	block      *wireBlock
	kind       string
	dictionary *sinks.Dictionary
	values     func(to []byte) []byte // appends them in order
}

var (
	_ proto.ColInput     = (*wireColumn)(nil)
	_ proto.StateEncoder = (*wireColumn)(nil)
	_ proto.Preparable   = (*wireColumn)(nil)
)

func (c *wireColumn) Type() proto.ColumnType { return proto.ColumnType(c.kind) }
func (c *wireColumn) Rows() int              { return c.block.Rows() }

// Prepare implements proto.Preparable: nothing may follow what could not be sent.
func (c *wireColumn) Prepare() error { return c.block.err }

// The native format of LowCardinality: the version of the keys' serialisation
// before the column, and before the keys the width of the numbers (two bytes) with
// a note that the block brings its keys itself.
const (
	keysInBlock    = 1
	twoByteNumbers = 1
	bringsKeys     = 1<<9 | 1<<10
)

// EncodeState implements proto.StateEncoder.
func (c *wireColumn) EncodeState(b *proto.Buffer) {
	if c.dictionary != nil {
		b.PutInt64(keysInBlock)
	}
}

func (c *wireColumn) EncodeColumn(b *proto.Buffer) {
	c.encodeKeys(b)
	b.Buf = c.values(b.Buf)
}

func (c *wireColumn) WriteColumn(w *proto.Writer) {
	w.ChainBuffer(c.encodeKeys)
	s := c.block.sorting
	from := len(s.buffer)
	s.buffer = c.values(s.buffer)
	w.ChainWrite(s.buffer[from:])
	if len(s.buffer) >= bufferedBytes {
		if _, err := w.Flush(); err != nil {
			c.block.err = err
		}
		s.buffer = s.buffer[:0]
	}
}

func (c *wireColumn) encodeKeys(b *proto.Buffer) {
	if c.dictionary == nil {
		return
	}
	b.PutInt64(bringsKeys | twoByteNumbers)
	b.PutInt64(int64(c.dictionary.Len()))
	if len(c.dictionary.Keys) == 0 {
		c.dictionary.Reset() // it holds the empty string
	}
	b.Buf = append(b.Buf, c.dictionary.Keys...)
	b.PutInt64(int64(c.block.Rows()))
}
