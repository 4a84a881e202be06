// Command lapse carries out the data-lifecycle half of a privacy policy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the policy's time zone must be known on any machine

	"github.com/facesoft/lapse/sinks/engine"
)

func main() {
	engine.RunIfKeeper()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
