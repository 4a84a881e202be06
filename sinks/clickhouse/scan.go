package clickhouse

import (
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/facesoft/lapse/sinks"
)

// scanDay scans a row whose first column is a Date.
func scanDay(r driver.Rows, day *sinks.Day, rest ...any) error {
	var t time.Time
	if err := r.Scan(append([]any{&t}, rest...)...); err != nil {
		return err
	}
	*day = sinks.DayOf(t)
	return nil
}

// milliseconds writes an instant as a parameter of type DateTime64(3, 'UTC').
func milliseconds(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }
