package kubelease

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// lease is what is used of coordination.k8s.io/v1 Lease.
type lease struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Metadata   metadata  `json:"metadata"`
	Spec       leaseSpec `json:"spec"`
}

// metadata names the object; ResourceVersion keeps a write from undoing another's.
type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
}

type leaseSpec struct {
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds,omitempty"`
	AcquireTime          string `json:"acquireTime,omitempty"`
	RenewTime            string `json:"renewTime,omitempty"`
	LeaseTransitions     int    `json:"leaseTransitions"`
}

// microTime is how the API writes times that change often.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// clockSlack is by how much clocks of a cluster may differ before a lease is taken that
// still lasts.
const clockSlack = 2 * time.Second

func newLease(name string) *lease {
	return &lease{
		APIVersion: "coordination.k8s.io/v1", Kind: "Lease",
		Metadata: metadata{Name: name, Labels: map[string]string{"app.kubernetes.io/name": "lapse"}},
	}
}

// free reports whether nobody holds the lease any more.
func (l *lease) free(now time.Time) bool {
	if l.Spec.HolderIdentity == "" {
		return true
	}
	renewed, err := time.Parse(time.RFC3339Nano, l.Spec.RenewTime)
	return err != nil || now.After(renewed.Add(time.Duration(l.Spec.LeaseDurationSeconds)*time.Second+clockSlack))
}

func (l *lease) hold(by string, now time.Time, duration time.Duration) {
	at := now.UTC().Format(microTime)
	l.Spec = leaseSpec{
		HolderIdentity: by, LeaseDurationSeconds: max(int(duration/time.Second), 1), AcquireTime: at, RenewTime: at,
		LeaseTransitions: l.Spec.LeaseTransitions + 1,
	}
}

func (l *lease) renewed(now time.Time) { l.Spec.RenewTime = now.UTC().Format(microTime) }

func (l *lease) giveBack(now time.Time) {
	l.renewed(now)
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = "", 1
}

var errNotFound = errors.New("there is no such lease")

// answerLimit bounds what is read of an answer.
const answerLimit = 1 << 20

func (l *Leases) get(ctx context.Context, name string) (*lease, error) {
	return l.send(ctx, http.MethodGet, name, nil)
}

// write makes a lease (POST) or replaces the version of it that was read (PUT). If
// somebody else was first it is sinks.ErrHeld.
func (l *Leases) write(ctx context.Context, method string, what *lease) (*lease, error) {
	body, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	name := what.Metadata.Name
	if method == http.MethodPost {
		name = ""
	}
	return l.send(ctx, method, name, body)
}

func (l *Leases) send(ctx context.Context, method, name string, body []byte) (*lease, error) {
	at := l.options.Server.JoinPath("apis/coordination.k8s.io/v1/namespaces", l.options.Namespace, "leases", name)
	r, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(l.options.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the service account's token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sinks.ErrUnavailable, err)
	}
	defer answer.Body.Close() //nolint:errcheck // read only
	if err := judge(answer.StatusCode); err != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, answerLimit)) // so that the connection is used again
		return nil, err
	}
	var got lease
	if err := json.NewDecoder(io.LimitReader(answer.Body, answerLimit)).Decode(&got); err != nil {
		return nil, fmt.Errorf("%w: read the API server's answer: %w", sinks.ErrUnavailable, err)
	}
	return &got, nil
}

// judge says what a status means.
func judge(status int) error {
	switch {
	case status < 300:
		return nil
	case status == http.StatusNotFound:
		return errNotFound
	case status == http.StatusConflict:
		return sinks.ErrHeld
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: the API server answers %d: bind a Role with get, create and update on leases to the service account", sinks.ErrRefused, status)
	}
	return fmt.Errorf("%w: the API server answers %d", sinks.ErrUnavailable, status)
}
