package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/cmd/lapse/web"
)

func (a *app) serveCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Collect events over HTTP, until this command is ended",
		Long: `Takes events as the Segment HTTP tracking API describes: POST /v1/batch, /v1/track,
/v1/page, /v1/screen, /v1/identify, /v1/group, /v1/alias, with a write key as the user
of basic authentication. Point a Segment library at it by its host setting.

What is answered with 200 is on disk, in the spool; 'lapse run ingest' without files
takes it into the tables. SIGTERM or an interrupt ends it within 20 seconds, once
the requests that have begun are finished.

Write keys are read from the file that collector.write_keys_file names, one a line,
or from LAPSE_COLLECTOR_WRITE_KEYS.`,
		Example: `  lapse serve
  lapse serve --listen 127.0.0.1:9000
  curl -u "$KEY:" -H 'Content-Type: application/json' \
    -d '{"userId":"u1","event":"Signed Up"}' http://127.0.0.1:8080/v1/track`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if listen != "" {
				a.settings.Serve.Listen = listen
			}
			return a.serve(c.Context())
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on, in place of the settings' (port 0: a free one)")
	return c
}

// serve opens what the service consists of, runs it until ctx ends, and closes it
// in the opposite order.
func (a *app) serve(ctx context.Context) (err error) {
	p, err := a.loadPolicy()
	if err != nil {
		return err
	}
	if err := a.settings.CheckRegions(p); err != nil {
		return usageError{err}
	}
	mux := http.NewServeMux()
	closeCollector, err := a.collector(mux)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCollector()) }()
	l, err := net.Listen("tcp", a.settings.Serve.Listen)
	if err != nil {
		return usageError{fmt.Errorf("serve: %w; choose another address with --listen or serve.listen", err)}
	}
	address := "http://" + l.Addr().String()
	if err := a.tell(map[string]string{"address": address}, "serving on %s", address); err != nil {
		return errors.Join(err, l.Close())
	}
	err = web.Serve(ctx, l, mux, a.settings.Serve.MaxConnections, a.log)
	a.log.Info("ended")
	return err
}

// collector adds the collector to mux. Close it after the last request.
func (a *app) collector(mux *http.ServeMux) (closeSpool func() error, err error) {
	keys, err := a.writeKeys()
	if err != nil {
		return nil, usageError{err}
	}
	events, err := a.openSpool()
	if err != nil {
		return nil, err
	}
	limits := web.DefaultLimits
	limits.EventBytes, limits.BatchBytes = int(a.settings.Collector.MaxEvent), int(a.settings.Collector.MaxBatch)
	c := &web.Collector{Spool: events, Keys: keys, Limits: limits, Now: time.Now, Log: a.log}
	c.Register(mux)
	return events.Close, nil
}

// writeKeys reads the write keys from the environment or from their file.
func (a *app) writeKeys() (*web.WriteKeys, error) {
	c := a.settings.Collector
	text, from := strings.ReplaceAll(c.WriteKeys, ",", "\n"), "LAPSE_COLLECTOR_WRITE_KEYS"
	if text == "" {
		if c.WriteKeysFile == "" {
			return nil, errors.New("the collector needs write keys: name a file with one a line in collector.write_keys_file, or set LAPSE_COLLECTOR_WRITE_KEYS")
		}
		raw, err := os.ReadFile(c.WriteKeysFile)
		if err != nil {
			return nil, fmt.Errorf("collector.write_keys_file: %w", err)
		}
		text, from = string(raw), c.WriteKeysFile
	}
	keys, err := web.ParseWriteKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return keys, nil
}
