package main

import (
	"context"
	"errors"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// The exit codes. The help of the root command and the README list them.
const (
	exitSuccess     = 0
	exitFailure     = 1 // permanent: trying again does not help
	exitUsage       = 2 // the command line, the settings or the policy are wrong
	exitRetriable   = 3 // a store did not answer: try again later
	exitPartial     = 4 // some steps failed, others were done
	exitOverdue     = 5 // something due was left undone
	exitAudit       = 6 // the audit log cannot be written: nothing was done
	exitNotVerified = 7 // the audit log, a proof from it or its copy does not verify
	exitInterrupted = 130
)

// exitCodesHelp lists them for people.
const exitCodesHelp = `  0    done, or nothing to do
  1    failed, and trying again does not help
  2    the command line, the settings or the policy are wrong
  3    a store did not answer, or the time was too short; try again later
  4    some steps or jobs failed, the others were done
  5    something that is due was left undone
  6    the audit log cannot be written, so nothing was done
  7    the audit log, a proof from it or its copy does not verify
  130  interrupted; the next run goes on`

// usageError is a mistake of whoever typed the command.
type usageError struct{ error }

// errOverdue means that something stayed undone that is due.
var errOverdue = errors.New("something that is due was left undone")

// errPartial means that some steps failed and others did not.
var errPartial = errors.New("some steps failed")

// exitCode is the one place that decides how the program ends.
func exitCode(err error) int {
	var usage usageError
	var fault *config.Fault
	switch {
	case err == nil:
		return exitSuccess
	case errors.As(err, &usage), errors.As(err, &fault):
		return exitUsage
	case errors.Is(err, auditlog.ErrNotVerified), errors.Is(err, errCopyDiffers), errors.Is(err, errNotProved):
		return exitNotVerified
	case errors.Is(err, jobs.ErrAudit):
		return exitAudit
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.Is(err, sinks.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return exitRetriable
	case errors.Is(err, errOverdue):
		return exitOverdue
	}
	return exitFailure
}
