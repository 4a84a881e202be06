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

// requestLimit is how long the API server may take to answer.
const requestLimit = 5 * time.Second

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
	*sinks.RenewedLease
	options Options
	client  *http.Client
	now     func() time.Time
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
	l := &Leases{options: o, client: &http.Client{Transport: transport, Timeout: requestLimit}, now: time.Now}
	l.RenewedLease = sinks.NewRenewedLease(l.take)
	return l
}

// Close gives idle connections up.
func (l *Leases) Close() error {
	l.client.CloseIdleConnections()
	return nil
}

// take takes the lease if it is free, or its holder has let it run out.
func (l *Leases) take(ctx context.Context, name string) (sinks.Tenure, error) {
	name = l.options.Prefix + "-" + name
	me := l.options.Holder + "_" + sinks.NewID().String()[:8]
	method, wanted := http.MethodPut, (*lease)(nil)
	switch found, err := l.get(ctx, name); {
	case errors.Is(err, errNotFound):
		method, wanted = http.MethodPost, newLease(name)
	case err != nil:
		return nil, err
	case !found.free(l.now()):
		return nil, sinks.ErrHeld
	default:
		wanted = found
	}
	wanted.hold(me, l.now(), l.Duration)
	written, err := l.write(ctx, method, wanted)
	if err != nil {
		return nil, err
	}
	return &tenure{l, written}, nil
}

// tenure is a lease that this process has.
type tenure struct {
	leases *Leases
	lease  *lease
}

// Renew implements sinks.Tenure.
func (t *tenure) Renew(ctx context.Context) error {
	next := *t.lease
	next.renewed(t.leases.now())
	written, err := t.leases.write(ctx, http.MethodPut, &next)
	if err == nil {
		t.lease = written
	}
	return err
}

// GiveBack implements sinks.Tenure.
func (t *tenure) GiveBack(ctx context.Context) {
	t.lease.giveBack(t.leases.now())
	_, _ = t.leases.write(ctx, http.MethodPut, t.lease)
}
