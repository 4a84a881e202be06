package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.RequestRegister = (*Store)(nil)

// PutRequests implements sinks.RequestRegister. Whom they are about is stored first: a
// request is known by its history, which comes last.
func (s *Store) PutRequests(ctx context.Context, requests []sinks.Request, people []sinks.Person) error {
	rows := personRows(people)
	err := s.insert(ctx, "insert_request_people", s.db, len(rows), func(i int) []any { return rows[i][:3] })
	if err != nil {
		return fmt.Errorf("put requests: %w", err)
	}
	if terms := termRows(people); len(terms) > 0 {
		if err := s.insert(ctx, "insert_request_terms", s.db, len(terms), func(i int) []any { return terms[i] }); err != nil {
			return fmt.Errorf("put requests: %w", err)
		}
	}
	err = s.insert(ctx, "insert_requests", s.db, len(requests), func(i int) []any {
		r := requests[i]
		return []any{uuid.UUID(r.ID), string(r.Right), r.Received}
	})
	if err != nil {
		return fmt.Errorf("put requests: %w", err)
	}
	var notes []sinks.RequestNote
	for _, r := range requests {
		notes = append(notes, r.History...)
	}
	return s.NoteRequests(ctx, notes)
}

// noEnd stands for no end of the events that count; a later time does not fit the
// client's nanoseconds.
var noEnd = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// personRows are the rows that people are in tables: a row an identifier.
func personRows(people []sinks.Person) (rows [][]any) {
	for _, p := range people {
		for _, i := range p.Identifiers {
			rows = append(rows, []any{uuid.UUID(p.ID), i.Column, i.Text, lastCounted(p)})
		}
	}
	return rows
}

// lastCounted is the time of a person's last event that counts.
func lastCounted(p sinks.Person) time.Time {
	if p.Until.IsZero() {
		return noEnd
	}
	return p.Until
}

// termRows are the rows that the terms of people's requests are.
func termRows(people []sinks.Person) (rows [][]any) {
	for _, p := range people {
		for _, t := range p.Terms {
			rows = append(rows, []any{uuid.UUID(p.ID), t.Name, t.Value})
		}
	}
	return rows
}

// NoteRequests implements sinks.RequestRegister.
func (s *Store) NoteRequests(ctx context.Context, notes []sinks.RequestNote) error {
	if len(notes) == 0 {
		return nil
	}
	err := s.insert(ctx, "insert_request_notes", s.db, len(notes), func(i int) []any {
		n := notes[i]
		return []any{uuid.UUID(n.Request), string(n.Event), n.At, n.Reason, n.Clause, n.By, orEpoch(n.Until)}
	})
	if err != nil {
		return fmt.Errorf("note requests: %w", err)
	}
	return s.durable()
}

// Requests implements sinks.RequestRegister.
func (s *Store) Requests(ctx context.Context, id sinks.ID) ([]sinks.Request, error) {
	p := parameters{"request": ""}
	if !id.IsZero() {
		p["request"] = uuid.UUID(id).String()
	}
	histories := map[sinks.ID][]sinks.RequestNote{}
	data := map[string]any{"Control": s.db.Control, "Events": sinks.RequestEvents}
	err := s.query(ctx, "request_notes", data, p, func(r driver.Rows) error {
		var request uuid.UUID
		var event string
		var n sinks.RequestNote
		err := r.Scan(&request, &event, &n.At, &n.Reason, &n.Clause, &n.By, &n.Until)
		n.Request, n.Event, n.Until = sinks.ID(request), sinks.RequestEvent(event), sinceEpoch(n.Until)
		histories[n.Request] = append(histories[n.Request], n)
		return err
	})
	if err != nil {
		return nil, err
	}
	var requests []sinks.Request
	err = s.query(ctx, "requests", s.db, p, func(r driver.Rows) error {
		var request uuid.UUID
		var right string
		var q sinks.Request
		err := r.Scan(&request, &right, &q.Received)
		q.ID, q.Right = sinks.ID(request), sinks.Right(right)
		if q.History = histories[q.ID]; len(q.History) > 0 {
			requests = append(requests, q)
		}
		return err
	})
	return requests, err
}

// PeopleOf implements sinks.RequestRegister.
func (s *Store) PeopleOf(ctx context.Context, requests []sinks.ID) (people []sinks.Person, err error) {
	err = s.eachOf(ctx, "request_people", requests, func(request sinks.ID, column, text string) {
		if n := len(people); n == 0 || people[n-1].ID != request {
			people = append(people, sinks.Person{ID: request})
		}
		last := &people[len(people)-1]
		last.Identifiers = append(last.Identifiers, sinks.Identifier{Column: column, Text: text})
	})
	if err != nil || len(people) == 0 {
		return people, err
	}
	place := make(map[sinks.ID]int, len(people))
	for i, p := range people {
		place[p.ID] = i
	}
	err = s.eachOf(ctx, "request_terms", requests, func(request sinks.ID, name, value string) {
		if i, known := place[request]; known {
			people[i].Terms = append(people[i].Terms, sinks.Term{Name: name, Value: value})
		}
	})
	return people, err
}

// eachOf calls each with what a statement finds of requests.
func (s *Store) eachOf(ctx context.Context, statement string, requests []sinks.ID, each func(request sinks.ID, name, value string)) error {
	wanted, err := ext.NewTable("wanted", ext.Column("request", "UUID"))
	if err != nil {
		return err
	}
	for _, id := range requests {
		if err := wanted.Append(uuid.UUID(id)); err != nil {
			return err
		}
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithExternalTable(wanted))
	return s.query(ctx, statement, s.db, nil, func(r driver.Rows) error {
		var request uuid.UUID
		var name, value string
		err := r.Scan(&request, &name, &value)
		each(sinks.ID(request), name, value)
		return err
	})
}

// ForgetPeople implements sinks.RequestRegister.
func (s *Store) ForgetPeople(ctx context.Context, requests []sinks.ID) (left sinks.Absence, err error) {
	if err := s.kept.end(ctx); err != nil {
		return left, err
	}
	data := struct{ Control, Name, RequestTable string }{s.db.Control, "", stagePrefix + sinks.NewID().String() + "_requests"}
	defer func() { err = errors.Join(err, s.dropStage(context.WithoutCancel(ctx), data.RequestTable)) }()
	if err := s.exec(ctx, "create_forgotten_requests", data, nil); err != nil {
		return left, err
	}
	err = s.insert(ctx, "insert_forgotten_requests", data, len(requests), func(i int) []any { return []any{uuid.UUID(requests[i])} })
	if err != nil {
		return left, err
	}
	for _, data.Name = range []string{"request_terms", "request_people"} {
		if left, err = s.forget(ctx, data.Name, data); err != nil || !left.Proven() {
			return left, err
		}
	}
	return left, nil
}

// forget deletes what a table has of the requests that stand in another, if it has
// anything.
func (s *Store) forget(ctx context.Context, name string, data any) (left sinks.Absence, err error) {
	t := &table{Database: s.db.Control, Name: name}
	count := func() (n uint64, err error) {
		err = s.queryRow(ctx, "count_forgotten_requests", data, nil, &n)
		return n, err
	}
	n, err := count()
	if err != nil {
		return left, err
	}
	if n > 0 {
		if err := s.mutate(ctx, t, "forget_people", data); err != nil {
			return left, err
		}
	}
	return s.awaitGone(ctx, t, count)
}
