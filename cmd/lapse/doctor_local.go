package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/auditlog"
	"github.com/facesoft/lapse/sinks/bucket"
	"github.com/facesoft/lapse/sinks/country"
)

// leastFree is the room that a disk should have: a partition is written anew before the
// old one goes.
const leastFree = 2 << 30

// lookAtFolders checks the folders that Lapse writes to.
func (e *examination) lookAtFolders(ctx context.Context) {
	dir := e.settings.DataDir
	if err := writable(dir); err != nil {
		e.fault("data folder", "run 'lapse init', or make "+dir+" writable for the user that Lapse runs as, or set data_dir", "%v", err)
		return
	}
	e.well("data folder", "%s can be written", dir)
	if free, ok := freeBytes(dir); ok && free < leastFree {
		e.fault("disk", "make room on the disk of "+dir+", or set data_dir to another", "%s are free, less than %s", humanize.IBytes(free), humanize.IBytes(leastFree))
	} else if ok {
		e.well("disk", "%s are free in %s", humanize.IBytes(free), dir)
	}
	keys := filepath.Join(dir, "keys")
	if info, err := os.Stat(keys); err == nil && info.Mode().Perm()&0o077 != 0 {
		e.fault("keys of pseudonyms", "run 'chmod 700 "+keys+"', and think about who may have read them", "others can read them (mode %04o)", info.Mode().Perm())
	}
}

// writable reports whether a file can be made in a folder.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// lookAtAuditKey checks the key that signs the audit log.
func (e *examination) lookAtAuditKey(context.Context) {
	file := e.settings.AuditKeyFile()
	if info, err := os.Stat(file); e.settings.Audit.Key == "" && err == nil && info.Mode().Perm()&0o077 != 0 {
		e.fault("audit key", "run 'chmod 600 "+file+"', then 'lapse audit key rotate': somebody may have read it", "others can read it (mode %04o)", info.Mode().Perm())
		return
	}
	key, err := e.app.auditKey()
	if err != nil {
		e.fault("audit key", "put the key back from where it is kept, or for a new log make one with 'lapse audit key new'", "%v", err)
		return
	}
	e.well("audit key", "%s", key.Name())
	if e.settings.Audit.Key == "" {
		e.warn("audit key", "keep a copy of the public key, and checkpoints ('lapse audit witness'), where the operator cannot change them", "it lies on the machine that writes the log")
	}
}

// lookAtAuditLog verifies the audit log, and checks that it can be written.
func (e *examination) lookAtAuditLog(ctx context.Context) {
	store, err := e.app.auditStore()
	if err != nil {
		e.fault("audit log", "mend audit.dir or audit.s3 in the settings", "%v", err)
		return
	}
	if s3, ok := store.(*auditlog.S3); ok {
		locks, err := s3.Locks(ctx)
		if err != nil {
			e.fault("audit log", "check audit.s3: endpoint, bucket, region and the credentials' rights", "the bucket cannot be listed: %v", err)
			return
		}
		if !locks || e.settings.Audit.S3.Retention.IsZero() {
			e.warn("audit log", "make the bucket with Object Lock, and set audit.s3.retention, such as P6Y", "its files are not locked: whoever has the credentials can delete them")
		}
	} else if err := writable(e.settings.AuditDir()); err != nil {
		e.fault("audit log", "make "+e.settings.AuditDir()+" writable for the user that Lapse runs as: nothing is done without the log", "%v", err)
		return
	}
	_, report, err := e.app.verified(ctx, auditFlags{}, nil)
	switch {
	case errors.Is(err, auditlog.ErrNoLog):
		e.well("audit log", "it begins with the first run")
	case errors.Is(err, auditlog.ErrNotVerified):
		e.fault("audit log", "change nothing, keep a copy of it, and run 'lapse audit verify', which names each problem; a lost file comes back from a copy", "it does not verify")
	case err != nil:
		e.fault("audit log", "name the key that the log began with in audit.public_key", "%v", err)
	default:
		e.well("audit log", "%d entries verified", report.Entries)
		if report.OpenSteps > 0 {
			e.warn("audit log", "run the job again: it takes up what was interrupted", "%d steps were begun and have not ended", report.OpenSteps)
		}
	}
}

// lookAtBuckets checks the object stores.
func (e *examination) lookAtBuckets(ctx context.Context) {
	for _, b := range e.settings.Buckets {
		what := "bucket " + b.Name
		if b.S3 == nil {
			if err := writable(b.Path); err != nil {
				e.fault(what, "make the folder "+b.Path+", and let the user that Lapse runs as delete in it", "%v", err)
			} else {
				e.well(what, "%s can be written", b.Path)
			}
			continue
		}
		e.lookAtS3(ctx, what, b)
	}
	if e.policy != nil && e.policy.Training != nil && len(e.settings.Buckets) == 0 {
		e.warn("buckets", "name the stores of training data in buckets", "the policy has training data, and the settings name no bucket")
	}
}

func (e *examination) lookAtS3(ctx context.Context, what string, b config.BucketSettings) {
	opened, err := bucket.Open(b)
	if err != nil {
		e.fault(what, "check credentials_file and endpoint", "%v", err)
		return
	}
	defer opened.Close() //nolint:errcheck // nothing was written
	s3, ok := opened.(*bucket.S3)
	if !ok {
		return
	}
	p, err := s3.Protection(ctx)
	switch {
	case err != nil:
		e.fault(what, "check endpoint, bucket, region and credentials; they need s3:ListBucketVersions, s3:ListBucketMultipartUploads, s3:DeleteObjectVersion and those that the README lists", "%v", err)
	case p.Locked:
		e.warn(what, "purge reports what is locked and deletes it once it may; keep training data in a bucket without Object Lock if that is too late", "objects can be locked, so that they outlive their window")
	case !p.Versioned:
		e.well(what, "it keeps no versions; what is deleted is gone")
	default:
		e.well(what, "its versions can be listed")
	}
}

// lookAtInputs checks what ingest reads, and what it reads it with.
func (e *examination) lookAtInputs(context.Context) {
	for _, path := range e.settings.Inputs {
		if strings.HasPrefix(path, bucket.ObjectScheme) || strings.ContainsAny(path, "*?[") {
			continue
		}
		if f, err := os.Open(path); err != nil {
			e.fault("inputs", "mend the path in inputs, or let the user that Lapse runs as read it", "%v", err)
		} else {
			_ = f.Close()
			e.well("inputs", "%s can be read", path)
		}
	}
	if file := e.settings.CountryDatabase; file != "" {
		db, err := country.Open(file)
		if err != nil {
			e.fault("country database", "name a file in MaxMind's format in country_database", "%v", err)
			return
		}
		_ = db.Close()
		e.well("country database", "%s", file)
	}
}

// lookAtCollector checks the spool and the write keys.
func (e *examination) lookAtCollector(context.Context) {
	if !e.app.collects() {
		return
	}
	if _, err := writeKeysOf("collector", e.settings.Collector.WriteKeys, e.settings.Collector.WriteKeysFile); err != nil {
		e.fault("write keys", "write one key a line, each of 16 characters or more, such as 'openssl rand -hex 16' makes", "%v", err)
	} else {
		e.well("write keys", "senders are let in by them")
	}
	if file := e.settings.Collector.WriteKeysFile; file != "" {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 {
			e.warn("write keys", "run 'chmod o-r "+file+"'", "everybody on this machine can read them")
		}
	}
	dir := e.settings.SpoolDir()
	if err := writable(dir); errors.Is(err, fs.ErrNotExist) {
		e.well("spool", "it is made when 'lapse serve' starts")
	} else if err != nil {
		e.fault("spool", "make "+dir+" writable for the user that Lapse runs as, or set spool.dir", "%v", err)
		return
	}
	size, oldest, err := e.app.spooled()
	switch {
	case err != nil:
		e.fault("spool", "let the user that Lapse runs as read "+dir, "%v", err)
	case size > int64(e.settings.Spool.MaxSize)*4/5:
		e.fault("spool", "run 'lapse run ingest', and schedule it; or raise spool.max_size", "%s of %s are used: the collector soon answers 429", humanize.IBytes(uint64(size)), e.settings.Spool.MaxSize)
	case !oldest.IsZero() && e.now().Sub(oldest) > 24*time.Hour:
		e.warn("spool", "run 'lapse run ingest', or schedule it", "events wait since %s", oldest.UTC().Format(time.RFC3339))
	default:
		e.well("spool", "%s of %s are used", humanize.IBytes(uint64(size)), e.settings.Spool.MaxSize)
	}
}
