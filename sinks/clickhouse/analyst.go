package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// QueryAnalytics runs a query with the rights of o's user, in the anonymised
// database, and returns the names of the columns and the rows. The server's
// message is part of the error: it is for the one who typed the query.
func QueryAnalytics(ctx context.Context, o Options, sql string) (columns []string, rows [][]any, err error) {
	return queryIn(ctx, o, o.Databases.Analytics, sql)
}

// QueryReadable is QueryAnalytics over the personal tables, as their readers see them.
func QueryReadable(ctx context.Context, o Options, sql string) (columns []string, rows [][]any, err error) {
	return queryIn(ctx, o, o.Databases.Readable, sql)
}

func queryIn(ctx context.Context, o Options, database, sql string) (columns []string, rows [][]any, err error) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: o.Addresses,
		Auth: clickhouse.Auth{Database: database, Username: o.User, Password: o.Password},
		TLS:  o.TLS,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("query: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	way := line{patience: defaultPatience}
	if err := way.hold(ctx, unavailable, func() error { return conn.Ping(ctx) }); err != nil {
		return nil, nil, fmt.Errorf("query: %w", err)
	}
	result, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, nil, fmt.Errorf("query: %w", err)
	}
	defer result.Close() //nolint:errcheck // read to its end below
	types := result.ColumnTypes()
	for result.Next() {
		targets := make([]any, len(types))
		for i, t := range types {
			targets[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := result.Scan(targets...); err != nil {
			return nil, nil, fmt.Errorf("query: %w", err)
		}
		row := make([]any, len(targets))
		for i, target := range targets {
			row[i] = value(reflect.ValueOf(target).Elem())
		}
		rows = append(rows, row)
	}
	return result.Columns(), rows, result.Err()
}

// value follows the pointer of a Nullable column.
func value(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	return v.Interface()
}
