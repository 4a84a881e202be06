package sinks

import (
	"context"
	"io"
	"time"
)

// RowFormat is how the rows of an export are written.
type RowFormat string

// The formats.
const (
	RowsAsJSON RowFormat = "json" // an object
	RowsAsCSV  RowFormat = "csv"  // a line, without its end
)

// PersonExport reads what is held of one person, row by row.
type PersonExport interface {
	// EachPersonRow calls each with the rows of a person in a dataset, the earliest
	// first, each as a text that is valid until each returns.
	EachPersonRow(ctx context.Context, dataset string, person Person, columns []string, format RowFormat, each func(string) error) error
}

// ExportFile is a copy that was made for a person.
type ExportFile struct {
	Request ID
	Made    time.Time
	Bytes   int64
}

// Exports are the copies that were made for people, until their window has passed.
type Exports interface {
	// Create begins a copy. It is there when it has been closed, and not when it has
	// been abandoned.
	Create(request ID, suffix string) (ExportWriter, error)
	List() ([]ExportFile, error)
	// Delete deletes the copies for a request, and reports whether any is left. There
	// need not be one.
	Delete(request ID) (left bool, err error)
}

// ExportWriter takes a copy.
type ExportWriter interface {
	io.Writer
	// Close makes the copy durable and gives it its name, which it returns.
	Close() (path string, err error)
	// Abandon removes what was written. After Close it has no effect.
	Abandon() error
}
