package main

import (
	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks/engine"
)

func (a *app) engineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "engine",
		Short: "Install and run the embedded ClickHouse",
	}
	c.AddCommand(a.engineRunCommand(), &cobra.Command{
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

func (a *app) engineRunCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Keep the embedded ClickHouse running, for other clients",
		Long: `Starts the embedded ClickHouse, or joins the one that runs, and keeps it running
until this command is ended. Says how an analyst's client reaches it; the password
is in the file that it names.`,
		Example: "  lapse engine run",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			i := &installation{app: a, settings: a.settings}
			if err := i.startEngine(c.Context()); err != nil {
				return err
			}
			a.say("native protocol: %s, HTTP: http://%s", i.engine.Address, i.engine.HTTPAddress)
			a.say("user %s, database %s; password: analyst_password in %s", i.engine.AnalystUser, i.engine.AnalystDatabase, i.engine.ConnectionFile())
			<-c.Context().Done()
			return i.Close()
		},
	}
}
