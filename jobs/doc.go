// Package jobs decides what must happen to personal data, and sees it through:
// ingest, anonymise, purge.
//
// Each job plans steps, which are plain data with a deterministic id, and executes
// them; the Runner alone orders lock, intent, execution and outcome. The same
// steps make up a dry run, a plan shown to a person, and the audit log.
//
// It promises that no effect happens without a durable intent before it, and that
// running a job again, beside itself or after kill -9, ends in the same state. It
// reads no clock in order to decide anything: the time for which the policy is
// evaluated is passed in. It knows stores only by the interfaces of package sinks.
package jobs
