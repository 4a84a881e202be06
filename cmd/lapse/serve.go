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
	"golang.org/x/sync/errgroup"

	"github.com/facesoft/lapse/cmd/lapse/web"
	"github.com/facesoft/lapse/jobs"
)

func (a *app) serveCommand() *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Collect events over HTTP and run the jobs at their times, until this command is ended",
		Long: `Does two things beside each other, until SIGTERM or an interrupt.

It takes events as the Segment HTTP tracking API describes: POST /v1/batch, /v1/track,
/v1/page, /v1/screen, /v1/identify, /v1/group, /v1/alias, with a write key as the user
of basic authentication. Point a Segment library at it by its host setting. What is
answered with 200 is on disk, in the spool. Write keys are read from the file that
collector.write_keys_file names, one a line, or from LAPSE_COLLECTOR_WRITE_KEYS;
without any, nothing is collected.

It runs the jobs at the times that schedule names in the settings. What was missed while
it did not run is made up for by one run. A job runs once at a time, wherever: where
'lapse run' is at work on it, its turn is left out.

POST /v1/training takes notes for the training register, as 'lapse training register'
reads them: one as application/json, or one a line as application/x-ndjson. It has write
keys of its own, in training.write_keys_file or LAPSE_TRAINING_WRITE_KEYS, and is not
there without. The next ingest enters the notes; one that is sent again changes nothing.

POST /v1/requests takes what data subjects ask for, as 'lapse subject' does: an object with
right, subject (columns and values that name the person), set, categories, recipient,
received, and identity_confirmed, without which the clock stands still until it is
accepted. One with the Idempotency-Key of an earlier one is that one. GET /v1/requests/ID
says what became of it, and by when it has to be answered; POST /v1/requests/ID/accept,
/refuse, /extend and /cancel take reason, clause and until, as the commands do. The scheduled
job subject carries out what is accepted. The keys are in requests.write_keys_file or
LAPSE_REQUESTS_WRITE_KEYS.

GET /healthz says that it runs, /readyz whether it can do its work, and why not, and
/metrics is for Prometheus. SIGHUP has it carry out the policy as its file is now, which
the audit log records; a policy with a fault changes nothing. SIGTERM lets the current
step end, and ends it within 20 seconds; a second one ends it at once.`,
		Example: `  lapse serve
  lapse serve --listen 127.0.0.1:9000
  curl -u "$KEY:" -H 'Content-Type: application/json' \
    -d '{"userId":"u1","event":"Signed Up"}' http://127.0.0.1:8080/v1/track
  curl http://127.0.0.1:8080/readyz
  kill -HUP "$(pidof lapse)"            # the policy has changed
  curl -u "$TRAINING_KEY:" -H 'Content-Type: application/x-ndjson' \
    --data-binary @notes.ndjson http://127.0.0.1:8080/v1/training
  curl -u "$REQUESTS_KEY:" -H 'Content-Type: application/json' -H 'Idempotency-Key: 17' \
    -d '{"right":"erasure","subject":{"user_id":"u1"}}' http://127.0.0.1:8080/v1/requests`,
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
	mux, probes := http.NewServeMux(), http.NewServeMux()
	if a.settings.Serve.Probes == "" {
		probes = mux
	}
	metrics, health := web.NewMetrics(version()), &web.Health{}
	metrics.Policy(jobs.PolicyRef(p), time.Now())
	metrics.Register(probes)
	if a.takesNotes() {
		closeNotes, failed := a.trainingNotes(mux)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, closeNotes()) }()
	}
	if a.collects() || len(a.settings.Schedule) == 0 && !a.takesNotes() && !a.takesRequests() {
		closeCollector, failed := a.collector(mux, metrics)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, closeCollector()) }()
		health.Checks = append(health.Checks, a.spoolCheck())
		a.spoolGauges(metrics)
	}
	requestKeys, err := a.requestKeys()
	if err != nil {
		return err
	}
	listeners, err := a.listen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service := newService(ctx, a, p, metrics)
	a.requests(mux, service.stores, requestKeys)
	health.Checks = append(health.Checks, service.checks()...)
	health.Register(probes)
	addresses := map[string]string{"address": "http://" + listeners[0].Addr().String()}
	said := addresses["address"]
	if len(listeners) > 1 {
		addresses["probes"] = "http://" + listeners[1].Addr().String()
		said += ", probes and metrics on " + addresses["probes"]
	}
	if err := a.tell(addresses, "serving on %s", said); err != nil {
		return err
	}
	service.start()
	err = a.answer(ctx, listeners, []http.Handler{mux, probes})
	cancel() // also where it was an address that failed
	err = errors.Join(err, service.end())
	a.log.Info("ended")
	return err
}

// listen opens the addresses of the settings: that of the collector and, where they
// have one of their own, that of the probes.
func (a *app) listen() (listeners []net.Listener, err error) {
	for _, at := range []struct{ setting, address string }{{"serve.listen", a.settings.Serve.Listen}, {"serve.probes", a.settings.Serve.Probes}} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			for _, l := range listeners {
				err = errors.Join(err, l.Close())
			}
			return nil, usageError{fmt.Errorf("serve: %w; choose another address with --listen or %s", err, at.setting)}
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// answer answers requests on the listeners until ctx ends, or one of them fails.
func (a *app) answer(ctx context.Context, listeners []net.Listener, handlers []http.Handler) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, l := range listeners {
		group.Go(func() error { return web.Serve(ctx, l, handlers[i], a.settings.Serve.MaxConnections, a.log) })
	}
	return group.Wait()
}

// collects reports whether there are write keys, so that events can be collected.
func (a *app) collects() bool {
	return a.settings.Collector.WriteKeys != "" || a.settings.Collector.WriteKeysFile != ""
}

// collector adds the collector to mux. Close it after the last request.
func (a *app) collector(mux *http.ServeMux, metrics *web.Metrics) (closeSpool func() error, err error) {
	keys, err := writeKeysOf("collector", a.settings.Collector.WriteKeys, a.settings.Collector.WriteKeysFile)
	if err != nil {
		return nil, usageError{err}
	}
	events, err := a.openSpool(a.settings.SpoolDir())
	if err != nil {
		return nil, err
	}
	limits := web.DefaultLimits
	limits.EventBytes, limits.BatchBytes = int(a.settings.Collector.MaxEvent), int(a.settings.Collector.MaxBatch)
	c := &web.Collector{Spool: events, Keys: keys, Limits: limits, Now: time.Now, Log: a.log, Observe: metrics.Request}
	c.Register(mux)
	return events.Close, nil
}

// writeKeysOf reads the write keys of a part of the settings, from the environment or
// from their file.
func writeKeysOf(part, text, file string) (*web.WriteKeys, error) {
	from := "LAPSE_" + strings.ToUpper(part) + "_WRITE_KEYS"
	text = strings.ReplaceAll(text, ",", "\n")
	if text == "" {
		if file == "" {
			return nil, fmt.Errorf("the %s needs write keys: name a file with one a line in %s.write_keys_file, or set %s; or set schedule, to run jobs and take nothing", part, part, from)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s.write_keys_file: %w", part, err)
		}
		text, from = string(raw), file
	}
	keys, err := web.ParseWriteKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return keys, nil
}
