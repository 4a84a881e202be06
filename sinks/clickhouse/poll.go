package clickhouse

import (
	"context"
	"time"
)

// Between two questions whether something is done ClickHouse is left to do it: what it
// says of a table with many parts costs it as much as removing some rows from one.
const (
	shortestPause = 10 * time.Millisecond
	longestPause  = 500 * time.Millisecond
)

// poll waits between questions, longer each time, up to a deadline.
type poll struct {
	deadline time.Time
	pause    time.Duration
}

func newPoll(timeout time.Duration) *poll {
	return &poll{deadline: time.Now().Add(timeout), pause: shortestPause}
}

func (p *poll) expired() bool { return time.Now().After(p.deadline) }

// wait waits for the next question. It returns the context's error if that ends first.
func (p *poll) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(p.pause):
		p.pause = min(p.pause*3/2, longestPause)
		return nil
	}
}
