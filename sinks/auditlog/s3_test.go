package auditlog

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// gateway is a real S3 server over a local folder, on a free loopback port.
type gateway struct {
	options S3Options
	client  *minio.Client
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	binary := gatewayTool.path(t)
	address := freeAddress(t)
	cmd := exec.Command(binary, "--port", address, "--quiet", "posix", "--versioning-dir", t.TempDir(), t.TempDir())
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=test", "ROOT_SECRET_KEY=testsecret")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	g := &gateway{options: S3Options{
		Endpoint:    address,
		PlainHTTP:   true,
		Region:      "us-east-1",
		Credentials: credentials.NewStaticV4("test", "testsecret", ""),
	}}
	var err error
	g.client, err = minio.New(address, &minio.Options{Creds: g.options.Credentials, Region: g.options.Region})
	if err != nil {
		t.Fatal(err)
	}
	g.await(t, exited, &output)
	return g
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// await returns when the server answers.
func (g *gateway) await(t *testing.T, exited <-chan struct{}, output *bytes.Buffer) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, err := g.client.ListBuckets(ctx); err == nil {
			return
		}
		select {
		case <-exited:
			t.Skipf("the S3 server does not run here: %s", output)
		case <-ctx.Done():
			t.Fatal("the S3 server does not answer")
		case <-tick.C:
		}
	}
}

// bucket makes a bucket and returns how to open it.
func (g *gateway) bucket(t *testing.T, name string, retention time.Duration) func(*testing.T) Store {
	t.Helper()
	err := g.client.MakeBucket(context.Background(), name, minio.MakeBucketOptions{ObjectLocking: retention > 0})
	if err != nil {
		t.Fatal(err)
	}
	o := g.options
	o.Bucket, o.Prefix, o.Retention = name, "audit/", retention
	return func(t *testing.T) Store {
		s, err := NewS3(o, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestS3IsAStore(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	testStore(t, g.bucket(t, "store", 0))
}

func TestLogOnS3IsOneHistory(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	testLogOn(t, g.bucket(t, "history", 0))
}

func TestObjectLockKeepsWhatIsThereForGood(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	open := g.bucket(t, "locked", time.Hour)
	k := testKey(t)
	l := openTestLog(t, open(t), k, atStart)
	mustAppend(t, l, pairs(300)...)
	mustAppend(t, l, pairs(10)...)
	_ = l.Close()
	mustVerify(t, open(t), k)
	ctx := context.Background()
	for name, locked := range map[string]bool{
		"2026/checkpoint":             true,
		"2026/tile/entries/000":       true,
		"2026/tile/0/000":             true,
		"2026/tile/entries/001.p/54":  false,
		"2026/tile/entries/001.p/44":  false,
		"2026/tile/0/001.p/54":        false,
		"2026/tile/1/000.p/1":         false,
		"2026/tile/entries/000.p/128": false,
	} {
		info, err := g.client.StatObject(ctx, "locked", "audit/"+name, minio.StatObjectOptions{})
		if err != nil {
			continue // a partial version that was never published
		}
		err = g.client.RemoveObject(ctx, "locked", "audit/"+name, minio.RemoveObjectOptions{VersionID: info.VersionID})
		if refused := err != nil; refused != locked {
			t.Errorf("%s: removing its version: %v; want it locked: %v", name, err, locked)
		}
	}
}

// ignorant answers as an object store does that knows no conditions.
type ignorant struct{ http.RoundTripper }

func (i ignorant) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := i.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusPreconditionFailed {
		_ = response.Body.Close()
		response.StatusCode, response.Body = http.StatusOK, http.NoBody
		response.Header.Set("ETag", "\"0\"")
	}
	return response, err
}

func TestStoreWithoutConditionsIsRefused(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	s := g.bucket(t, "ignorant", 0)(t).(*S3)
	s.client = clientThrough(t, g, ignorant{http.DefaultTransport})
	s.once = s.client
	err := s.Swap(context.Background(), "2026/checkpoint", nil, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "ignores") {
		t.Fatalf("%v, want a refusal", err)
	}
}

// lossy loses the answer to one PUT of a checkpoint that the store has carried
// out: "failed, but persisted".
type lossy struct {
	http.RoundTripper
	left int
}

var errLost = errors.New("answer lost")

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/checkpoint") && l.left > 0 {
		l.left--
		_ = response.Body.Close()
		return nil, errLost
	}
	return response, err
}

func clientThrough(t *testing.T, g *gateway, through http.RoundTripper) *minio.Client {
	t.Helper()
	c, err := minio.New(g.options.Endpoint, &minio.Options{
		Creds: g.options.Credentials, Region: g.options.Region, MaxRetries: 1, Transport: through,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSwapWhoseAnswerIsLostLosesNothing(t *testing.T) {
	t.Parallel()
	g := startGateway(t)
	open := g.bucket(t, "lossy", 0)
	s := open(t).(*S3)
	s.once = clientThrough(t, g, &lossy{http.DefaultTransport, 1})
	k := testKey(t)
	l := openTestLog(t, s, k, atStart)
	if err := l.Append(context.Background(), pairs(2)...); err == nil {
		t.Fatal("an append whose fate is unknown was acknowledged")
	}
	mustVerify(t, open(t), k)
	mustAppend(t, l, pairs(2)...)
	_ = l.Close()
	if r := mustVerify(t, open(t), k); r.Entries != 4 || r.Staged != 0 {
		t.Fatalf("%d entries, %d staged; want the persisted batch and the next, settled", r.Entries, r.Staged)
	}
}
