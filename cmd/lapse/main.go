// Command lapse carries out the data-lifecycle half of a privacy policy.
package main

import (
	"os"
	"runtime/debug"
	_ "time/tzdata" // the policy's time zone must be known on any machine

	"github.com/facesoft/lapse/sinks/engine"
)

func main() {
	engine.RunIfKeeper()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // buffers are used again: little is left to collect, and memory counts
	}
	ctx, stop := untilSignal()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
