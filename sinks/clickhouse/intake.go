package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.Intake = (*Store)(nil)

// Insert implements sinks.Intake. The block goes out as one native block, which
// ClickHouse stores atomically for each partition; the token makes a repetition
// recognisable for each partition by itself.
func (s *Store) Insert(ctx context.Context, b *sinks.Block, token sinks.ID) error {
	t, err := s.table(b.Dataset)
	if err != nil {
		return err
	}
	input := make(proto.Input, 0, len(b.Columns)+len(originColumns))
	for _, c := range b.Columns {
		input = append(input, proto.InputColumn{Name: c.Name, Data: &wireColumn{c.Type, c.Nulls, c.Data, b.Rows()}})
	}
	input = append(input, originInput(b)...)
	names := make([]string, len(input))
	for i, c := range input {
		names[i] = c.Name
	}
	sql, err := render("insert_block", map[string]any{"Table": t, "Columns": names})
	if err != nil {
		return err
	}
	defer s.took("insert_block", time.Now())
	if err := s.writeBlock(ctx, ch.Query{
		Body:     sql,
		Input:    input,
		Settings: []ch.Setting{{Key: "insert_deduplication_token", Value: token.String(), Important: true}},
	}); err != nil {
		return fmt.Errorf("insert into %s: %w", b.Dataset, redactBlock(err))
	}
	return nil
}

// writeBlock sends one block, over a new connection if the last one broke.
func (s *Store) writeBlock(ctx context.Context, q ch.Query) error {
	s.blocks.Lock()
	defer s.blocks.Unlock()
	if s.blocks.client == nil || s.blocks.client.IsClosed() {
		client, err := ch.Dial(ctx, s.blocks.options)
		if err != nil {
			return err
		}
		s.blocks.client = client
	}
	err := s.blocks.client.Do(ctx, q)
	if err != nil { // whatever it was, the connection's state is not known
		err = errors.Join(err, s.blocks.client.Close())
		s.blocks.client = nil
	}
	return err
}

func redactBlock(err error) error {
	if exception, ok := ch.AsException(err); ok {
		return &ServerError{Code: int32(exception.Code), Name: exceptionName("(" + exception.Code.String() + ")")}
	}
	return Redact(err)
}

// table returns the personal table of a dataset, or the quarantine.
func (s *Store) table(dataset string) (*table, error) {
	if t, ok := s.tables[dataset]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("the policy has no dataset %q", dataset)
}

// wireColumn is a column that is encoded already.
type wireColumn struct {
	kind  string
	nulls []byte
	data  []byte
	rows  int
}

var _ proto.ColInput = (*wireColumn)(nil)

func (c *wireColumn) Type() proto.ColumnType { return proto.ColumnType(c.kind) }
func (c *wireColumn) Rows() int              { return c.rows }

func (c *wireColumn) EncodeColumn(b *proto.Buffer) {
	b.Buf = append(b.Buf, c.nulls...)
	b.Buf = append(b.Buf, c.data...)
}

func (c *wireColumn) WriteColumn(w *proto.Writer) {
	w.ChainWrite(c.nulls)
	w.ChainWrite(c.data)
}

// originInput encodes the columns of originColumns.
func originInput(b *sinks.Block) proto.Input {
	n := b.Rows()
	records := make([]byte, 0, 16*n)
	sources, positions, batches := make([]byte, 0, 8*n), make([]byte, 0, 8*n), make([]byte, 0, 4*n)
	for i := range n {
		// A UUID is two little-endian words, the more significant one first.
		records = binary.LittleEndian.AppendUint64(records, binary.BigEndian.Uint64(b.Records[i][:8]))
		records = binary.LittleEndian.AppendUint64(records, binary.BigEndian.Uint64(b.Records[i][8:]))
		sources = binary.LittleEndian.AppendUint64(sources, b.Source)
		positions = binary.LittleEndian.AppendUint64(positions, b.Positions[i])
		batches = binary.LittleEndian.AppendUint32(batches, b.Batches[i])
	}
	return proto.Input{
		{Name: recordColumn, Data: &wireColumn{"UUID", nil, records, n}},
		{Name: sourceColumn, Data: &wireColumn{"UInt64", nil, sources, n}},
		{Name: positionColumn, Data: &wireColumn{"UInt64", nil, positions, n}},
		{Name: batchColumn, Data: &wireColumn{"UInt32", nil, batches, n}},
	}
}

// Known implements sinks.Intake. The records travel as an external table.
func (s *Store) Known(ctx context.Context, dataset string, records []sinks.ID, first, last sinks.Day) (map[sinks.ID]sinks.RowOrigin, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	wanted, err := ext.NewTable("wanted", ext.Column("record", "UUID"))
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := wanted.Append(uuid.UUID(r)); err != nil {
			return nil, err
		}
	}
	known := map[sinks.ID]sinks.RowOrigin{}
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted))
	err = s.query(ctx, "known_records", t, parameters{"first": first.String(), "last": last.String()}, func(r driver.Rows) error {
		var id uuid.UUID
		var origin sinks.RowOrigin
		err := r.Scan(&id, &origin.Source, &origin.Position)
		known[sinks.ID(id)] = origin
		return err
	})
	return known, err
}

// StoredRows implements sinks.Intake.
func (s *Store) StoredRows(ctx context.Context, dataset string, source uint64) (map[sinks.Day]uint64, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	rows := map[sinks.Day]uint64{}
	err = s.query(ctx, "stored_rows", t, parameters{"source": fmt.Sprint(source)}, func(r driver.Rows) error {
		var day sinks.Day
		var n uint64
		err := scanDay(r, &day, &n)
		rows[day] = n
		return err
	})
	return rows, err
}

// OpenBatches implements sinks.Intake. A table that is not partitioned by the day
// has one batch for all, and begins another with every deletion from it: what is
// inserted after that is not taken for what was deleted.
func (s *Store) OpenBatches(ctx context.Context, dataset string, days []sinks.Day) (map[sinks.Day]uint32, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	if !t.byDay() {
		batch, err := s.generation(ctx, t)
		open := make(map[sinks.Day]uint32, len(days))
		for _, d := range days {
			open[d] = batch
		}
		return open, err
	}
	open := make(map[sinks.Day]uint32, len(days))
	first, last := days[0], days[0]
	for _, d := range days {
		open[d] = 0
		first, last = min(first, d), max(last, d)
	}
	p := parameters{"dataset": dataset, "first": first.String(), "last": last.String()}
	err = s.query(ctx, "open_batches", s.db, p, func(r driver.Rows) error {
		var day sinks.Day
		var batch uint32
		err := scanDay(r, &day, &batch)
		if _, asked := open[day]; asked {
			open[day] = batch
		}
		return err
	})
	return open, err
}

// generation returns the open batch of a table that is one partition: the number of
// its latest mutation.
func (s *Store) generation(ctx context.Context, t *table) (batch uint32, err error) {
	err = s.queryRow(ctx, "latest_mutation", t, nil, &batch)
	return batch, err
}
