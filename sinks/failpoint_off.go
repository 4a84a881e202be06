//go:build !failpoints

package sinks

// Failpoint marks a place between two steps at which a test kills the process. It
// does nothing in a normal build.
func Failpoint(string) {}
