package bucket

import (
	"context"
	"iter"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/sinks"
)

// pages lists what comes after a key, below a prefix, one answer of the store, of up
// to size entries, at a time. Within an answer the order means nothing: some stores
// give the markers first.
type pages func(ctx context.Context, after, prefix string, size int) iter.Seq2[[]sinks.Version, error]

// versionPages lists versions and delete markers.
func (s *S3) versionPages(ctx context.Context, after, prefix string, size int) iter.Seq2[[]sinks.Version, error] {
	return func(yield func([]sinks.Version, error) bool) {
		size = min(size, s.page)
		counting, answers := countAnswers(ctx)
		o := minio.ListObjectsOptions{WithVersions: true, Recursive: true, StartAfter: after, Prefix: prefix, MaxKeys: size}
		var page []sinks.Version
		of := 0 // the answer that page is from
		for info := range s.client.ListObjectsIter(counting, s.bucket, o) {
			if info.Err != nil {
				yield(nil, failure(ctx, "list versions", info.Err))
				return
			}
			if len(page) > 0 && *answers != of {
				if !yield(page, nil) {
					return
				}
				page = page[:0]
			}
			of = *answers
			// A full page is given away now: to ask for more would send a request.
			if page = append(page, versionOf(info)); len(page) == size {
				if !yield(page, nil) {
					return
				}
				page = page[:0]
			}
		}
		if ctx.Err() != nil {
			yield(nil, failure(ctx, "list versions", ctx.Err()))
		} else if len(page) > 0 {
			yield(page, nil)
		}
	}
}

func versionOf(info minio.ObjectInfo) sinks.Version {
	v := sinks.Version{Key: info.Key, ID: info.VersionID, Latest: info.IsLatest, Bytes: info.Size, Modified: info.LastModified.UTC()}
	if info.IsDeleteMarker {
		v.Kind = sinks.DeleteMarker
	}
	return v
}

// uploadPages lists unfinished uploads.
func (s *S3) uploadPages(ctx context.Context, after, prefix string, size int) iter.Seq2[[]sinks.Version, error] {
	return func(yield func([]sinks.Version, error) bool) {
		var upload string
		for {
			answer, err := s.core.ListMultipartUploads(ctx, s.bucket, prefix, after, upload, "", min(size, s.page))
			if err != nil {
				yield(nil, failure(ctx, "list unfinished uploads", err))
				return
			}
			page := make([]sinks.Version, len(answer.Uploads))
			for i, u := range answer.Uploads {
				page[i] = sinks.Version{Key: u.Key, ID: u.UploadID, Kind: sinks.UnfinishedUpload, Bytes: u.Size, Modified: u.Initiated.UTC()}
			}
			if len(page) > 0 && !yield(page, nil) || !answer.IsTruncated {
				return
			}
			after, upload = answer.NextKeyMarker, answer.NextUploadIDMarker
		}
	}
}
