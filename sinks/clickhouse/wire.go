package clickhouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/facesoft/lapse/sinks"
)

// wireInput is a block in the shape in which the native client sends it: the
// policy's columns, which are encoded already, and those of originColumns. The columns
// are the block's with its rows in the given order; nil if that is the block's own.
func wireInput(b *sinks.Block, columns []sinks.Column, order []uint16) proto.Input {
	input := make(proto.Input, 0, len(columns)+len(originColumns))
	for i := range columns {
		c := &columns[i]
		input = append(input, proto.InputColumn{Name: c.Name, Data: &wireColumn{c.Type, c.Nulls, c.Data, c.Dictionary, b.Rows()}})
	}
	return append(input, originInput(b, order)...)
}

// originInput encodes the columns of originColumns.
func originInput(b *sinks.Block, order []uint16) proto.Input {
	n := b.Rows()
	records := make([]byte, 0, 16*n)
	sources, positions, batches := make([]byte, 0, 8*n), make([]byte, 0, 8*n), make([]byte, 0, 4*n)
	for i := range n {
		if order != nil {
			i = int(order[i])
		}
		// A UUID is two little-endian words, the more significant one first.
		records = binary.LittleEndian.AppendUint64(records, binary.BigEndian.Uint64(b.Records[i][:8]))
		records = binary.LittleEndian.AppendUint64(records, binary.BigEndian.Uint64(b.Records[i][8:]))
		sources = binary.LittleEndian.AppendUint64(sources, b.Source)
		positions = binary.LittleEndian.AppendUint64(positions, b.Positions[i])
		batches = binary.LittleEndian.AppendUint32(batches, b.Batches[i])
	}
	return proto.Input{
		{Name: recordColumn, Data: &wireColumn{"UUID", nil, records, nil, n}},
		{Name: sourceColumn, Data: &wireColumn{"UInt64", nil, sources, nil, n}},
		{Name: positionColumn, Data: &wireColumn{"UInt64", nil, positions, nil, n}},
		{Name: batchColumn, Data: &wireColumn{"UInt32", nil, batches, nil, n}},
	}
}

// wireColumn is a column that is encoded already.
type wireColumn struct {
	kind       string
	nulls      []byte
	data       []byte
	dictionary *sinks.Dictionary
	rows       int
}

var (
	_ proto.ColInput     = (*wireColumn)(nil)
	_ proto.StateEncoder = (*wireColumn)(nil)
)

func (c *wireColumn) Type() proto.ColumnType { return proto.ColumnType(c.kind) }
func (c *wireColumn) Rows() int              { return c.rows }

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
	if c.dictionary != nil {
		c.encodeKeys(b)
		b.PutInt64(int64(c.rows))
	}
	b.Buf = append(b.Buf, c.nulls...)
	b.Buf = append(b.Buf, c.data...)
}

func (c *wireColumn) WriteColumn(w *proto.Writer) {
	if c.dictionary != nil {
		w.ChainBuffer(func(b *proto.Buffer) {
			c.encodeKeys(b)
			b.PutInt64(int64(c.rows))
		})
	}
	w.ChainWrite(c.nulls)
	w.ChainWrite(c.data)
}

func (c *wireColumn) encodeKeys(b *proto.Buffer) {
	b.PutInt64(bringsKeys | twoByteNumbers)
	b.PutInt64(int64(c.dictionary.Len()))
	if len(c.dictionary.Keys) == 0 {
		c.dictionary.Reset() // it holds the empty string
	}
	b.Buf = append(b.Buf, c.dictionary.Keys...)
}
