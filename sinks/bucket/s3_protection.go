package bucket

import (
	"context"
	"errors"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/sinks"
)

// Protection says what a bucket does to keep objects from being lost.
type Protection struct {
	Versioned bool // it keeps earlier versions
	Locked    bool // it can lock objects (Object Lock)
}

// Protection asks how the bucket is set up, and whether its versions can be listed, as
// a purge has to.
func (s *S3) Protection(ctx context.Context) (p Protection, err error) {
	versioning, err := s.client.GetBucketVersioning(ctx, s.bucket)
	if err != nil && !unsupported(err) {
		return p, failure(ctx, "look at the bucket", err)
	}
	p.Versioned = versioning.Enabled() || versioning.Suspended()
	if _, _, _, _, err = s.client.GetObjectLockConfig(ctx, s.bucket); err == nil {
		p.Locked = true
	} else if failed := failure(ctx, "look at the bucket", err); errors.Is(failed, sinks.ErrUnavailable) {
		return p, failed
	}
	return p, s.Versions(ctx, []string{"lapse-doctor-looks-for-nothing"}, func(sinks.Version) error { return nil })
}

// unsupported reports whether a store does not know versions at all.
func unsupported(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.Code == "NotImplemented" || answer.Code == "VersioningNotConfigured")
}
