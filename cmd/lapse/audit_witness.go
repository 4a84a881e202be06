package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks/auditlog"
)

func (a *app) auditWitnessCommand() *cobra.Command {
	var f auditFlags
	var places []string
	c := &cobra.Command{
		Use:   "witness --add-to FILE|URL",
		Short: "Put the newest checkpoint away, out of reach of whoever keeps the log",
		Long: `Verifies the log and adds its newest signed checkpoint to a file, or puts it to a
URL as YEAR/SIZE below it by an HTTP PUT that never replaces anything. Run it once a
day, for places that whoever runs Lapse cannot change: a mount of the auditor's, a
bucket of another account. 'lapse audit verify --anchors' then finds a log that was
rolled back or written anew.

A log that is not a continuation of the file's checkpoints is not witnessed.`,
		Example: `  lapse audit witness --add-to /mnt/auditor/anchors
  lapse audit witness --add-to https://witness.example.com/lapse
  0 6 * * *  lapse -c /etc/lapse/lapse.yaml audit witness --add-to /mnt/auditor/anchors`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if len(places) == 0 {
				return usageError{errors.New("say where to put the checkpoint, with --add-to FILE|URL")}
			}
			return a.witness(c.Context(), f, places)
		},
	}
	f.register(c)
	c.Flags().StringArrayVar(&places, "add-to", nil, "file to append to, or URL to put below; can be repeated")
	return c
}

// witness is a place that holds a checkpoint at least as new as this one.
type witness struct {
	Place string `json:"place"`
	auditlog.Checkpoint
}

func (a *app) witness(ctx context.Context, f auditFlags, places []string) error {
	var known []string
	for _, place := range places {
		if !isURL(place) && !notThere(place) {
			known = append(known, place)
		}
	}
	anchors, err := loadAnchors(ctx, known)
	if err != nil {
		return err
	}
	files, report, err := a.verified(ctx, f, anchors)
	if err != nil {
		return err
	}
	key, err := auditlog.ParseVerifier(report.Keys[len(report.Keys)-1]) // the one in force
	if err != nil {
		return err
	}
	newest := report.Years[len(report.Years)-1]
	var witnessed []witness
	var errs error
	for _, place := range places {
		if err := putAway(ctx, files, key, place); err != nil {
			errs = errors.Join(errs, fmt.Errorf("%s: %w", place, err))
			continue
		}
		witnessed = append(witnessed, witness{place, newest.Checkpoint})
		if a.output != "json" {
			a.say("%s holds a checkpoint of %s/%d with at least %d entries", place, newest.Log, newest.Year, newest.Size)
		}
	}
	if a.output == "json" {
		errs = errors.Join(errs, a.printJSON(witnessed))
	}
	return errs
}

func putAway(ctx context.Context, files auditlog.Files, key *auditlog.Verifier, place string) error {
	if isURL(place) {
		return auditlog.PutAnchor(ctx, files, key, witnessClient, place)
	}
	return auditlog.AddAnchor(ctx, files, key, place)
}
