package main

import (
	"github.com/spf13/cobra"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read, verify, prove, export and witness the audit log",
		Long: `The audit log holds an entry for everything Lapse is about to do and has done. It
is a Merkle tree in the layout of C2SP tlog-tiles under signed checkpoints, in a
folder or in a bucket with the S3 API: nobody can change what is in it unseen, and
anyone can verify it offline with the public key.`,
		Example: `  lapse audit verify
  lapse audit log --action purge_item --since 2027-01-01
  lapse audit prove 2027/1234 --out entry.proof && lapse audit check entry.proof
  lapse audit witness --add-to /mnt/auditor/anchors
  lapse audit export --out for-the-auditor`,
	}
	c.AddCommand(a.auditVerifyCommand(), a.auditLogCommand(), a.auditProveCommand(), a.auditCheckCommand(),
		a.auditExportCommand(), a.auditWitnessCommand(), a.auditKeyCommand())
	return c
}

// auditFlags name a log, or a key, other than the settings'.
type auditFlags struct{ dir, key string }

func (f *auditFlags) register(c *cobra.Command) {
	f.registerDir(c)
	c.Flags().StringVar(&f.key, "key", "", "file of the public key that the log began with, in place of the settings'")
}

func (f *auditFlags) registerDir(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", "", "folder of the log, in place of the settings'")
}
