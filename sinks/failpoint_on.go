//go:build failpoints

package sinks

import (
	"os"
	"syscall"
)

// Failpoint kills the process, as kill -9 would, at the place that the environment
// variable LAPSE_FAILPOINT names.
func Failpoint(name string) {
	if os.Getenv("LAPSE_FAILPOINT") == name {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal is delivered
	}
}
