package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/facesoft/lapse/sinks"
)

// Write implements Store. The objects are put side by side, each only if there
// is none of its name.
func (s *S3) Write(ctx context.Context, files ...File) error {
	failed := make([]error, len(files))
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() { failed[i] = s.writeOnce(ctx, f) })
	}
	wg.Wait()
	return errors.Join(failed...)
}

func (s *S3) writeOnce(ctx context.Context, f File) error {
	options := s.putOptions(f.Name)
	options.SetMatchETagExcept("*")
	_, err := s.put(ctx, s.client, f, options)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	there, err := s.get(ctx, f.Name)
	if err == nil && !bytes.Equal(there.data, f.Data) {
		err = &fs.PathError{Op: "write", Path: f.Name, Err: ErrDiffers}
	}
	return err
}

func (s *S3) put(ctx context.Context, client *minio.Client, f File, options minio.PutObjectOptions) (etag string, err error) {
	key, err := s.key(f.Name)
	if err != nil {
		return "", err
	}
	info, err := client.PutObject(ctx, s.options.Bucket, key,
		bytes.NewReader(f.Data), int64(len(f.Data)), options)
	if err != nil {
		return "", s3Error("write", f.Name, err)
	}
	return info.ETag, nil
}

func (s *S3) putOptions(name string) minio.PutObjectOptions {
	options := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true}
	if strings.HasSuffix(name, "/"+checkpointName) {
		options.ContentType = "text/plain; charset=utf-8"
	}
	passing := strings.Contains(name, "/"+stagingDir+"/") || strings.Contains(name, ".p/")
	if s.options.Retention > 0 && !passing {
		options.Mode = minio.Compliance
		options.RetainUntilDate = s.now().Add(s.options.Retention).UTC()
	}
	return options
}

// Swap implements Store.
func (s *S3) Swap(ctx context.Context, name string, old, data []byte, staged ...File) error {
	s.probe.Do(func() { s.fails = s.probeConditions(ctx) })
	if s.fails != nil {
		return s.fails
	}
	if err := s.Write(ctx, staged...); err != nil {
		return err
	}
	options := s.putOptions(name)
	if old == nil {
		options.SetMatchETagExcept("*")
	} else {
		seen, err := s.current(ctx, name, old, bytes.Equal(old, data))
		if err != nil || bytes.Equal(old, data) {
			return err
		}
		options.SetMatchETag(seen.etag)
	}
	etag, err := s.put(ctx, s.once, File{name, data}, options)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrConflict // there is nothing to match
	}
	if errors.Is(err, ErrConflict) {
		return ErrConflict
	}
	if err == nil {
		s.remember(name, version{bytes.Clone(data), etag})
	}
	return err
}

// current returns the version of an object whose content is old. Content and tag
// were read together, so as long as the tag matches, the content does: only a
// caller that will not send the tag needs a fresh look.
func (s *S3) current(ctx context.Context, name string, old []byte, fresh bool) (version, error) {
	s.mu.Lock()
	v := s.seen[name]
	s.mu.Unlock()
	if fresh || v.etag == "" || !bytes.Equal(v.data, old) {
		var err error
		if v, err = s.get(ctx, name); errors.Is(err, fs.ErrNotExist) {
			err = ErrConflict
		}
		if err != nil {
			return version{}, err
		}
	}
	if !bytes.Equal(v.data, old) {
		return version{}, ErrConflict
	}
	return v, nil
}

// probeConditions refuses an object store that ignores the conditions of a PUT:
// there, two writers could fork the log without either noticing.
func (s *S3) probeConditions(ctx context.Context) error {
	file := File{temporaryName + "/" + sinks.NewID().String(), []byte("probe")}
	for _, condition := range []func(*minio.PutObjectOptions){
		func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") },
		func(o *minio.PutObjectOptions) { o.SetMatchETag("00000000000000000000000000000000") },
	} {
		var put minio.PutObjectOptions
		if _, err := s.put(ctx, s.client, file, put); err != nil {
			return fmt.Errorf("probe conditional writes: %w", err)
		}
		condition(&put)
		_, err := s.put(ctx, s.client, file, put)
		if err == nil {
			return errors.New("this object store ignores If-Match or If-None-Match: it cannot hold an audit log")
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("probe conditional writes: %w", err)
		}
	}
	return s.Remove(ctx, file.Name)
}

// Remove implements Store. In a bucket with versions it hides the object; what
// is removed here is superfluous, not secret.
func (s *S3) Remove(ctx context.Context, name string) error {
	key, err := s.key(name)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(name, "/") {
		err = s.client.RemoveObject(ctx, s.options.Bucket, key, minio.RemoveObjectOptions{})
		if err = s3Error("remove", name, err); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for below, err := range Walk(ctx, s, strings.TrimSuffix(name, "/")) {
		if err != nil {
			return err
		}
		if err := s.Remove(ctx, below); err != nil {
			return err
		}
	}
	return nil
}
