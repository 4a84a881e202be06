package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// How long after the first signal work goes on, and when the process ends whatever is
// going on: Kubernetes kills after 30 seconds. What is cut off then is taken up by the
// next run, as after a crash.
const (
	finishTimeout = 12 * time.Second
	endTimeout    = 19 * time.Second
)

// untilSignal returns a context that ends with the first SIGTERM or interrupt. A second
// one ends the process at once, and so does the end of endTimeout.
func untilSignal() (until context.Context, release func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		stop() // signals have their usual effect again
		select {
		case <-ended:
		case <-time.After(endTimeout):
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() {
		close(ended)
		stop()
	}
}

// gracefully returns a context for work that is not cut off when ctx is cancelled: stop
// is closed then, which asks for nothing more to be begun, and the work's context ends
// finishTimeout later. A deadline of ctx counts at once.
func gracefully(ctx context.Context) (work context.Context, stop <-chan struct{}, release func()) {
	stopping := make(chan struct{})
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	var past context.CancelFunc = func() {}
	if deadline, ok := ctx.Deadline(); ok {
		work, past = context.WithDeadline(work, deadline)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) { // the work ends by itself, and says why
			return
		}
		close(stopping)
		select {
		case <-ended:
		case <-time.After(finishTimeout):
			cancel(ctx.Err())
		}
	}()
	return work, stopping, func() {
		close(ended)
		past()
		cancel(nil)
	}
}
