package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs"
)

// disposeAfter gets rid of the files that an ingest has read, where that is asked
// for or they are Lapse's own.
func (i *installation) disposeAfter(ctx context.Context, by *jobs.Runner, ingest *jobs.Ingest, asOf time.Time) (*jobs.Report, error) {
	inputs, ok := ingest.Inputs.(collected)
	if !ok {
		return nil, nil
	}
	needed, err := i.disposes(ctx, inputs)
	if err != nil || !needed {
		return nil, err
	}
	runner := i.runner(by.Actor, nil)
	runner.Stop = by.Stop
	report, err := runner.Run(ctx, &jobs.Dispose{Policy: i.policy, Inputs: inputs, Ledger: i.store}, asOf)
	if i.stdin != "" {
		if _, missing := os.Stat(i.stdin); missing == nil {
			i.app.log.Info("the standard input was kept, and is read by the next ingest without files", "path", i.stdin)
		}
	}
	return report, err
}

// disposes reports whether any of the inputs may have to go.
func (i *installation) disposes(ctx context.Context, inputs collected) (bool, error) {
	if i.policy.Disposal() != config.KeepFile {
		return true, nil
	}
	files, err := inputs.List(ctx)
	for _, f := range files {
		if f.Own {
			return true, err
		}
	}
	processed, failed := inputs.Processed(ctx)
	return len(processed) > 0, errors.Join(err, failed)
}
