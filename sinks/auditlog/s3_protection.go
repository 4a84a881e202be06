package auditlog

import (
	"context"
	"errors"
	"io/fs"
)

// Locks reports whether the bucket can lock objects (Object Lock), so that the log's
// files can be kept from whoever has its credentials.
func (s *S3) Locks(ctx context.Context) (bool, error) {
	for _, err := range s.List(ctx, "") { // it must be there, and can be read
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		break
	}
	_, _, _, _, err := s.client.GetObjectLockConfig(ctx, s.options.Bucket)
	return err == nil, nil
}
