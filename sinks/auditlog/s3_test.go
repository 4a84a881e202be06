package auditlog

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// onS3 makes a bucket and returns how to open a store in it.
func onS3(t *testing.T, g *sinktest.Gateway, retention time.Duration) (o S3Options, open func(*testing.T) Store) {
	t.Helper()
	o = S3Options{
		Endpoint: g.Address, PlainHTTP: true, Region: sinktest.GatewayRegion, Credentials: g.Credentials(),
		Bucket: g.MakeBucket(t, false, retention > 0), Prefix: "audit/", Retention: retention,
	}
	return o, func(t *testing.T) Store {
		t.Helper()
		s, err := NewS3(o, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestS3IsAStore(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	_, open := onS3(t, g, 0)
	testStore(t, open)
}

func TestLogOnS3IsOneHistory(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	_, open := onS3(t, g, 0)
	testLogOn(t, open)
}

func TestObjectLockKeepsWhatIsThereForGood(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	options, open := onS3(t, g, time.Hour)
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
		info, err := g.Client.StatObject(ctx, options.Bucket, "audit/"+name, minio.StatObjectOptions{})
		if err != nil {
			continue // a partial version that was never published
		}
		err = g.Client.RemoveObject(ctx, options.Bucket, "audit/"+name, minio.RemoveObjectOptions{VersionID: info.VersionID})
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
	g := sinktest.StartGateway(t)
	options, open := onS3(t, g, 0)
	s := open(t).(*S3)
	s.client = clientThrough(t, options, ignorant{http.DefaultTransport})
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

func clientThrough(t *testing.T, o S3Options, through http.RoundTripper) *minio.Client {
	t.Helper()
	c, err := minio.New(o.Endpoint, &minio.Options{Creds: o.Credentials, Region: o.Region, MaxRetries: 1, Transport: through})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSwapWhoseAnswerIsLostLosesNothing(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	options, open := onS3(t, g, 0)
	s := open(t).(*S3)
	s.once = clientThrough(t, options, &lossy{http.DefaultTransport, 1})
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
