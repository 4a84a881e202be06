package sinks

import (
	"context"
	"errors"
)

// ErrFull means that a spool takes nothing until something has been ingested and
// removed.
var ErrFull = errors.New("the spool is full")

// Spool keeps what the collector has accepted until it is ingested.
//
// It may be used by several goroutines at once. The lines of one call stand
// together, and calls of one goroutine in their order.
type Spool interface {
	// Append stores lines, each with its line break, and returns when they are
	// durable: after nil they survive kill -9 and a power failure. After ErrFull
	// none of them is stored, after another error some may be. Once they are being
	// written the end of ctx no longer counts.
	Append(ctx context.Context, lines []byte) error
}
