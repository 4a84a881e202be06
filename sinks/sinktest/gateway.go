package sinktest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/facesoft/lapse/sinks"
)

var gatewayTool = &Tool{Module: "github.com/versity/versitygw/cmd/versitygw", Version: "v1.8.0"}

// The credentials of a Gateway.
const (
	GatewayAccessKey = "test"
	GatewaySecretKey = "testsecret"
	GatewayRegion    = "us-east-1"
)

// Gateway is a real S3 server over a folder of its own, with versions, on a free
// loopback port.
type Gateway struct {
	Address string
	Client  *minio.Client // for what tests do beside a bucket's interface
	key     *url.Userinfo
	folders [2]string // of objects, and of their earlier versions
	binary  string
	running *exec.Cmd  // nil while it is stopped
	exited  chan error // of the running server
}

// StartGateway starts a server for the duration of a test, and skips the test where
// none can be built or run. The environment variable LAPSE_TEST_S3 names another
// server to be tested instead, such as http://key:secret@127.0.0.1:9000.
func StartGateway(t testing.TB) *Gateway {
	t.Helper()
	if other := os.Getenv("LAPSE_TEST_S3"); other != "" {
		at, err := url.Parse(other)
		if err != nil || at.User == nil {
			t.Fatal("LAPSE_TEST_S3 is no address with a key, such as http://key:secret@127.0.0.1:9000")
		}
		return connect(t, &Gateway{Address: at.Host, key: at.User})
	}
	g := connect(t, &Gateway{
		Address: freeAddress(t), key: url.UserPassword(GatewayAccessKey, GatewaySecretKey),
		folders: [2]string{t.TempDir(), t.TempDir()}, binary: gatewayTool.Path(t),
	})
	t.Cleanup(g.kill)
	g.Start(t)
	return g
}

// Start starts the server again after Stop, at the same address, with what it held.
func (g *Gateway) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(g.binary, "--port", g.Address, "--quiet", "posix", "--versioning-dir", g.folders[1], g.folders[0])
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+GatewayAccessKey, "ROOT_SECRET_KEY="+GatewaySecretKey)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	g.running, g.exited = cmd, exited
	g.await(t, exited, &output)
}

// Stop ends the server as a power cut does, and skips the test where it is not one of
// our own.
func (g *Gateway) Stop(t testing.TB) {
	t.Helper()
	if g.running == nil {
		t.Skip("another server than one of our own is not to be stopped")
	}
	g.kill()
}

func (g *Gateway) kill() {
	if g.running == nil {
		return
	}
	_ = g.running.Process.Kill()
	<-g.exited //nolint:errcheck // it was killed
	g.running = nil
}

func connect(t testing.TB, g *Gateway) *Gateway {
	t.Helper()
	var err error
	g.Client, err = minio.New(g.Address, &minio.Options{Creds: g.Credentials(), Region: GatewayRegion})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Credentials returns what the server accepts.
func (g *Gateway) Credentials() *credentials.Credentials {
	secret, _ := g.key.Password()
	return credentials.NewStaticV4(g.key.Username(), secret, "")
}

// MakeBucket makes a new bucket and returns its name. Object Lock brings versions
// with it.
func (g *Gateway) MakeBucket(t testing.TB, versions, locking bool) string {
	t.Helper()
	name := "b-" + sinks.NewID().String()
	if err := g.Client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{ObjectLocking: locking}); err != nil {
		t.Fatal(err)
	}
	if versions {
		if err := g.Client.EnableVersioning(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// Copy copies everything in a bucket into another, below the server: that is much
// faster than through it.
func (g *Gateway) Copy(t testing.TB, from, to string) {
	t.Helper()
	if g.folders[0] == "" {
		t.Skip("the folders of another server are not to be copied")
	}
	for _, folder := range g.folders {
		if err := os.MkdirAll(filepath.Join(folder, to), 0o700); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("cp", "-a", filepath.Join(folder, from)+"/.", filepath.Join(folder, to)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// freeAddress returns a loopback address that is free, for a server that starts later. Its
// port is below those that the system gives to whoever asks for any: in between, another
// test's connection could get it.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err != nil {
			continue // it is taken
		}
		defer l.Close() //nolint:errcheck // only its address was wanted
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// await returns when the server answers.
func (g *Gateway) await(t testing.TB, exited chan error, output *bytes.Buffer) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, err := g.Client.ListBuckets(ctx); err == nil {
			return
		}
		select {
		case err := <-exited:
			exited <- err
			t.Skipf("the S3 server does not run here: %v: %s", err, output)
		case <-ctx.Done():
			t.Fatal("the S3 server does not answer")
		case <-tick.C:
		}
	}
}
