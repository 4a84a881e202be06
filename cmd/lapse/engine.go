package main

import (
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks/engine"
)

func (a *app) engineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "engine",
		Short: "Install the embedded ClickHouse",
	}
	c.AddCommand(&cobra.Command{
		Use:   "install",
		Short: "Fetch the embedded ClickHouse through npm and check its hash",
		Long: `Fetches the pinned engine (ClickHouse as a shared library) through the npm client,
checks it against its pinned integrity hash, and puts it into the user's cache
($XDG_CACHE_HOME or ~/.cache). Does nothing if it is there.`,
		Example: "  lapse engine install",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := engine.Pinned()
			if err != nil {
				return err
			}
			path, err := engine.Install(c.Context(), p, func(s string) { a.log.Info(s) })
			if err != nil {
				return err
			}
			a.say("%s", path)
			return nil
		},
	})
	return c
}
