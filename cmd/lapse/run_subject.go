package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/jobs"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/erasurefile"
	"github.com/facesoft/lapse/sinks/keyring"
)

// runSubjectCommands are the jobs for data subjects.
func (a *app) runSubjectCommands(f *runFlags) []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "subject",
			Short: "Carry out the requests that were accepted, and go on with those that waited",
			Long: `Carries out what accepted requests ask for, and takes up again what a crash or an error
has interrupted. People who are to be erased are erased all together, in one pass over
each dataset; requests that waited for the end of a legal hold, or for 'lapse run purge'
to delete training items, go on. Nobody has to ask again.`,
			Example: "  lapse run subject --dry-run\n  lapse run subject --output json",
			Args:    exactly(0),
			RunE:    func(c *cobra.Command, _ []string) error { return a.runNamed(c.Context(), *f, sinks.JobSubject, nil) },
		},
		{
			Use:   "sweep",
			Short: "Erase again what has come back of erased people, such as from a restored backup",
			Long: `Looks for everybody whom the erasure ledger knows, by keyed hashes, in every dataset and
in the quarantine, and erases what it finds. First it takes over from the ledger's copy
(erasures_dir) what the ledger itself has lost. Run it after restoring a backup, before
anything else, and daily.`,
			Example: "  lapse run sweep --dry-run\n  lapse run sweep",
			Args:    exactly(0),
			RunE:    func(c *cobra.Command, _ []string) error { return a.runNamed(c.Context(), *f, sinks.JobSweep, nil) },
		},
	}
}

// erasures returns the erasure ledger with its copy.
func (i *installation) erasures() (jobs.KeptErasures, error) {
	file, err := erasurefile.Open(i.settings.ErasuresFolder())
	return jobs.KeptErasures{ErasureLedger: i.store, Copy: file}, err
}

// erasureKeys returns the keys of the erasure ledger, one a period. An earlier version had
// one for all time: it becomes that of the period in hand.
func (i *installation) erasureKeys() (keys jobs.ErasureKeys, err error) {
	folder, err := keyring.Open(filepath.Join(i.settings.DataDir, "keys", "erasures"))
	keys = jobs.ErasureKeys{Policy: i.policy, Keyring: folder}
	if err != nil {
		return keys, err
	}
	return keys, folder.Adopt(i.keys, "erasures", keys.Period(time.Now()))
}

// subject returns the job that carries out what accepted requests ask for.
func (i *installation) subject() (*jobs.Subject, error) {
	ledger, err := i.erasures()
	if err != nil {
		return nil, err
	}
	keys, err := i.erasureKeys()
	if err != nil {
		return nil, err
	}
	exports, err := i.exports()
	return &jobs.Subject{
		Policy: i.policy, Register: i.store, Tables: i.store, Training: i.store, Ledger: ledger, Keys: keys, Locks: i.locks, By: orUser(""), Exports: exports,
		Answers: &answers{installation: i, made: map[sinks.ID]answered{}},
	}, err
}

// sweep returns the job that erases again. The ledger is made whole before.
func (i *installation) sweep(ctx context.Context, dryRun bool) (*jobs.Sweep, error) {
	ledger, err := i.erasures()
	if err != nil {
		return nil, err
	}
	if !dryRun {
		restored, err := ledger.Restore(ctx)
		if err != nil {
			return nil, err
		}
		if restored > 0 {
			i.app.log.Warn("the erasure ledger had lost entries, as after restoring a backup; they are back", "entries", restored)
		}
	}
	keys, err := i.erasureKeys()
	return &jobs.Sweep{Policy: i.policy, Tables: i.store, Keys: keys, Locks: i.locks}, err
}

// carryOut runs the job for data subjects: one run enters what was accepted, and the
// next one erases.
func (i *installation) carryOut(ctx context.Context, asOf time.Time, m *meter) (*jobs.Report, error) {
	job, err := i.subject()
	if err != nil {
		return nil, err
	}
	if err := i.openLogOnce(ctx); err != nil {
		return nil, err
	}
	return i.perform(ctx, i.runner(sinks.ActorOperator, m.observe(sinks.JobSubject)), job, asOf)
}

// goOn runs the job for data subjects once more where it has entered what was accepted:
// what is to be erased is known then.
func goOn(ctx context.Context, runner *jobs.Runner, job jobs.Job, report *jobs.Report, asOf time.Time) error {
	if !report.Did(sinks.ActionEnterErasure) {
		return nil
	}
	var err error
	report.Then, err = runner.Run(ctx, job, asOf)
	return err
}
