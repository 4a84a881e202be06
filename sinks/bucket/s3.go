package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/facesoft/lapse/sinks"
)

// S3Options say which bucket of an object store is meant.
type S3Options struct {
	Endpoint    string // host, or host and port
	PlainHTTP   bool   // without TLS: for a server on this machine
	Region      string // as the store names it; asked for if empty
	Credentials *credentials.Credentials
	Bucket      string
	// Rate is how many objects are listed, looked at or deleted in a second, or how
	// many requests are sent if those are more; 0 means no limit. A list of up to
	// 1,000 counts once, a deletion of 1,000 counts 1,000 times, as S3 counts.
	Rate float64
	// UploadsByKey is for stores that list unfinished uploads only to who names their
	// key. MinIO is recognised as one by its answers.
	UploadsByKey bool
	// Timeout is how long one request other than an upload may take; 0 means a
	// minute. It is repeated then.
	Timeout time.Duration
}

// S3 is a bucket in an object store with the S3 API, with or without versions.
// Requests that fail for a passing reason, such as 503 SlowDown, are repeated up to
// ten times with growing, random pauses of up to a second.
type S3 struct {
	client *minio.Client
	core   minio.Core // the same, for what only it can do
	wire   *transport
	bucket string
	page   int // how many entries are asked for at once, at most
}

var _ sinks.Bucket = (*S3)(nil)

const (
	maxKeyBytes    = 1024
	uploadPart     = 16 << 20 // bytes held in memory while an object is put
	pageSize       = 1000     // entries a store is asked for at once: the most that S3 gives
	defaultTimeout = time.Minute
)

// NewS3 returns the bucket. Nothing is sent yet.
func NewS3(o S3Options) (*S3, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	wire, err := newTransport(!o.PlainHTTP, o.Rate, o.Timeout)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	wire.byKey.Store(o.UploadsByKey)
	client, err := minio.New(o.Endpoint, &minio.Options{
		Creds: o.Credentials, Secure: !o.PlainHTTP, Region: o.Region, Transport: wire,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return &S3{client: client, core: minio.Core{Client: client}, wire: wire, bucket: o.Bucket, page: pageSize}, nil
}

// Close gives idle connections up.
func (s *S3) Close() error {
	s.wire.base.CloseIdleConnections()
	return nil
}

// Put implements sinks.Bucket.
func (s *S3) Put(ctx context.Context, key string, content io.Reader) error {
	if err := validKey(key); err != nil {
		return err
	}
	// What is small is sent in one request, which can be repeated.
	first, err := io.ReadAll(io.LimitReader(content, uploadPart))
	if err != nil {
		return fmt.Errorf("put object: read its content: %w", err)
	}
	var whole io.Reader = bytes.NewReader(first)
	size := int64(len(first))
	if size == uploadPart {
		whole, size = io.MultiReader(whole, content), -1
	}
	_, err = s.client.PutObject(ctx, s.bucket, key, whole, size, minio.PutObjectOptions{PartSize: uploadPart})
	return failure(ctx, "put object", err)
}

// Get implements sinks.ReadableBucket.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := validKey(key); err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err == nil {
		_, err = object.Stat() // nothing is sent before
	}
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("get object: %w", sinks.ErrSourceMissing)
	}
	if err != nil {
		return nil, failure(ctx, "get object", err)
	}
	return content{ctx, object}, nil
}

// content is an object that is being read.
type content struct {
	ctx context.Context
	*minio.Object
}

func (c content) Read(p []byte) (int, error) {
	n, err := c.Object.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = failure(c.ctx, "get object", err)
	}
	return n, err
}

// List implements sinks.Bucket.
func (s *S3) List(ctx context.Context, prefix string, each func(sinks.Object) error) error {
	for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return failure(ctx, "list objects", object.Err)
		}
		if err := each(sinks.Object{Key: object.Key, Bytes: object.Size, Modified: object.LastModified.UTC()}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// validKey refuses what no object of an S3 store can be called, or what cannot be
// asked for.
func validKey(key string) error {
	if strings.TrimSpace(key) == "" || len(key) > maxKeyBytes || !utf8.ValidString(key) {
		return fmt.Errorf("%w: the key of an object is blank, longer than %d bytes, or not UTF-8", sinks.ErrInvalidInput, maxKeyBytes)
	}
	return nil
}

// failure says what went wrong without what it was about: the messages of stores
// and the addresses of requests hold keys.
func failure(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer in time")
		}
		return fmt.Errorf("%s: %w: %w", doing, sinks.ErrUnavailable, err)
	}
	class := sinks.ErrRefused
	if passing(answer) {
		class = sinks.ErrUnavailable
	}
	return fmt.Errorf("%s: %w: the store answers %s", doing, class, answer.Code)
}

// passing reports whether trying again later may help.
func passing(answer minio.ErrorResponse) bool {
	switch answer.Code {
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "Throttling", "RequestLimitExceeded":
		return true
	}
	return answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusNotImplemented ||
		answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
}
