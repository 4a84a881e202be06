// Package traffic makes up the input that Lapse is shown, tested and measured
// with: product telemetry by the Segment specification, a web server's access
// log, and training images with their manifests, all of people who do not exist.
//
// It promises that the same Config gives the same bytes (compressed files and
// images: with the same encoders), that memory does not grow with the number of
// events, and that Truth, which it counts while it writes, says exactly what
// stands in the files. It knows nothing of the code
// that will read them, and never uses the name, address or number of a real
// person: addresses are of the ranges for documentation, benchmarks and private
// networks, domains are example.org and example.com, telephone numbers those
// reserved for fiction.
//
// The files are
//
//	telemetry/2024-01.ndjson[.gz|.zst]  by month of receipt, ordered by receivedAt
//	access/2024-01.log                  by month, combined format
//	training/2024-01.ndjson             manifests, by month
//	bucket/…                            objects of the bucket named "training"
package traffic

import (
	"context"
	"errors"
	"fmt"
)

// Generate writes the input that c describes to the files that create opens, and
// returns the truth about it. progress, if not nil, is told from time to time
// how many of the events, access lines and images are done.
//
// It stops with the first error, or with that of ctx; files written so far are
// then closed and incomplete.
func Generate(ctx context.Context, c Config, create Create, progress func(done, total int)) (*Truth, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("traffic configuration: %w", err)
	}
	s := seed(c.Seed)
	t := &Truth{seed: s, people: newPopulation(c, s), agents: map[string]struct{}{}}
	made := counter(ctx, c.Events+c.AccessLines+c.Images, progress)
	for _, write := range []func() error{
		func() error { return t.writeTelemetry(c, create, made) },
		func() error { return t.writeAccess(c, create, made) },
		func() error { return t.writeTraining(c, create, made) },
	} {
		if err := write(); err != nil {
			return nil, err
		}
	}
	t.Accounts = accounts(t.people.people)
	return t, nil
}

// counter returns a function that counts what has been made, reports it about a
// hundred times, and ends the run once ctx is done.
func counter(ctx context.Context, total int, progress func(done, total int)) func() error {
	done, step := 0, max(total/100, 1)
	return func() error {
		done++
		if done%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("generate traffic: %w", ctx.Err())
		}
		if progress != nil && (done%step == 0 || done == total) {
			progress(done, total)
		}
		return nil
	}
}

func (t *Truth) writeTelemetry(c Config, create Create, made func() error) error {
	out, err := newMonthly(create, "telemetry", ".ndjson", c.Compression)
	if err != nil {
		return err
	}
	g := newTelemetry(c, t.seed, t.people, t.agents, out)
	err = errors.Join(g.run(made), out.close())
	t.Telemetry, t.passed = out.files, g.passed
	return err
}

func (t *Truth) writeAccess(c Config, create Create, made func() error) error {
	out, err := newMonthly(create, "access", ".log", None)
	if err != nil {
		return err
	}
	err = errors.Join(newAccess(c, t.seed, t.people, t.agents, out).run(made), out.close())
	t.Access = out.files
	return err
}

func (t *Truth) writeTraining(c Config, create Create, made func() error) error {
	out, err := newMonthly(create, "training", ".ndjson", None)
	if err != nil {
		return err
	}
	w := newTraining(c, t.seed, t.people, create, out)
	err = errors.Join(w.run(made), out.close())
	t.Manifests, t.Training = out.files, &w.truth
	return err
}
