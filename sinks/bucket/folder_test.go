package bucket

import (
	"testing"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

func openFolder(t testing.TB) (*Folder, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, dir
}

func TestFolderIsABucket(t *testing.T) {
	t.Parallel()
	sinktest.TestBucket(t, func(t *testing.T) sinktest.BucketUnderTest {
		f, _ := openFolder(t)
		return sinktest.BucketUnderTest{Bucket: f, Begin: func(t testing.TB, key string) {
			name := uploads + "/" + uploadPrefix(key) + "-" + sinks.NewID().String()
			if err := f.root.MkdirAll(uploads, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := f.root.WriteFile(name, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}}
	})
}
