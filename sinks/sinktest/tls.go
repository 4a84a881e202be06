package sinktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLSProxy stands before a server and speaks TLS to whoever comes, as a server with
// <tcp_port_secure> does; the embedded engine cannot. It asks for a certificate.
type TLSProxy struct {
	Address                   string
	CAFile, CertFile, KeyFile string // of the authority, and of a client
}

// StartTLSProxy starts a proxy before the server at address, for the duration of a test.
func StartTLSProxy(t testing.TB, address string) *TLSProxy {
	t.Helper()
	dir := t.TempDir()
	p := &TLSProxy{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "client.pem"), KeyFile: filepath.Join(dir, "client.key")}
	authority := newCertificate(t, "authority", nil)
	server, client := newCertificate(t, "server", authority), newCertificate(t, "lapse", authority)
	writePEM(t, p.CAFile, "CERTIFICATE", authority.Certificate[0])
	writePEM(t, p.CertFile, "CERTIFICATE", client.Certificate[0])
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, p.KeyFile, "PRIVATE KEY", key)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p.Address = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go forward(conn, address)
		}
	}()
	return p
}

// forward carries bytes both ways until one side ends.
func forward(from net.Conn, address string) {
	defer from.Close() //nolint:errcheck // a test's
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close() //nolint:errcheck // a test's
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[1], way[0]) // how it ended, the client says
			ended <- struct{}{}
		}()
	}
	<-ended
}

// newCertificate makes one that is signed by an authority, or by itself as one.
func newCertificate(t testing.TB, name string, authority *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	by, signer := about, any(key)
	if authority == nil {
		about.IsCA, about.KeyUsage, about.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	} else {
		by, signer = authority.Leaf, authority.PrivateKey
	}
	raw, err := x509.CreateCertificate(rand.Reader, about, by, key.Public(), signer)
	leaf, failed := x509.ParseCertificate(raw)
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func writePEM(t testing.TB, path, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}
