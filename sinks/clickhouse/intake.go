package clickhouse

import (
	"cmp"
	"context"
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

// nativeTimeout bounds what cannot be cancelled.
const nativeTimeout = 10 * time.Minute

// Insert implements sinks.Intake. The block goes out as one native block, which
// ClickHouse stores atomically for each partition; the token makes a repetition
// recognisable for each partition by itself. It would not if the rows came in
// another number of blocks.
func (s *Store) Insert(ctx context.Context, b *sinks.Block, token sinks.ID) (err error) {
	t, err := s.table(b.Dataset)
	if err != nil {
		return err
	}
	if b.Rows() > sinks.MaxRows {
		return fmt.Errorf("insert into %s: a block has at most %d rows, not %d", b.Dataset, sinks.MaxRows, b.Rows())
	}
	sorting := s.sortings.take()
	defer s.sortings.giveBack(sorting)
	block := sorting.block(t, b)
	input := block.input()
	names := make([]string, len(input))
	for i, c := range input {
		names[i] = c.Name
	}
	sql, err := render("insert_block", map[string]any{"Table": t, "Columns": names})
	if err != nil {
		return err
	}
	defer s.took(ctx, "insert_block", time.Now(), &err)
	err = s.native(ctx, func() ch.Query {
		block.begin()
		return ch.Query{
			Body:     sql,
			Input:    input,
			Settings: []ch.Setting{{Key: "insert_deduplication_token", Value: token.String(), Important: true}},
		}
	})
	if err = cmp.Or(err, block.err); err != nil {
		return fmt.Errorf("insert into %s: %w", b.Dataset, redactBlock(err))
	}
	return nil
}

// native runs a query over a connection of its own, a new one if none is idle. Where the
// connection is lost it asks for the query and runs it again: that must do no harm. Once
// begun it is not cancelled: the embedded engine does not survive a connection that
// is reset while it reads a block.
func (s *Store) native(ctx context.Context, query func() ch.Query) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), nativeTimeout)
	defer cancel()
	return s.line.hold(ctx, unavailable, func() error {
		client, err := s.nativeClient(ctx)
		if err != nil {
			return err
		}
		if err := client.Do(ctx, query()); err != nil { // whatever it was, the connection's state is not known
			return errors.Join(err, client.Close())
		}
		s.natives.Lock()
		defer s.natives.Unlock()
		s.natives.idle = append(s.natives.idle, client)
		return nil
	})
}

func (s *Store) nativeClient(ctx context.Context) (*ch.Client, error) {
	for {
		client := s.idleClient()
		if client == nil {
			return ch.Dial(ctx, s.natives.options)
		}
		if !client.IsClosed() {
			return client, nil
		}
	}
}

func (s *Store) idleClient() *ch.Client {
	s.natives.Lock()
	defer s.natives.Unlock()
	n := len(s.natives.idle)
	if n == 0 {
		return nil
	}
	client := s.natives.idle[n-1]
	s.natives.idle = s.natives.idle[:n-1]
	return client
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

// Records implements sinks.Intake. They come in the native client's blocks: there
// can be many.
func (s *Store) Records(ctx context.Context, dataset string, first, last sinks.Day, each func([]sinks.ID)) (err error) {
	t, err := s.table(dataset)
	if err != nil {
		return err
	}
	sql, err := render("records", t)
	if err != nil {
		return err
	}
	defer s.took(ctx, "records", time.Now(), &err)
	var records proto.ColUUID
	var ids []sinks.ID
	err = s.native(ctx, func() ch.Query {
		return ch.Query{
			Body:       sql,
			Parameters: ch.Parameters(map[string]any{"first": first.String(), "last": last.String()}),
			Result:     proto.Results{{Name: recordColumn, Data: &records}},
			OnResult: func(context.Context, proto.Block) error {
				ids = ids[:0]
				for _, r := range records {
					ids = append(ids, sinks.ID(r))
				}
				each(ids)
				records.Reset()
				return nil
			},
		}
	})
	if err != nil {
		return fmt.Errorf("list the records of %s: %w", dataset, redactBlock(err))
	}
	return nil
}

// StoredRows implements sinks.Intake.
func (s *Store) StoredRows(ctx context.Context, dataset string, source uint64, first, last sinks.Day) (map[sinks.Day]uint64, error) {
	t, err := s.table(dataset)
	if err != nil {
		return nil, err
	}
	rows := map[sinks.Day]uint64{}
	p := parameters{"source": fmt.Sprint(source), "first": first.String(), "last": last.String()}
	err = s.query(ctx, "stored_rows", t, p, func(r driver.Rows) error {
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
