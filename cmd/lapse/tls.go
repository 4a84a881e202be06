package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/facesoft/lapse/config"
)

// secured adds the certificates of the settings to what a DSN says about TLS. Certificate
// files are read anew whenever the stores are opened.
func secured(from *tls.Config, s config.ClickHouseSettings) (*tls.Config, error) {
	if from == nil {
		if s.CAFile != "" || s.CertFile != "" || s.KeyFile != "" {
			return nil, errors.New("clickhouse.ca_file, cert_file and key_file are for TLS: write secure=true into clickhouse.dsn, and the server's port for it, such as clickhouse://lapse@host:9440?secure=true")
		}
		return nil, nil
	}
	c := from.Clone()
	c.MinVersion = tls.VersionTLS12
	if s.CAFile != "" {
		raw, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.ca_file: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("clickhouse.ca_file: %s holds no certificate in PEM format", s.CAFile)
		}
	}
	if s.CertFile != "" || s.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.cert_file and clickhouse.key_file: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
