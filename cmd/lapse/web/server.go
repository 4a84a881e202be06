package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// How long a client may take, and how large its headers may be.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second // headers and body
	answerTimeout  = 60 * time.Second // from the end of the headers to the end of the answer
	idleTimeout    = 90 * time.Second // between requests
	headerBytes    = 16 << 10
)

// drainTimeout is how long requests that have begun may go on once the server is
// to end: Kubernetes kills 30 seconds after SIGTERM.
const drainTimeout = 15 * time.Second

// Serve answers requests on l, over so many connections at once, until ctx ends; then
// it takes no more, finishes those that have begun, and returns nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, connections int, logger *slog.Logger) error {
	s := &http.Server{
		Handler:           contained(h, logger),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: headerBytes,
		ErrorLog:       log.New(io.Discard, "", 0), // its lines name addresses of people
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(netutil.LimitListener(l, connections)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.Shutdown(drain); err != nil {
		logger.Warn("requests were cut off", "after", drainTimeout)
		err = s.Close()
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// contained answers a panic with 500 and logs it without anything of the request.
func contained(h http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				logger.Error("a request ended in a panic", "path", r.Pattern)
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}
