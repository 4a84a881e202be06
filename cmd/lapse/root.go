package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/facesoft/lapse/config"
)

// app is what all commands share.
type app struct {
	in          io.Reader
	out, errors io.Writer

	settingsFile string
	policy       string
	dataDir      string
	dsn          string
	output       string
	logLevel     string

	settings    *config.Settings
	log         *slog.Logger
	closeTraces func() // set by prepare
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errors io.Writer) int {
	a := &app{in: in, out: out, errors: errors}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errors)
	err := root.ExecuteContext(ctx)
	if a.closeTraces != nil {
		a.closeTraces()
	}
	if err != nil {
		_, _ = fmt.Fprintln(errors, "lapse:", err)
	}
	return exitCode(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "lapse",
		Short: "Carry out the data-lifecycle half of a privacy policy, and prove it",
		Long: `Lapse takes a privacy policy as code and carries it out: it ingests usage and
technical telemetry into ClickHouse, anonymises records past their retention
window (k-anonymity over distinct people, verified), purges training data once
its purpose is complete or consent is gone, and keeps a tamper-evident audit log
that anyone can verify offline.

Exit codes:
` + exitCodesHelp,
		Example: `  lapse demo                            # see it work on made-up data
  lapse init                            # start an installation in this folder
  lapse run ingest access.log           # take a web server's log in
  lapse plan --as-of 2027-01-01         # what would be due then
  lapse run anonymise                   # publish what is past its window
  lapse audit verify                    # check the log of all of it`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: a.prepare,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.settingsFile, "config", "c", "", "settings file (default "+config.SettingsFile+" here, if there is one)")
	flags.StringVar(&a.policy, "policy", "", "policy file, in place of the settings'")
	flags.StringVar(&a.dataDir, "data-dir", "", "folder of Lapse's own data, in place of the settings'")
	flags.StringVar(&a.dsn, "clickhouse-dsn", "", "ClickHouse server, in place of the settings'")
	flags.StringVarP(&a.output, "output", "o", "table", "output format: table or json")
	flags.StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error, in place of the settings'")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(
		a.initCommand(), a.runCommand(), a.serveCommand(), a.planCommand(), a.statusCommand(), a.runsCommand(), a.doctorCommand(), a.reportCommand(), a.queryCommand(), a.holdCommand(),
		a.auditCommand(), a.policyCommand(), a.consentCommand(), a.demoCommand(), a.engineCommand(), a.versionCommand(),
		a.trainingCommand(), a.quarantineCommand(), a.subjectCommand(), a.exportCommand(), a.disclosuresCommand(),
	)
	return root
}

// prepare loads the settings before any command runs, and sees to the log and to traces.
func (a *app) prepare(c *cobra.Command, _ []string) error {
	if a.output != "table" && a.output != "json" {
		return usageError{fmt.Errorf("--output is table or json, not %q", a.output)}
	}
	s, err := config.LoadSettings(a.settingsFile)
	if err != nil {
		return usageError{err}
	}
	for _, f := range []struct {
		flag    string
		setting *string
	}{{a.policy, &s.Policy}, {a.dataDir, &s.DataDir}, {a.dsn, &s.ClickHouse.DSN}, {a.logLevel, &s.Log.Level}} {
		if f.flag != "" {
			*f.setting = f.flag
		}
	}
	a.settings = s
	if a.log, err = a.logger(); err != nil {
		return err
	}
	return a.openTraces(c.Context())
}

// logger writes to standard error: text for people, JSON if the settings say so.
func (a *app) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.settings.Log.Level)); err != nil {
		return nil, usageError{fmt.Errorf("log level: %w; use debug, info, warn or error", err)}
	}
	options := &slog.HandlerOptions{Level: level}
	if strings.EqualFold(a.settings.Log.Format, "json") {
		return slog.New(slog.NewJSONHandler(a.errors, options)), nil
	}
	return slog.New(slog.NewTextHandler(a.errors, options)), nil
}

// onTerminal reports whether w is shown to a person as it is written.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// exactly checks the number of arguments.
func exactly(n int) cobra.PositionalArgs {
	return withUsage(cobra.ExactArgs(n), fmt.Sprint(n))
}

func atMostOne() cobra.PositionalArgs { return withUsage(cobra.MaximumNArgs(1), "at most 1") }

func atLeast(n int) cobra.PositionalArgs {
	return withUsage(cobra.MinimumNArgs(n), fmt.Sprint("at least ", n))
}

// withUsage puts the usage into the error of a check.
func withUsage(check cobra.PositionalArgs, takes string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if check(c, args) != nil {
			return usageError{fmt.Errorf("%s takes %s arguments, got %d; usage: %s", c.CommandPath(), takes, len(args), c.UseLine())}
		}
		return nil
	}
}
