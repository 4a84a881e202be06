package bucket

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func TestBucketsAreOpenedAsTheSettingsSay(t *testing.T) {
	g := sinktest.StartGateway(t)
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = nobody\naws_secret_access_key = x\n\n[lapse]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		sinktest.GatewayAccessKey, sinktest.GatewaySecretKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", sinktest.GatewayAccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", sinktest.GatewaySecretKey)
	s3 := func(change func(*config.BucketS3Settings)) *config.BucketS3Settings {
		s := &config.BucketS3Settings{S3Settings: config.S3Settings{Endpoint: "http://" + g.Address, Bucket: g.MakeBucket(t, true, false), Region: sinktest.GatewayRegion}}
		change(s)
		return s
	}
	for name, s := range map[string]config.BucketSettings{
		"folder":      {Path: filepath.Join(t.TempDir(), "new")},
		"environment": {S3: s3(func(*config.BucketS3Settings) {})},
		"file":        {S3: s3(func(s *config.BucketS3Settings) { s.CredentialsFile, s.Profile = file, "lapse" })},
		"limited":     {S3: s3(func(*config.BucketS3Settings) {}), Rate: 1000},
	} {
		b, err := Open(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sinktest.Fill(t, b, "a")
		if found := sinktest.Found(t, b, "a"); len(found) != 1 {
			t.Errorf("%s: found %+v", name, found)
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingCredentialsAreNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\nother = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "has no aws_access_key_id", file + "x": "no such file"} {
		_, err := Open(config.BucketSettings{Name: "uploads", S3: &config.BucketS3Settings{S3Settings: config.S3Settings{Endpoint: "https://s3.example", Bucket: "b", CredentialsFile: path}}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "uploads") {
			t.Errorf("%v, want one that says %q and names the bucket", err, want)
		}
	}
}
