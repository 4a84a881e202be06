package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeSettings(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), SettingsFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	file := writeSettings(t, "policy: p.yaml\ndata_dir: d\nclickhouse: {dsn: 'clickhouse://file:9000', region: EEA}\n")
	t.Setenv("LAPSE_CLICKHOUSE_DSN", "clickhouse://environment:9000")
	t.Setenv("LAPSE_INPUTS", "/a,/b")
	s, err := LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	if s.ClickHouse.DSN != "clickhouse://environment:9000" || s.ClickHouse.Region != "EEA" || len(s.Inputs) != 2 {
		t.Errorf("%+v", s)
	}
	if s.Policy != filepath.Join(filepath.Dir(file), "p.yaml") {
		t.Errorf("the policy's path is %s: paths are relative to the file", s.Policy)
	}
}

func TestAuditLogMayLieInABucket(t *testing.T) {
	file := writeSettings(t, `
audit:
  key_file: k
  region: US
  s3: {endpoint: "https://s3.example.com", bucket: b, prefix: p/, retention: P6Y, credentials_file: secret}
`)
	t.Setenv("LAPSE_AUDIT_S3_RETENTION", "P10Y")
	t.Setenv("LAPSE_AUDIT_KEY", "PRIVATE+KEY+x")
	s, err := LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Audit
	if a.Key != "PRIVATE+KEY+x" || a.S3.Bucket != "b" || a.S3.Retention.String() != "P10Y" || !a.InBucket() {
		t.Errorf("%+v", a)
	}
	for _, path := range []string{a.KeyFile, a.S3.CredentialsFile} {
		if !filepath.IsAbs(path) {
			t.Errorf("%s is not relative to the file", path)
		}
	}
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	s.ClickHouse.Region = "EEA"
	if err := s.CheckRegions(p); err == nil || !strings.Contains(err.Error(), "the audit log's bucket") {
		t.Errorf("%v, want a refusal of the region", err)
	}
	t.Setenv("LAPSE_AUDIT_DIR", "/elsewhere")
	if _, err := LoadSettings(file); err == nil || !strings.Contains(err.Error(), "remove one of the two") {
		t.Errorf("%v, want a refusal of two places", err)
	}
}

func TestStarterSettingsAreInOrder(t *testing.T) {
	t.Parallel()
	s, err := LoadSettings(writeSettings(t, string(Starter)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckRegions(p); err != nil {
		t.Error(err)
	}
}

func TestSettingsFaultsNamePlaceAndCure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"polici: x\n":                         `lapse.yaml:1:1: unknown key "polici"`,
		"buckets: [{name: a, region: EEA}]\n": "buckets[a].path: say in which folder",
		"log: {level: loud}\n":                `log.level: "loud" is not a level`,
		"audit: {region: EEA, s3: {bucket: b, endpoint: s3.example.com}}\n":                               "audit.s3.endpoint: give the address of the store",
		"audit: {region: EEA, s3: {endpoint: 'https://s3.example.com'}}\n":                                "audit.s3.bucket: name the bucket",
		"audit: {s3: {bucket: b, endpoint: 'https://s3.example.com'}}\n":                                  "audit.region: say in which region",
		"audit: {region: EEA, s3: {bucket: b, endpoint: 'https://s3.example.com', prefix: p}}\n":          "such as p/",
		"audit: {region: EEA, s3: {bucket: b, endpoint: 'https://s3.example.com', retention: 6 years}}\n": `"6 years" is not a period`,
		"audit: {region: EEA, dir: d, s3: {bucket: b, endpoint: 'https://s3.example.com'}}\n":             "audit.dir: the audit log is a folder (dir) or in an object store (s3)",
		"buckets: [{name: a, region: EEA, path: p, s3: {endpoint: 'https://s', bucket: b}}]\n":            "buckets[a].s3: a bucket is a folder (path) or in an object store",
		"buckets: [{name: a, region: EEA, s3: {endpoint: s3.example, bucket: b}}]\n":                      "buckets[a].s3.endpoint: give the address",
		"buckets: [{name: a, region: EEA, s3: {endpoint: 'https://s3.example/b'}}]\n":                     "buckets[a].s3.bucket: name the bucket",
		"buckets: [{name: a, region: EEA, path: p, rate: -1}]\n":                                          "buckets[a].rate: give a number",
	} {
		_, err := LoadSettings(writeSettings(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := LoadSettings("/nonexistent/lapse.yaml"); err == nil {
		t.Error("a settings file that is not there was accepted")
	}
}

func TestCredentialsFileIsRelativeToTheSettings(t *testing.T) {
	t.Parallel()
	file := writeSettings(t, "buckets: [{name: a, region: EEA, s3: {endpoint: 'https://s3.example', bucket: b, credentials_file: c}}]\n")
	s, err := LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Buckets[0].S3.CredentialsFile, filepath.Join(filepath.Dir(file), "c"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestStoreOutsideTheAllowedRegionsNeedsASafeguard(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		region, safeguard string
		allowed           bool
	}{
		{"EEA", "", true}, {"US", "", false}, {"", "", false},
		{"US", "standard_contractual_clauses", true}, {"US", "handshake", false},
	} {
		for _, s := range []*Settings{
			{ClickHouse: ClickHouseSettings{Region: c.region, Safeguard: c.safeguard}},
			{ClickHouse: ClickHouseSettings{Region: "EEA"}, Buckets: []BucketSettings{{Name: "a", S3: &BucketS3Settings{S3Settings: S3Settings{Region: "eu-west-1"}}, Region: c.region, Safeguard: c.safeguard}}},
		} {
			if err := s.CheckRegions(p); (err == nil) != c.allowed {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
