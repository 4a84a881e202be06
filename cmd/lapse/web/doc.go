// Package web holds the HTTP handlers of `lapse serve`: the collector, which takes
// events as the HTTP tracking API of the Segment specification describes
// (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/);
// that of notes for the training register; that of the requests of data subjects; the
// probes of health and readiness; and metrics for Prometheus.
//
// It promises that events answered with 200 are durable, that a request is taken
// wholly or not at all, and that memory stays bounded whatever is sent. It checks
// the syntax of events and their size; what they mean, and whether they may be
// held, is for ingest to judge. No answer and no log line holds anything of a
// request's body, a write key, or an address.
package web
