package bucket

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// openS3 returns a bucket of a server, or of a proxy in front of it at address.
func openS3(t testing.TB, g *sinktest.Gateway, address, bucket string) *S3 {
	t.Helper()
	s, err := NewS3(S3Options{Endpoint: address, PlainHTTP: true, Region: sinktest.GatewayRegion, Credentials: g.Credentials(), Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// begin leaves an unfinished upload with one part.
func begin(t testing.TB, g *sinktest.Gateway, bucket, key string) {
	t.Helper()
	core := minio.Core{Client: g.Client}
	id, err := core.NewMultipartUpload(t.Context(), bucket, key, minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.PutObjectPart(t.Context(), bucket, key, id, 1, strings.NewReader("half"), 4, minio.PutObjectPartOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestS3IsABucket(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	for name, versions := range map[string]bool{"WithoutVersions": false, "WithVersions": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sinktest.TestBucket(t, func(t *testing.T) sinktest.BucketUnderTest {
				bucket := g.MakeBucket(t, versions, false)
				s := openS3(t, g, g.Address, bucket)
				s.page = 70 // so that there are many
				return sinktest.BucketUnderTest{
					Bucket: s, KeepsVersions: versions,
					Begin: func(t testing.TB, key string) { begin(t, g, bucket, key) },
				}
			})
		})
	}
}

func TestDeleteMarkersAndNullVersionsAreFoundAndDeleted(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	bucket := g.MakeBucket(t, false, false)
	s := openS3(t, g, g.Address, bucket)
	keys := []string{"hidden", "shown", "late", "hidden/below"}
	sinktest.Fill(t, s, "hidden", "shown") // before versions were switched on: null
	if err := g.Client.EnableVersioning(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	sinktest.Fill(t, s, "hidden", "shown")
	hide := func(key string) {
		t.Helper()
		if err := g.Client.RemoveObject(t.Context(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	hide("hidden")
	hide("shown")
	sinktest.Fill(t, s, "shown")
	if err := g.Client.SuspendVersioning(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	sinktest.Fill(t, s, "late") // null again

	if listed := sinktest.Listed(t, s, ""); !slices.Equal(listed, []string{"late", "shown"}) {
		t.Errorf("listed %q, want those that are not hidden", listed)
	}
	count := map[string]map[sinks.VersionKind]int{"hidden": {}, "shown": {}, "late": {}}
	found := sinktest.Found(t, s, keys...)
	for _, v := range found {
		count[v.Key][v.Kind]++
		if hides := v.Key == "hidden"; v.Latest && (v.Kind == sinks.DeleteMarker) != hides {
			t.Errorf("the latest of %s is %+v", v.Key, v)
		}
	}
	want := map[string]map[sinks.VersionKind]int{
		"hidden": {sinks.ObjectVersion: 2, sinks.DeleteMarker: 1},
		"shown":  {sinks.ObjectVersion: 3, sinks.DeleteMarker: 1},
		"late":   {sinks.ObjectVersion: 1},
	}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("found %v, want %v", count, want)
	}
	sinktest.Clear(t, s, found)
	if left := sinktest.Found(t, s, keys...); len(left) > 0 {
		t.Errorf("left %+v", left)
	}
}

func TestObjectOfThousandsOfVersionsIsFoundWhole(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	s := openS3(t, g, g.Address, g.MakeBucket(t, true, false))
	const versions = 1100 // more than a store lists, or deletes, at once
	many := make([]string, versions)
	for i := range many {
		many[i] = "a/many"
	}
	sinktest.Fill(t, s, append(many, "a/before", "a/next", "a-", "b")...)
	found := sinktest.Found(t, s, "a/many", "a/next", "a-")
	if len(found) != versions+2 {
		t.Fatalf("%d versions, want %d", len(found), versions+2)
	}
	sinktest.Clear(t, s, found)
	if left := sinktest.Found(t, s, "a/many", "a/next", "a-"); len(left) > 0 {
		t.Errorf("%d left", len(left))
	}
	if listed := sinktest.Listed(t, s, ""); !slices.Equal(listed, []string{"a/before", "b"}) {
		t.Errorf("listed %q", listed)
	}
}

func TestLockedVersionsAreRefusedWithTheirDate(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	bucket := g.MakeBucket(t, true, true)
	s := openS3(t, g, g.Address, bucket)
	sinktest.Fill(t, s, "free", "kept", "kept-for-review", "held", "both")
	until := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	for key, mode := range map[string]minio.RetentionMode{"kept": minio.Compliance, "kept-for-review": minio.Governance, "both": minio.Compliance} {
		if err := g.Client.PutObjectRetention(t.Context(), bucket, key, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until}); err != nil {
			t.Fatal(err)
		}
	}
	on := minio.LegalHoldEnabled
	for _, key := range []string{"held", "both"} {
		if err := g.Client.PutObjectLegalHold(t.Context(), bucket, key, minio.PutObjectLegalHoldOptions{Status: &on}); err != nil {
			t.Fatal(err)
		}
	}
	sinktest.Fill(t, s, "kept") // a newer version, which is not locked
	want := map[string]*sinks.LockedError{
		"kept": {Until: until}, "kept-for-review": {Until: until}, "held": {Held: true}, "both": {Until: until, Held: true},
	}
	found := sinktest.Found(t, s, "free", "kept", "kept-for-review", "held", "both")
	refused := 0
	for i, err := range s.Delete(t.Context(), found) {
		v := found[i]
		var locked *sinks.LockedError
		if v.Key == "free" || v.Key == "kept" && v.Latest {
			if err != nil {
				t.Errorf("%s: %v", v.Key, err)
			}
			continue
		}
		refused++
		if !errors.As(err, &locked) || !errors.Is(err, sinks.ErrRefused) || *locked != *want[v.Key] {
			t.Errorf("%s: %v, want %v", v.Key, err, want[v.Key])
		}
	}
	if left := sinktest.Found(t, s, "free", "kept", "kept-for-review", "held", "both"); refused != 4 || len(left) != 4 {
		t.Errorf("%d refused, %d left, want 4: %+v", refused, len(left), left)
	}
}

func TestEveryFaultIsOvercomeOrReported(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	for name, fault := range map[string]sinktest.Fault{
		"SlowDown": sinktest.SlowDown, "Silence": sinktest.Silence, "DoneUnheard": sinktest.DoneUnheard,
		"DoneSilence": sinktest.DoneSilence, "BrokenAnswer": sinktest.BrokenAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := g.MakeBucket(t, true, false)
			direct := openS3(t, g, g.Address, bucket)
			sinktest.Fill(t, direct, "a", "a", "b")
			begin(t, g, bucket, "a")
			odd := 0
			f := sinktest.StartFaults(t, g.Address, func(r *http.Request) sinktest.Fault {
				if odd++; odd%2 == 1 {
					return fault
				}
				return sinktest.NoFault
			})
			s := openS3(t, g, f.Address, bucket)
			s.wire.timeout = 200 * time.Millisecond
			found := sinktest.Found(t, s, "a", "b")
			if len(found) != 4 {
				t.Errorf("found %+v, want 4", found)
			}
			errs := s.Delete(t.Context(), found)
			for _, err := range errs { // what broke off after it was done is not known to be done
				if err != nil && !errors.Is(err, sinks.ErrUnavailable) {
					t.Errorf("%v, want %v", err, sinks.ErrUnavailable)
				}
			}
			if left := sinktest.Found(t, direct, "a", "b"); len(left) > 0 {
				t.Errorf("left %+v", left)
			}
			if f.Met()[fault] == 0 {
				t.Error("the fault did not occur")
			}
		})
	}
}

func TestStoreThatDoesNotAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	bucket := g.MakeBucket(t, true, false)
	sinktest.Fill(t, openS3(t, g, g.Address, bucket), "secret-name")
	f := sinktest.StartFaults(t, g.Address, func(*http.Request) sinktest.Fault { return sinktest.Silence })
	s := openS3(t, g, f.Address, bucket)
	s.wire.timeout = time.Millisecond
	errs := append(s.Delete(t.Context(), []sinks.Version{{Key: "secret-name", ID: "null"}}),
		s.List(t.Context(), "secret-name", func(sinks.Object) error { return nil }))
	for _, err := range errs {
		if !errors.Is(err, sinks.ErrUnavailable) || sinks.ClassOf(err) != sinks.ErrorUnavailable || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %v and no name", err, sinks.ErrUnavailable)
		}
	}
}

func TestWhatTheStoreForbidsIsRefused(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	s, err := NewS3(S3Options{Endpoint: g.Address, PlainHTTP: true, Region: sinktest.GatewayRegion, Bucket: g.MakeBucket(t, true, false),
		Credentials: credentials.NewStaticV4(sinktest.GatewayAccessKey, "wrong", "")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for what, b := range map[string]sinks.Bucket{"wrong secret": s, "no such bucket": openS3(t, g, g.Address, "nowhere")} {
		looked := b.Versions(t.Context(), []string{"a"}, func(sinks.Version) error { return nil })
		for _, err := range append(b.Delete(t.Context(), []sinks.Version{{Key: "a", ID: "null"}}), looked) {
			if !errors.Is(err, sinks.ErrRefused) {
				t.Errorf("%s: %v, want %v", what, err, sinks.ErrRefused)
			}
		}
	}
}

// MinIO lists unfinished uploads only to who names their key; so do stores made from
// it, which do not say so.
func TestUploadsAreFoundWhereTheyAreListedByKeyAlone(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	for name, server := range map[string]string{"Recognised": "MinIO", "Set": "other"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := g.MakeBucket(t, true, false)
			s := openS3(t, g, listingByKey(t, g, server), bucket)
			s.wire.byKey.Store(name == "Set")
			begin(t, g, bucket, "a/b")
			begin(t, g, bucket, "a/b.c")
			found := sinktest.Found(t, s, "a/b", "c")
			if len(found) != 1 || found[0].Key != "a/b" || found[0].Kind != sinks.UnfinishedUpload {
				t.Errorf("found %+v, want the upload", found)
			}
		})
	}
}

// listingByKey returns the address of a proxy that answers as such a store.
func listingByKey(t *testing.T, g *sinktest.Gateway, server string) string {
	t.Helper()
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: g.Address})
		r.Out.Host = r.In.Host // the signature is about it
	}}
	through.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Server", server)
		if q := r.Request.URL.Query(); q.Has("uploads") && r.Request.Method == http.MethodGet && q.Get("prefix") == "" {
			_ = r.Body.Close()
			empty := "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(empty)), int64(len(empty))
			r.Header.Set("Content-Length", fmt.Sprint(len(empty)))
		}
		return nil
	}
	proxy := httptest.NewServer(through)
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}
