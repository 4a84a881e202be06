package auditlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/facesoft/lapse/sinks"
)

var _ Store = (*S3)(nil)

// S3Options says where in an object store a log lives.
type S3Options struct {
	Endpoint    string // host, or host and port
	PlainHTTP   bool   // without TLS: for a server on this machine
	Region      string
	Credentials *credentials.Credentials
	Bucket      string
	Prefix      string // of the objects' keys: none, or ending in a slash
	// Retention, unless zero, is how long every object that is there for good
	// (checkpoints, full tiles and bundles, rotations) is put under Object Lock
	// in compliance mode: not even the account's owner can remove it before. The
	// bucket must have been made with Object Lock.
	Retention time.Duration
}

// S3 is a Store in an object store with the S3 API. The fence is a conditional
// PUT of the checkpoint (If-Match, If-None-Match), which the object store must
// honour: the first Swap makes sure that it does. There are no locks, so writers
// that meet pay with a repetition. Every checkpoint there ever was stays in a
// bucket with versions.
type S3 struct {
	client  *minio.Client // repeats what failed
	once    *minio.Client // does not: a swap that succeeded must not be tried again
	options S3Options
	now     func() time.Time // for retention

	mu    sync.Mutex
	seen  map[string]version // by name: what was last read or swapped in
	probe sync.Once
	fails error // of the probe
}

// version is the content of an object with its entity tag.
type version struct {
	data []byte
	etag string
}

// NewS3 returns a store in a bucket that exists. Nothing is sent yet. Times of
// retention count from now.
func NewS3(options S3Options, now func() time.Time) (*S3, error) {
	if options.Bucket == "" || options.Prefix != "" && !strings.HasSuffix(options.Prefix, "/") {
		return nil, errors.New("open audit bucket: need a bucket, and a prefix that ends in a slash or none")
	}
	connection := minio.Options{
		Creds:  options.Credentials,
		Secure: !options.PlainHTTP,
		Region: options.Region,
	}
	client, err := minio.New(options.Endpoint, &connection)
	if err != nil {
		return nil, fmt.Errorf("open audit bucket: %w", err)
	}
	connection.MaxRetries = 1
	once, err := minio.New(options.Endpoint, &connection)
	if err != nil {
		return nil, fmt.Errorf("open audit bucket: %w", err)
	}
	return &S3{client: client, once: once, options: options, now: now, seen: map[string]version{}}, nil
}

func (s *S3) key(name string) (string, error) {
	clean, err := cleanName(name)
	return s.options.Prefix + clean, err
}

// Read implements Files.
func (s *S3) Read(ctx context.Context, name string) ([]byte, error) {
	v, err := s.get(ctx, name)
	return bytes.Clone(v.data), err
}

func (s *S3) get(ctx context.Context, name string) (version, error) {
	key, err := s.key(name)
	if err != nil {
		return version{}, err
	}
	object, err := s.client.GetObject(ctx, s.options.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return version{}, s3Error("read", name, err)
	}
	defer func() { _ = object.Close() }()
	data, err := io.ReadAll(object)
	if err != nil {
		return version{}, s3Error("read", name, err)
	}
	info, err := object.Stat()
	if err != nil {
		return version{}, s3Error("read", name, err)
	}
	v := version{data, info.ETag}
	s.remember(name, v)
	return v, nil
}

// remember keeps the entity tag of a checkpoint, so that swapping it needs no
// further look.
func (s *S3) remember(name string, v version) {
	if strings.HasSuffix(name, "/"+checkpointName) {
		s.mu.Lock()
		s.seen[name] = v
		s.mu.Unlock()
	}
}

// s3Error gives the two errors that a Store promises to tell from others, and
// marks those that trying again later may help against.
func s3Error(op, name string, err error) error {
	if err == nil {
		return nil
	}
	switch r := minio.ToErrorResponse(err); {
	case r.Code == minio.NoSuchKey || r.StatusCode == http.StatusNotFound && r.Code != minio.NoSuchBucket:
		err = fs.ErrNotExist
	case r.StatusCode == http.StatusPreconditionFailed || r.StatusCode == http.StatusConflict:
		err = ErrConflict
	case r.StatusCode >= http.StatusInternalServerError || errors.As(err, new(*url.Error)):
		err = fmt.Errorf("%w: %w", sinks.ErrUnavailable, err)
	}
	return &fs.PathError{Op: op, Path: cmp.Or(name, "."), Err: err}
}

// List implements Files.
func (s *S3) List(ctx context.Context, dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		prefix := s.options.Prefix
		if dir != "" {
			prefix += dir + "/"
		}
		for object := range s.client.ListObjects(ctx, s.options.Bucket, minio.ListObjectsOptions{Prefix: prefix}) {
			if object.Err != nil {
				yield("", s3Error("list", dir, object.Err))
				return
			}
			name := strings.TrimPrefix(object.Key, s.options.Prefix)
			if name == temporaryName+"/" || object.Key == prefix {
				continue
			}
			if !yield(name, nil) {
				return
			}
		}
	}
}
