package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
)

func (a *app) trainingRestoreCommand() *cobra.Command {
	var asOf string
	c := &cobra.Command{
		Use:   "restore ITEM...",
		Short: "Take hidden items back before they are deleted",
		Long: `Items that are due are hidden first and deleted when the policy's grace (training.grace) has
passed. Until then those whose purposes are complete, or that are too old, can be taken
back: what has made them due counts no more. Where somebody's consent is the reason
they cannot, unless that consent is recorded ('lapse training grant').

All of the items are restored, or none. The audit log says so.`,
		Example: "  lapse training restore 4be0643f1d98573b97cdca98a65347dd",
		Args:    atLeast(1),
		RunE: func(c *cobra.Command, args []string) error {
			var ids []sinks.ID
			for _, text := range args {
				id, err := parseItem(text)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return a.restoreItems(c.Context(), ids, asOf)
		},
	}
	c.Flags().StringVar(&asOf, "as-of", "", "evaluate the policy for this time: YYYY-MM-DD or RFC 3339")
	return c
}

func (a *app) restoreItems(ctx context.Context, ids []sinks.ID, at string) error {
	i, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer i.Close() //nolint:errcheck // what matters has been made durable before
	asOf, err := parseAsOf(at, i.policy)
	if err != nil {
		return err
	}
	if err := i.openLog(ctx); err != nil {
		return err
	}
	job := &jobs.Restore{Policy: i.policy, Register: i.store, Locks: i.locks, Items: ids}
	report, err := i.runner(sinks.ActorOperator, nil).Run(ctx, job, asOf)
	if err != nil {
		return err
	}
	return a.tell(report, "%d items restored (run %s)", len(ids), report.Run)
}
