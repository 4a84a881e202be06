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
	first    progress
}

// progress is how much of something was left at a time.
type progress struct {
	left uint64
	at   time.Time
}

func newPoll(timeout time.Duration) *poll {
	return &poll{deadline: time.Now().Add(timeout), pause: shortestPause}
}

func (p *poll) expired() bool { return time.Now().After(p.deadline) }

// left says how much is left to do. Where that becomes less, the next pause is half of what
// the rest will take: near the end questions come more often.
func (p *poll) left(n uint64, now time.Time) {
	if p.first.at.IsZero() {
		p.first = progress{n, now}
	}
	if n >= p.first.left {
		return
	}
	each := now.Sub(p.first.at) / time.Duration(p.first.left-n)
	p.pause = min(max(each*time.Duration(n)/2, shortestPause), longestPause)
}

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
