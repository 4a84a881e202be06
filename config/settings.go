package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/caarlos0/env/v11"
)

// SettingsFile is the name under which the settings are looked for.
const SettingsFile = "lapse.yaml"

// Settings describe one installation. A flag wins over an environment variable
// (LAPSE_…), which wins over the file. Paths in the file are relative to its
// folder.
type Settings struct {
	// Policy is the path of the policy file.
	Policy string `yaml:"policy" env:"POLICY"`
	// DataDir is the folder for everything that Lapse keeps itself.
	DataDir    string             `yaml:"data_dir" env:"DATA_DIR"`
	ClickHouse ClickHouseSettings `yaml:"clickhouse" envPrefix:"CLICKHOUSE_"`
	Engine     EngineSettings     `yaml:"engine,omitempty" envPrefix:"ENGINE_"`
	Audit      AuditSettings      `yaml:"audit,omitempty" envPrefix:"AUDIT_"`
	Buckets    []BucketSettings   `yaml:"buckets,omitempty"`
	// Inputs are the files and folders that `lapse run ingest` reads if it is given
	// none, beside the spool.
	Inputs    []string          `yaml:"inputs,omitempty" env:"INPUTS"`
	Serve     ServeSettings     `yaml:"serve,omitempty" envPrefix:"SERVE_"`
	Collector CollectorSettings `yaml:"collector,omitempty" envPrefix:"COLLECTOR_"`
	Training  TrainingSettings  `yaml:"training,omitempty" envPrefix:"TRAINING_"`
	Requests  RequestSettings   `yaml:"requests,omitempty" envPrefix:"REQUESTS_"`
	Spool     SpoolSettings     `yaml:"spool,omitempty" envPrefix:"SPOOL_"`
	// Schedule says when `lapse serve` runs jobs; it runs none if it is empty.
	Schedule []JobSchedule   `yaml:"schedule,omitempty"`
	History  HistorySettings `yaml:"history,omitempty" envPrefix:"HISTORY_"`
	Lease    LeaseSettings   `yaml:"lease,omitempty" envPrefix:"LEASE_"`
	// CountryDatabase is a file in MaxMind's format (mmdb) that tells the country of an
	// address, where the policy derives one.
	CountryDatabase string `yaml:"country_database,omitempty" env:"COUNTRY_DATABASE"`
	// ErasuresDir holds a copy of the erasure ledger; erasures in DataDir if empty. It
	// should lie where no backup of ClickHouse is restored over it.
	ErasuresDir string `yaml:"erasures_dir,omitempty" env:"ERASURES_DIR"`
	// ExportsDir holds the copies that are made for people; exports in DataDir if empty.
	ExportsDir string         `yaml:"exports_dir,omitempty" env:"EXPORTS_DIR"`
	Log        LogSettings    `yaml:"log,omitempty" envPrefix:"LOG_"`
	Traces     TracesSettings `yaml:"traces,omitempty" envPrefix:"TRACES_"`

	// File is the file that was read, if there was one.
	File string `yaml:"-"`
}

// ClickHouseSettings say which ClickHouse holds the tables.
type ClickHouseSettings struct {
	// DSN is the address of a server, clickhouse://user@host:9000?secure=true. If it
	// is empty the embedded engine is started.
	DSN string `yaml:"dsn,omitempty" env:"DSN"`
	// PasswordFile holds the password for DSN, so that it stands in no setting.
	PasswordFile string `yaml:"password_file,omitempty" env:"PASSWORD_FILE"`
	// CAFile holds the certificates (PEM) of those who may sign the server's, in place of
	// the machine's. CertFile and KeyFile are what is shown to a server that asks clients
	// for a certificate. They need secure=true in the DSN.
	CAFile   string `yaml:"ca_file,omitempty" env:"CA_FILE"`
	CertFile string `yaml:"cert_file,omitempty" env:"CERT_FILE"`
	KeyFile  string `yaml:"key_file,omitempty" env:"KEY_FILE"`
	// AnalystDSN is the same server as analysts see it, for `lapse query`.
	AnalystDSN string `yaml:"analyst_dsn,omitempty" env:"ANALYST_DSN"`
	// ReaderDSN is the same server as those see it who read personal data, for
	// `lapse query --personal`.
	ReaderDSN string `yaml:"reader_dsn,omitempty" env:"READER_DSN"`
	// Cluster names a cluster in the servers' <remote_servers>, over whose nodes the
	// tables are spread. DSN may name several of them then: any is asked for the others.
	Cluster string `yaml:"cluster,omitempty" env:"CLUSTER"`
	// DatabasePrefix comes before the names of the databases telemetry, analytics and lapse.
	DatabasePrefix string `yaml:"database_prefix,omitempty" env:"DATABASE_PREFIX"`
	// Region is where the data lie; the policy must allow it.
	Region string `yaml:"region" env:"REGION"`
	// Safeguard names the transfer safeguard, if the region is not one of the policy's.
	Safeguard string `yaml:"safeguard,omitempty" env:"SAFEGUARD"`
}

// EngineSettings are those of the embedded engine.
type EngineSettings struct {
	// Library is the engine's shared library; the installed one if empty.
	Library string `yaml:"library,omitempty" env:"LIBRARY"`
}

// AuditSettings say where the audit log is and with which key it is signed. It is
// a folder unless a bucket is named.
type AuditSettings struct {
	Dir string          `yaml:"dir,omitempty" env:"DIR"` // default: audit in DataDir
	S3  AuditS3Settings `yaml:"s3,omitempty" envPrefix:"S3_"`
	// Region is where the bucket lies, in the policy's words; the policy must allow it.
	Region    string `yaml:"region,omitempty" env:"REGION"`
	Safeguard string `yaml:"safeguard,omitempty" env:"SAFEGUARD"`
	// KeyFile holds the private key; audit.key in DataDir by default. Key is the
	// same as a text, from the environment only.
	KeyFile string `yaml:"key_file,omitempty" env:"KEY_FILE"`
	Key     string `yaml:"-" env:"KEY"`
	// PublicKey is the file with the public key that the log began with: KeyFile
	// with .pub behind it by default.
	PublicKey string `yaml:"public_key,omitempty" env:"PUBLIC_KEY"`
}

// AuditS3Settings say how the audit log's bucket is reached through the S3 API. Its
// store must honour conditional writes (If-Match), and should lock objects.
type AuditS3Settings struct {
	S3Settings `yaml:",inline"`
	Prefix     string `yaml:"prefix,omitempty" env:"PREFIX"` // of the objects' keys; ends in a slash
	// Retention is for how long objects are put under Object Lock, such as P6Y;
	// they are not if it is empty.
	Retention Period `yaml:"retention,omitempty" env:"RETENTION"`
}

// BucketSettings name an object store: a local folder, or a bucket with the S3 API.
type BucketSettings struct {
	Name string `yaml:"name"`
	// Path is the folder, if it is one.
	Path string `yaml:"path,omitempty"`
	// S3 says where the bucket is, if it is one.
	S3 *BucketS3Settings `yaml:"s3,omitempty"`
	// Rate is how many objects are looked at or deleted in a second at most; 0 is no limit.
	// In an object store a list of up to 1,000 counts once.
	Rate float64 `yaml:"rate,omitempty"`
	// Region is where the data lie, in the policy's words; the policy must allow it.
	Region    string `yaml:"region"`
	Safeguard string `yaml:"safeguard,omitempty"`
}

// BucketS3Settings say how a bucket with training data is reached.
type BucketS3Settings struct {
	S3Settings `yaml:",inline"`
	// UploadsByKey is for stores that list the unfinished uploads of a key only to who
	// names it, as MinIO does (which is recognised) and what was made from it.
	UploadsByKey bool `yaml:"uploads_by_key,omitempty"`
}

// S3Settings say how a bucket is reached through the S3 API.
type S3Settings struct {
	// Endpoint is the store's address, such as https://s3.eu-west-1.amazonaws.com.
	Endpoint string `yaml:"endpoint" env:"ENDPOINT"`
	Bucket   string `yaml:"bucket" env:"BUCKET"`
	// Region is the store's own name for the place, such as eu-west-1, for which
	// requests are signed. If it is empty the store is asked.
	Region string `yaml:"region,omitempty" env:"REGION"`
	// CredentialsFile has the format of ~/.aws/credentials. If it is empty they are
	// taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from
	// ~/.aws/credentials, or from the role of the machine or the pod.
	CredentialsFile string `yaml:"credentials_file,omitempty" env:"CREDENTIALS_FILE"`
	// Profile is the part of the file to use; default if empty.
	Profile string `yaml:"profile,omitempty" env:"PROFILE"`
}

// LogSettings are those of the program's own log, on standard error.
type LogSettings struct {
	Level  string `yaml:"level,omitempty" env:"LEVEL"`   // debug, info, warn or error
	Format string `yaml:"format,omitempty" env:"FORMAT"` // text or json
}

// TracesSettings say where spans of runs are sent; nowhere if Endpoint is empty and
// OTEL_EXPORTER_OTLP_ENDPOINT is not set.
type TracesSettings struct {
	// Endpoint is the address of a receiver of OTLP over HTTP, with its path, such as
	// http://collector:4318/v1/traces.
	Endpoint string `yaml:"endpoint,omitempty" env:"ENDPOINT"`
}

// LoadSettings reads the settings from file, if it is not empty, and then from the
// environment. An empty file means lapse.yaml here, if there is one.
func LoadSettings(file string) (*Settings, error) {
	s := &Settings{}
	if err := s.readFile(file); err != nil {
		return nil, err
	}
	if err := env.ParseWithOptions(s, env.Options{Prefix: "LAPSE_"}); err != nil {
		return nil, fmt.Errorf("read settings from the environment: %w", err)
	}
	if s.Audit.Dir != "" && s.Audit.InBucket() {
		return nil, errors.New("load settings: the audit log is a folder (audit.dir) or in an object store (audit.s3): remove one of the two, in the file or the environment")
	}
	fromEnvironment := &reporter{file: "the environment"} // the file's faults would have ended this
	s.checkServe(fromEnvironment, place{path: "$"})
	s.checkSchedule(fromEnvironment, place{path: "$"})
	if err := fromEnvironment.err(); err != nil {
		return nil, err
	}
	s.fillIn()
	s.fillInServe()
	s.fillInSchedule()
	return s, nil
}

func (s *Settings) readFile(file string) error {
	optional := file == ""
	if optional {
		file = SettingsFile
	}
	raw, err := os.ReadFile(file)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load settings: %w", err)
	}
	s.File = file
	root, err := decode(file, raw, s)
	if err != nil {
		return err
	}
	r := &reporter{file: file, root: root}
	s.check(r)
	if err := r.err(); err != nil {
		return err
	}
	s.resolve(filepath.Dir(file))
	return nil
}

// resolve makes paths of the file independent of the working folder.
func (s *Settings) resolve(dir string) {
	paths := []*string{&s.Policy, &s.DataDir, &s.ClickHouse.PasswordFile, &s.ClickHouse.CAFile, &s.ClickHouse.CertFile, &s.ClickHouse.KeyFile, &s.Engine.Library, &s.Audit.Dir, &s.Audit.KeyFile, &s.Audit.PublicKey,
		&s.Audit.S3.CredentialsFile, &s.Collector.WriteKeysFile, &s.Training.WriteKeysFile, &s.Spool.Dir, &s.CountryDatabase, &s.ErasuresDir, &s.ExportsDir}
	for i := range s.Buckets {
		paths = append(paths, &s.Buckets[i].Path)
		if s3 := s.Buckets[i].S3; s3 != nil {
			paths = append(paths, &s3.CredentialsFile)
		}
	}
	for i := range s.Inputs {
		paths = append(paths, &s.Inputs[i])
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// fillIn sets what follows from other settings.
func (s *Settings) fillIn() {
	for _, d := range []struct {
		setting *string
		value   string
	}{
		{&s.Policy, "policy.yaml"},
		{&s.DataDir, "data"},
		{&s.Log.Level, "info"},
		{&s.Log.Format, "text"},
	} {
		if *d.setting == "" {
			*d.setting = d.value
		}
	}
}

// AuditDir returns the folder of the audit log.
func (s *Settings) AuditDir() string { return s.inData(s.Audit.Dir, "audit") }

// AuditKeyFile returns the file of the key that signs the audit log.
func (s *Settings) AuditKeyFile() string { return s.inData(s.Audit.KeyFile, "audit.key") }

// AuditPublicKey returns the file of the key that verifies the audit log.
func (s *Settings) AuditPublicKey() string {
	if s.Audit.PublicKey != "" {
		return s.Audit.PublicKey
	}
	return s.AuditKeyFile() + ".pub"
}

func (s *Settings) inData(path, name string) string {
	if path != "" {
		return path
	}
	return filepath.Join(s.DataDir, name)
}

func (s *Settings) check(r *reporter) {
	root := place{path: "$"}
	seen := map[string]bool{}
	for i, b := range s.Buckets {
		at := root.key("buckets").item(i, b.Name)
		if b.Name == "" || seen[b.Name] {
			r.fault(at.key("name"), "every bucket needs a name of its own: training items refer to it")
		}
		seen[b.Name] = true
		switch {
		case b.Path == "" && b.S3 == nil:
			r.fault(at.key("path"), "say in which folder the bucket is, or give s3 with endpoint and bucket")
		case b.Path != "" && b.S3 != nil:
			r.fault(at.key("s3"), "a bucket is a folder (path) or in an object store (s3): remove one of the two")
		case b.S3 != nil:
			b.S3.check(r, at.key("s3"))
		}
		if b.Rate < 0 {
			r.fault(at.key("rate"), "give a number of objects a second, or 0 for no limit")
		}
		if b.Region == "" {
			r.fault(at.key("region"), "say in which region the bucket is, such as EEA")
		}
	}
	s.Audit.check(r, root.key("audit"))
	s.checkServe(r, root)
	s.checkSchedule(r, root)
	if s.Log.Level != "" && !contains([]string{"debug", "info", "warn", "error"}, s.Log.Level) {
		r.fault(root.key("log").key("level"), "%q is not a level; use debug, info, warn or error", s.Log.Level)
	}
	if t := s.Traces.Endpoint; t != "" && serverURL(t) == nil {
		r.fault(root.key("traces").key("endpoint"), "%q is not an address; write one such as http://collector:4318/v1/traces", t)
	}
	if s.Log.Format != "" && !contains([]string{"text", "json"}, s.Log.Format) {
		r.fault(root.key("log").key("format"), "%q is not a format; use text or json", s.Log.Format)
	}
	if p := s.ClickHouse.DatabasePrefix; p != "" && !namePattern.MatchString(strings.TrimSuffix(p, "_")) {
		r.fault(root.key("clickhouse").key("database_prefix"), "%q cannot begin a database's name; use a-z, 0-9 and '_'", p)
	}
}

// InBucket reports whether the audit log is in a bucket.
func (s *AuditSettings) InBucket() bool { return s.S3.Bucket != "" || s.S3.Endpoint != "" }

func (s *AuditSettings) check(r *reporter, at place) {
	if s.S3 == (AuditS3Settings{}) {
		return
	}
	s3 := at.key("s3")
	s.S3.check(r, s3)
	if s.S3.Prefix != "" && !strings.HasSuffix(s.S3.Prefix, "/") {
		r.fault(s3.key("prefix"), "a prefix ends in a slash, such as %s/", s.S3.Prefix)
	}
	if s.Region == "" {
		r.fault(at.key("region"), "say in which region the bucket is, such as EEA")
	}
	if s.Dir != "" {
		r.fault(at.key("dir"), "the audit log is a folder (dir) or in an object store (s3): remove one of the two")
	}
}

func (s *S3Settings) check(r *reporter, at place) {
	if u := serverURL(s.Endpoint); u == nil || strings.Trim(u.Path, "/") != "" {
		r.fault(at.key("endpoint"), "give the address of the store, such as https://s3.eu-west-1.amazonaws.com, without the bucket")
	}
	if s.Bucket == "" {
		r.fault(at.key("bucket"), "name the bucket in the store")
	}
}

// serverURL returns the address of a server that speaks HTTP, or nil if the text is none.
func serverURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return u
}

// CheckRegions refuses a store outside the regions that the policy allows, unless
// one of the policy's safeguards is named for it (C10; chapter V GDPR).
func (s *Settings) CheckRegions(p *Policy) error {
	refuse := func(what, region, safeguard string) error {
		if p.RegionAllowed(region, safeguard) {
			return nil
		}
		return fmt.Errorf("%s lies in region %q, which policy %s does not allow (allowed: %s): move it, or name one of the policy's safeguards (%s)",
			what, region, p.Name, strings.Join(p.Regions.Allowed, ", "), strings.Join(p.Regions.Safeguards, ", "))
	}
	errs := refuse("clickhouse", s.ClickHouse.Region, s.ClickHouse.Safeguard)
	if s.Audit.InBucket() {
		errs = errors.Join(errs, refuse("the audit log's bucket", s.Audit.Region, s.Audit.Safeguard))
	}
	if s.Spool.Region != "" {
		errs = errors.Join(errs, refuse("the spool", s.Spool.Region, s.Spool.Safeguard))
	}
	for _, b := range s.Buckets {
		errs = errors.Join(errs, refuse("bucket "+b.Name, b.Region, b.Safeguard))
	}
	return errs
}
