package bucket

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// roleTimeout bounds the wait for the service of a cloud that hands out credentials
// to its machines, where there may be none.
const roleTimeout = 5 * time.Second

// Opened is a bucket that has to be closed.
type Opened interface {
	sinks.ReadableBucket
	io.Closer
}

// Open opens the bucket that settings name.
func Open(s config.BucketSettings) (Opened, error) {
	if s.S3 == nil {
		f, err := OpenFolder(s.Path)
		if err == nil {
			f.pace = newPace(s.Rate)
		}
		return f, err
	}
	endpoint, err := url.Parse(s.S3.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: the endpoint is no address", s.Name)
	}
	secrets, err := Credentials(&s.S3.S3Settings)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", s.Name, err)
	}
	return NewS3(S3Options{
		Endpoint: endpoint.Host, PlainHTTP: endpoint.Scheme == "http", Region: s.S3.Region,
		Credentials: secrets, Bucket: s.S3.Bucket, Rate: s.Rate, UploadsByKey: s.S3.UploadsByKey,
	})
}

// Credentials returns the credentials for a bucket: those of the file that is named,
// or else of the environment, the user's own file, the role of the machine or pod.
func Credentials(s *config.S3Settings) (*credentials.Credentials, error) {
	if s.CredentialsFile == "" {
		return credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{Profile: s.Profile},
			&credentials.IAM{Client: &http.Client{Timeout: roleTimeout}},
		}), nil
	}
	if _, err := os.Stat(s.CredentialsFile); err != nil {
		return nil, fmt.Errorf("credentials_file: %w", err)
	}
	named := credentials.NewFileAWSCredentials(s.CredentialsFile, s.Profile)
	if v, err := named.GetWithContext(nil); err != nil || v.AccessKeyID == "" {
		return nil, fmt.Errorf("credentials_file %s has no aws_access_key_id for this profile; write it in the format of ~/.aws/credentials", s.CredentialsFile)
	}
	return named, nil
}
