// Package kubelease lets one process of a cluster run a job at a time, by Lease objects
// of Kubernetes (coordination.k8s.io/v1), in the way of client-go's leader election. It
// speaks to the API server itself: of that API three requests are needed, and the
// client library would be larger than the rest of the program.
//
// A lease does not fence: a holder that has slept past its end may still be at work when
// another begins. Nothing may rest on there being one.
package kubelease

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// How long a lease lasts that is not renewed, how often it is renewed, and how often
// one that somebody else has is looked at.
const (
	leaseDuration = 30 * time.Second
	renewInterval = 10 * time.Second
	waitInterval  = 2 * time.Second
	requestLimit  = 5 * time.Second
)

// podFolder is where a pod finds its credentials.
const podFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// Options say which API server is asked, and by whom.
type Options struct {
	Server    *url.URL // such as https://10.0.0.1:443
	Namespace string
	CA        *x509.CertPool
	// TokenFile is read before each request: tokens are replaced while a pod runs.
	TokenFile string
	// Prefix begins the names of the leases; two installations in one namespace need
	// two.
	Prefix string
	Holder string // names this process to people
}

// Leases are leases in one namespace.
type Leases struct {
	options Options
	client  *http.Client
	now     func() time.Time
	// The intervals; tests have shorter ones.
	duration, renew, wait time.Duration
}

var _ sinks.Lease = (*Leases)(nil)

// InPod returns the leases that the pod's service account may use in the pod's own
// namespace. Nothing is sent yet.
func InPod(prefix string) (*Leases, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("open leases: this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set); set lease.kind to file")
	}
	ca, err := os.ReadFile(filepath.Join(podFolder, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("open leases: %w; set automountServiceAccountToken for the pod", err)
	}
	namespace, err := os.ReadFile(filepath.Join(podFolder, "namespace"))
	if err != nil {
		return nil, fmt.Errorf("open leases: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("open leases: the cluster's ca.crt holds no certificate")
	}
	holder, _ := os.Hostname() // the pod's name
	return New(Options{
		Server: &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}, Namespace: strings.TrimSpace(string(namespace)),
		CA: pool, TokenFile: filepath.Join(podFolder, "token"), Prefix: prefix, Holder: holder,
	}), nil
}

// New returns leases. Nothing is sent yet.
func New(o Options) *Leases {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	return &Leases{
		options: o, client: &http.Client{Transport: transport, Timeout: requestLimit}, now: time.Now,
		duration: leaseDuration, renew: renewInterval, wait: waitInterval,
	}
}

// Close gives idle connections up.
func (l *Leases) Close() error {
	l.client.CloseIdleConnections()
	return nil
}

// Hold implements sinks.Lease. The context it returns ends when the lease could not be
// renewed in time, or somebody else has taken it.
func (l *Leases) Hold(ctx context.Context, name string, wait bool) (context.Context, func(), error) {
	name = l.options.Prefix + "-" + name
	me := l.options.Holder + "_" + sinks.NewID().String()[:8]
	var mine *lease
	for {
		var err error
		if mine, err = l.take(ctx, name, me); err == nil {
			break
		}
		if !errors.Is(err, sinks.ErrHeld) || !wait {
			return nil, nil, fmt.Errorf("hold the lease %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("wait for the lease %s: %w", name, ctx.Err())
		case <-time.After(l.wait):
		}
	}
	held, lose := context.WithCancelCause(ctx)
	ending, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		l.keep(held, mine, ending, lose)
	}()
	return held, func() {
		close(ending)
		<-ended
		lose(nil)
	}, nil
}

// take takes the lease if it is free, or its holder has let it run out.
func (l *Leases) take(ctx context.Context, name, me string) (*lease, error) {
	found, err := l.get(ctx, name)
	if errors.Is(err, errNotFound) {
		fresh := newLease(name)
		fresh.hold(me, l.now(), l.duration)
		return l.write(ctx, http.MethodPost, fresh)
	}
	if err != nil {
		return nil, err
	}
	if !found.free(l.now()) {
		return nil, sinks.ErrHeld
	}
	found.hold(me, l.now(), l.duration)
	return l.write(ctx, http.MethodPut, found)
}

// keep renews the lease until ending is closed, and then gives it back.
func (l *Leases) keep(ctx context.Context, mine *lease, ending <-chan struct{}, lose context.CancelCauseFunc) {
	renewed := l.now()
	ticks := time.NewTicker(l.renew)
	defer ticks.Stop()
	for {
		select {
		case <-ending:
			back, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestLimit)
			defer cancel()
			mine.giveBack(l.now())
			_, _ = l.write(back, http.MethodPut, mine) // else it runs out by itself
			return
		case <-ticks.C:
		}
		next := *mine
		next.renewed(l.now())
		written, err := l.write(context.WithoutCancel(ctx), http.MethodPut, &next)
		switch {
		case err == nil:
			mine, renewed = written, l.now()
		case errors.Is(err, sinks.ErrHeld), l.now().Sub(renewed) > l.duration:
			lose(fmt.Errorf("the lease %s is lost: %w", mine.Metadata.Name, err))
			<-ending
			return
		}
	}
}
