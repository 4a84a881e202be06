package bucket

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
)

// transport sends the requests: not too many a second, none for longer than it may
// take. It counts the answers, for pages.
type transport struct {
	base    *http.Transport
	pace    pace
	timeout time.Duration
	// byKey is set once the store has shown itself to be one that lists unfinished
	// uploads only to who names their key.
	byKey atomic.Bool
}

func newTransport(secure bool, perSecond float64, timeout time.Duration) (*transport, error) {
	base, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, err
	}
	return &transport{base: base, pace: newPace(perSecond), timeout: timeout}, nil
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.pace.wait(r.Context(), 1); err != nil {
		return nil, err
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if r.Method != http.MethodPut {
		ctx, cancel = context.WithTimeout(ctx, t.timeout)
	}
	response, err := t.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &cancelling{response.Body, cancel}
	if strings.HasPrefix(response.Header.Get("Server"), "MinIO") {
		t.byKey.Store(true)
	}
	if answers, ok := ctx.Value(answersKey{}).(*int); ok && response.StatusCode == http.StatusOK {
		*answers++
	}
	return response, nil
}

// cancelling is a body whose reading is under the time limit of its request.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// answersKey is where a context carries the number of answers to its requests.
type answersKey struct{}

// countAnswers returns a context whose successful answers are counted. Requests
// under it must follow one another.
func countAnswers(ctx context.Context) (context.Context, *int) {
	answers := new(int)
	return context.WithValue(ctx, answersKey{}, answers), answers
}
