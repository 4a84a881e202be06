package clickhouse

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// For how long a statement waits for a server that takes no connection, and for how long
// after that nobody waits for it any more.
const (
	defaultPatience = 15 * time.Second
	restTime        = 30 * time.Second
)

// line is the way to a server. One that is lost is looked for again, with pauses that
// become longer; whoever has waited in vain spares the next ones the same.
type line struct {
	patience time.Duration

	mu   sync.Mutex
	lost time.Time // when the last one gave up; zero while the server answers
}

// hold does something that needs the server, and again while it fails in a way that
// another attempt may help with.
func (l *line) hold(ctx context.Context, again func(error) bool, do func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 50*time.Millisecond, 3*time.Second
	attempt := func() (struct{}, error) {
		err := do()
		if err != nil && (!again(err) || l.isLost()) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	_, err := backoff.Retry(ctx, attempt, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(l.patience))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		err = permanent.Unwrap()
	}
	if err == nil || again(err) {
		l.note(err == nil)
	}
	return err
}

func (l *line) isLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost.IsZero() && time.Since(l.lost) < restTime
}

// note remembers whether the server answered.
func (l *line) note(answers bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case answers:
		l.lost = time.Time{}
	case l.lost.IsZero() || time.Since(l.lost) >= restTime:
		l.lost = time.Now()
	}
}

// notSent reports whether err means that no connection could be made: the server knows
// nothing of the statement, and it may be sent again whatever it does.
func notSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && (dial.Op == "dial" || strings.HasPrefix(err.Error(), "handshake: "))
}
