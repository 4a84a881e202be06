package bucket

import (
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

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
