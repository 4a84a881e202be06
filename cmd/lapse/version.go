package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the program",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.printJSON(map[string]any{"version": version(), "go": runtime.Version(), "policy_format": config.PolicyFormat})
			}
			a.say("lapse %s (%s, policy format %d)", version(), runtime.Version(), config.PolicyFormat)
			return nil
		},
	}
}
