package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
)

// auditFiles opens the audit log for reading: the folder of the flags, or the
// bucket or folder of the settings. Nothing is written there.
func (a *app) auditFiles(dir string) (auditlog.Files, error) {
	switch {
	case dir != "":
		return auditlog.ReadFolder(dir), nil
	case a.settings.Audit.InBucket():
		return auditBucket(&a.settings.Audit.S3)
	}
	return auditlog.ReadFolder(a.settings.AuditDir()), nil
}

// auditStore opens the place of the audit log for writing.
func (a *app) auditStore() (auditlog.Store, error) {
	if a.settings.Audit.InBucket() {
		return auditBucket(&a.settings.Audit.S3)
	}
	return auditlog.OpenFolder(a.settings.AuditDir())
}

func auditBucket(s *config.AuditS3Settings) (*auditlog.S3, error) {
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, usageError{errors.New("audit.s3.endpoint: give the address of the store, such as https://s3.eu-west-1.amazonaws.com")}
	}
	secrets, err := bucket.Credentials(&s.S3Settings)
	if err != nil {
		return nil, usageError{fmt.Errorf("audit.s3: %w", err)}
	}
	o := auditlog.S3Options{
		Endpoint: endpoint.Host, PlainHTTP: endpoint.Scheme == "http", Region: s.Region,
		Bucket: s.Bucket, Prefix: s.Prefix, Credentials: secrets,
	}
	if now := time.Now(); !s.Retention.IsZero() {
		o.Retention = s.Retention.After(now, time.UTC).Sub(now)
	}
	store, err := auditlog.NewS3(o, time.Now)
	if err != nil {
		return nil, usageError{err}
	}
	return store, nil
}

// openAuditLog opens the audit log for writing, and completes a rotation of its
// key that was interrupted.
func (a *app) openAuditLog(ctx context.Context) (*auditlog.Log, error) {
	key, err := a.auditKey()
	if err != nil {
		return nil, err
	}
	store, err := a.auditStore()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrAudit, err)
	}
	log, err := auditlog.Open(ctx, store, key, time.Now)
	if errors.Is(err, auditlog.ErrKeyRotated) || errors.Is(err, auditlog.ErrWrongKey) {
		if next, failed := auditlog.LoadKey(a.nextKeyFile()); failed == nil && a.settings.Audit.Key == "" {
			if log, err = auditlog.Open(ctx, store, next, time.Now); err == nil {
				err = a.installKey(next)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrAudit, err)
	}
	return log, nil
}

// auditKey returns the key that signs the audit log, from the environment or from
// its file.
func (a *app) auditKey() (*auditlog.PrivateKey, error) {
	if a.settings.Audit.Key != "" {
		key, err := auditlog.ParseKey(a.settings.Audit.Key)
		if err != nil {
			return nil, usageError{fmt.Errorf("LAPSE_AUDIT_KEY: %w", err)}
		}
		return key, nil
	}
	key, err := auditlog.LoadKey(a.settings.AuditKeyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("there is no audit key in %s; make one with 'lapse init' or 'lapse audit key new'", a.settings.AuditKeyFile())}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrAudit, err)
	}
	return key, nil
}

// firstPublicKey returns the public key that the log began with: of a file, that of
// the settings, or while there is none, the public half of the environment's key.
func (a *app) firstPublicKey(file string) (*auditlog.Verifier, error) {
	own := a.settings.Audit.Key
	if file != "" {
		own = ""
	} else {
		file = a.settings.AuditPublicKey()
	}
	key, err := auditlog.LoadVerifier(file)
	if errors.Is(err, fs.ErrNotExist) && own != "" {
		key, err = publicHalf(own)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("%w; name the file of the log's public key with --key", err)}
	}
	return key, nil
}

// verified opens the log for reading and verifies it, for what may only be done with
// one that does.
func (a *app) verified(ctx context.Context, f auditFlags, anchors []auditlog.Anchor) (auditlog.Files, *auditlog.Report, error) {
	files, err := a.auditFiles(f.dir)
	if err != nil {
		return nil, nil, err
	}
	key, err := a.firstPublicKey(f.key)
	if err != nil {
		return nil, nil, err
	}
	report, err := auditlog.Verify(ctx, files, key, auditlog.VerifyOptions{Anchors: anchors})
	return files, report, err
}

func publicHalf(secret string) (*auditlog.Verifier, error) {
	key, err := auditlog.ParseKey(secret)
	if err != nil {
		return nil, err
	}
	return auditlog.ParseVerifier(key.VerifierKey())
}
