package clickhouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/facesoft/lapse/sinks"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

// statements are those files. They are parsed when the first is needed: not in the processes
// of an engine, nor by commands that have no use for ClickHouse.
var statements = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"name":             quote,
		"literal":          literal,
		"join":             strings.Join,
		"longestText":      func() int { return longestText },
		"mostWords":        func() int { return mostWords },
		"cellValue":        cellValue,
		"textHash":         textHash,
		"separatedBatches": func() int { return sinks.SeparatedBatches },
	}).ParseFS(sqlFiles, "sql/*.sql"))
})

// Texts of more bytes or words than any page's address has are not looked through
// for identifiers, and not published. That bounds the memory the search takes.
const (
	longestText = 1024
	mostWords   = 64
)

// parameters are values of {name:Type} placeholders; they travel beside the text.
type parameters map[string]string

// render returns the statement in sql/<name>.sql with data filled in. Data holds
// names and expressions compiled from the policy, never a value of a record.
func render(name string, data any) (string, error) {
	var b strings.Builder
	if err := statements().ExecuteTemplate(&b, name+".sql", data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return strings.TrimSpace(b.String()), nil
}

// exec runs the statement in sql/<name>.sql.
func (s *Store) exec(ctx context.Context, name string, data any, p parameters) (err error) {
	sql, err := render(name, data)
	if err != nil {
		return err
	}
	defer s.took(ctx, name, time.Now(), &err)
	if err := s.line.hold(ctx, notSent, func() error { return s.conn.Exec(with(ctx, p), sql) }); err != nil {
		return failure(ctx, name, err)
	}
	return nil
}

// query runs the statement in sql/<name>.sql and calls scan for each row.
func (s *Store) query(ctx context.Context, name string, data any, p parameters, scan func(driver.Rows) error) (err error) {
	sql, err := render(name, data)
	if err != nil {
		return err
	}
	defer s.took(ctx, name, time.Now(), &err)
	var rows driver.Rows
	err = s.line.hold(ctx, notSent, func() (err error) {
		rows, err = s.conn.Query(with(ctx, p), sql)
		return err
	})
	if err != nil {
		return failure(ctx, name, err)
	}
	defer rows.Close() //nolint:errcheck // read to its end below
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("%s: %w", describe(name), err)
		}
	}
	if err := rows.Err(); err != nil {
		return failure(ctx, name, err)
	}
	return nil
}

// queryRow runs the statement in sql/<name>.sql, which gives one row.
func (s *Store) queryRow(ctx context.Context, name string, data any, p parameters, into ...any) error {
	found := false
	err := s.query(ctx, name, data, p, func(r driver.Rows) error {
		found = true
		return r.Scan(into...)
	})
	if err == nil && !found {
		return fmt.Errorf("%s: no row", describe(name))
	}
	return err
}

// insert sends n rows to the table of the INSERT statement in sql/<name>.sql.
func (s *Store) insert(ctx context.Context, name string, data any, n int, row func(i int) []any) (err error) {
	sql, err := render(name, data)
	if err != nil {
		return err
	}
	defer s.took(ctx, name, time.Now(), &err)
	var batch driver.Batch
	err = s.line.hold(ctx, notSent, func() (err error) {
		batch, err = s.conn.PrepareBatch(ctx, sql)
		return err
	})
	if err != nil {
		return failure(ctx, name, err)
	}
	defer batch.Close() //nolint:errcheck // after Send there is nothing left to close
	for i := range n {
		if err := batch.Append(row(i)...); err != nil {
			return failure(ctx, name, err)
		}
	}
	if err := batch.Send(); err != nil {
		return failure(ctx, name, err)
	}
	return nil
}

// tracer makes a span of each statement, for OpenTelemetry: its name and the class of its
// error, never its text or its parameters (I9).
var tracer = otel.Tracer("github.com/facesoft/lapse/sinks/clickhouse")

var system = trace.WithAttributes(attribute.String("db.system.name", "clickhouse"))

// took tells how long a statement took that has ended, and how.
func (s *Store) took(ctx context.Context, name string, since time.Time, err *error) {
	s.trace(name, time.Since(since))
	_, span := tracer.Start(ctx, name, trace.WithTimestamp(since), trace.WithSpanKind(trace.SpanKindClient), system)
	if *err != nil {
		span.SetStatus(codes.Error, string(sinks.ClassOf(*err)))
	}
	span.End()
}

func with(ctx context.Context, p parameters) context.Context {
	if len(p) == 0 {
		return ctx
	}
	return clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters(p)))
}

// failure says of a statement that it failed, and why. The client ends what it sends or
// reads at the context's deadline by that of the connection, and reports that one.
func failure(ctx context.Context, name string, err error) error {
	if end, bounded := ctx.Deadline(); bounded && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(end) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return fmt.Errorf("%s: %w", describe(name), Redact(err))
}

// describe turns a file's name into the action that an error names.
func describe(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Redact keeps of a server's exception its code and name. Its message can quote
// a value, and errors may hold no personal data. An error of the connection is
// marked as sinks.ErrUnavailable.
func Redact(err error) error {
	var exception *clickhouse.Exception
	switch {
	case errors.As(err, &exception):
		return &ServerError{Code: exception.Code, Name: exceptionName(exception.Message)}
	case unavailable(err):
		return fmt.Errorf("%w: %w", sinks.ErrUnavailable, err)
	}
	return err
}

// ServerError is an exception of the server without its message, which is in the
// server's own log.
type ServerError struct {
	Code int32
	Name string // such as NO_SUCH_DATA_PART
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("clickhouse refused with code %d %s (the server's log has the details)", e.Code, e.Name)
}

// exceptionName takes the last word in brackets of a message: the code's name.
func exceptionName(message string) string {
	i, j := strings.LastIndexByte(message, '('), strings.LastIndexByte(message, ')')
	if i < 0 || j < i || strings.Trim(message[i+1:j], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return message[i+1 : j]
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// quote quotes an identifier. It is the only place that does.
func quote(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(p) + "`"
	}
	return strings.Join(quoted, ".")
}

// literal quotes a text of the policy (a description, an event's name) as a
// string literal. Values of records never come this way.
func literal(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}

// arrayOf writes a parameter of type Array(String).
func arrayOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = literal(v)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// digest returns the SHA-256 of statements, for the audit log.
func digest(sql ...string) sinks.Digest {
	return sha256.Sum256([]byte(strings.Join(sql, ";\n")))
}
