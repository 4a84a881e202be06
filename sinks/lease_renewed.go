package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Tenure is a lease that one holder has until it runs out.
type Tenure interface {
	// Renew makes it last anew from now on. It returns ErrHeld if somebody else has it.
	Renew(ctx context.Context) error
	// GiveBack ends it. Where that fails, it runs out.
	GiveBack(ctx context.Context)
}

// RenewedLease is a Lease in a store that forgets a holder who does not renew it. A
// holder that has slept past its end may still be at work when another begins.
type RenewedLease struct {
	// Take takes the lease called name for Duration. It returns ErrHeld if somebody has
	// it that has not let it run out.
	Take func(ctx context.Context, name string) (Tenure, error)
	// Duration is how long a lease lasts that is not renewed, Renew how often it is
	// renewed, Wait how often one that somebody else has is looked at, and Request how
	// long the store may take to answer.
	Duration, Renew, Wait, Request time.Duration
}

var _ Lease = (*RenewedLease)(nil)

// NewRenewedLease returns a lease with intervals that suit jobs of minutes and hours.
func NewRenewedLease(take func(ctx context.Context, name string) (Tenure, error)) *RenewedLease {
	return &RenewedLease{Take: take, Duration: 30 * time.Second, Renew: 10 * time.Second, Wait: 2 * time.Second, Request: 5 * time.Second}
}

// Hold implements Lease. The context it returns ends when the lease could not be
// renewed in time, or somebody else has taken it.
func (l *RenewedLease) Hold(ctx context.Context, name string, wait bool) (context.Context, func(), error) {
	mine, asked, err := l.await(ctx, name, wait)
	if err != nil {
		return nil, nil, err
	}
	held, lose := context.WithCancelCause(ctx)
	ending, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.keep(context.WithoutCancel(ctx), mine, asked, ending); err != nil {
			lose(fmt.Errorf("the lease %s is lost: %w", name, err))
		}
	}()
	return held, func() {
		close(ending)
		<-ended
		lose(nil)
	}, nil
}

// await takes the lease, and says when it asked for it.
func (l *RenewedLease) await(ctx context.Context, name string, wait bool) (Tenure, time.Time, error) {
	for {
		asked := time.Now()
		var mine Tenure
		err := l.ask(ctx, func(ctx context.Context) (err error) {
			mine, err = l.Take(ctx, name)
			return err
		})
		if err == nil {
			return mine, asked, nil
		}
		if !errors.Is(err, ErrHeld) || !wait {
			return nil, asked, fmt.Errorf("hold the lease %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return nil, asked, fmt.Errorf("wait for the lease %s: %w", name, ctx.Err())
		case <-time.After(l.Wait):
		}
	}
}

// keep renews the lease until ending is closed, and then gives it back. It returns why
// the lease is lost before that. A lease counts from when it was asked for: the store
// counts it from a little later on.
func (l *RenewedLease) keep(ctx context.Context, mine Tenure, asked time.Time, ending <-chan struct{}) error {
	ticks := time.NewTicker(l.Renew)
	defer ticks.Stop()
	out := time.NewTimer(l.Duration - time.Since(asked))
	defer out.Stop()
	unanswered := fmt.Errorf("%w: it could not be renewed", ErrUnavailable)
	for {
		select {
		case <-ending:
			return l.ask(ctx, func(ctx context.Context) error {
				mine.GiveBack(ctx)
				return nil
			})
		case <-out.C:
			return unanswered
		case <-ticks.C:
		}
		asked := time.Now()
		switch err := l.ask(ctx, mine.Renew); {
		case err == nil:
			out.Reset(l.Duration - time.Since(asked))
		case errors.Is(err, ErrHeld):
			return err
		default:
			unanswered = err
		}
	}
}

// ask gives the store the time for one answer.
func (l *RenewedLease) ask(ctx context.Context, question func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, l.Request)
	defer cancel()
	err := question(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: no answer within %s", ErrUnavailable, l.Request)
	}
	return err
}
