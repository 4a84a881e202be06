package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/sinks"
)

// lookUps is how many locks are looked up, and uploads given up, side by side.
const lookUps = 8

// Delete implements sinks.Bucket. Versions and markers go in one request, unfinished
// uploads one by one, because S3 has no other way.
func (s *S3) Delete(ctx context.Context, versions []sinks.Version) []error {
	errs := make([]error, len(versions))
	var together []int
	var group errgroup.Group
	group.SetLimit(lookUps)
	for i, v := range versions {
		if v.Kind == sinks.UnfinishedUpload {
			group.Go(func() error {
				errs[i] = s.abort(ctx, v)
				return nil
			})
			continue
		}
		together = append(together, i)
	}
	_ = group.Wait() // the errors are in errs
	s.deleteTogether(ctx, versions, together, errs)
	for _, i := range together {
		if errors.Is(errs[i], sinks.ErrRefused) {
			group.Go(func() error {
				errs[i] = s.whyRefused(ctx, versions[i], errs[i])
				return nil
			})
		}
	}
	_ = group.Wait()
	return errs
}

// abort gives an unfinished upload up.
func (s *S3) abort(ctx context.Context, v sinks.Version) error {
	err := s.core.AbortMultipartUpload(ctx, s.bucket, v.Key, v.ID)
	if minio.ToErrorResponse(err).Code == minio.NoSuchUpload {
		return nil
	}
	return failure(ctx, "give up upload", err)
}

// deleteTogether deletes the versions at the given places in one request, and sets
// their errors.
func (s *S3) deleteTogether(ctx context.Context, versions []sinks.Version, places []int, errs []error) {
	if len(places) == 0 {
		return
	}
	objects := make([]minio.ObjectInfo, len(places))
	for n, i := range places {
		objects[n] = minio.ObjectInfo{Key: versions[i].Key, VersionID: versions[i].ID}
	}
	err := s.wire.pace.wait(ctx, len(places)-1) // the request itself is the first
	var results func(func(minio.RemoveObjectResult) bool)
	if err == nil {
		results, err = s.client.RemoveObjectsWithIter(ctx, s.bucket, slices.Values(objects), minio.RemoveObjectsOptions{})
	}
	if err == nil && ctx.Err() == nil {
		for r := range results {
			switch {
			case r.Err == nil:
			case r.ObjectName == "": // the answer could not be read
				err = r.Err
			default:
				s.blame(ctx, r, versions, places, errs)
			}
		}
	}
	// Whoever is not spoken of was not there.
	if err = errors.Join(err, ctx.Err()); err != nil {
		for _, i := range places {
			errs[i] = errors.Join(errs[i], failure(ctx, "delete objects", err))
		}
	}
}

// blame sets the error of the version that a result names. Not every store names it
// whole.
func (s *S3) blame(ctx context.Context, r minio.RemoveObjectResult, versions []sinks.Version, places []int, errs []error) {
	for _, i := range places {
		if v := versions[i]; v.Key == r.ObjectName && (v.ID == r.ObjectVersionID || r.ObjectVersionID == "") {
			errs[i] = failure(ctx, "delete object", r.Err)
		}
	}
}

// whyRefused asks how long the store keeps a version that it refused to delete.
func (s *S3) whyRefused(ctx context.Context, v sinks.Version, refused error) error {
	held, err := s.client.GetObjectLegalHold(ctx, s.bucket, v.Key, minio.GetObjectLegalHoldOptions{VersionID: v.ID})
	locked := sinks.LockedError{Held: err == nil && held != nil && *held == minio.LegalHoldEnabled}
	if until := s.retainedUntil(ctx, v); until.After(time.Now()) {
		locked.Until = until.UTC()
	}
	if locked == (sinks.LockedError{}) {
		return refused
	}
	return fmt.Errorf("delete object: %w", &locked)
}

// retainedUntil returns until when a version is under Object Lock; zero if it is
// not, or if the credentials do not allow to know.
func (s *S3) retainedUntil(ctx context.Context, v sinks.Version) time.Time {
	_, until, err := s.client.GetObjectRetention(ctx, s.bucket, v.Key, v.ID)
	if err == nil && until != nil {
		return *until
	}
	if err == nil || minio.ToErrorResponse(err).Code != "" { // a clear answer
		return time.Time{}
	}
	// Some stores call the element around it otherwise than the client knows it.
	address, err := s.client.Presign(ctx, http.MethodGet, s.bucket, v.Key, time.Minute, url.Values{"retention": {""}, "versionId": {v.ID}})
	if err != nil {
		return time.Time{}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return time.Time{}
	}
	response, err := s.wire.RoundTrip(request)
	if err != nil {
		return time.Time{}
	}
	defer response.Body.Close() //nolint:errcheck // read only
	var answer struct{ RetainUntilDate time.Time }
	if response.StatusCode != http.StatusOK || xml.NewDecoder(response.Body).Decode(&answer) != nil {
		return time.Time{}
	}
	return answer.RetainUntilDate
}
