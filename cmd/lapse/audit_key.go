package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

func (a *app) auditKeyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Short:   "Make and rotate the key that signs the audit log",
		Example: "  lapse audit key new --out /etc/lapse/audit.key --log-name example.org/lapse\n  lapse audit key rotate",
	}
	c.AddCommand(a.auditKeyNewCommand(), a.auditKeyRotateCommand())
	return c
}

func (a *app) auditKeyNewCommand() *cobra.Command {
	var out, logName string
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a key pair",
		Long: `Makes an Ed25519 key pair: the private key in a file that only its owner can read,
the public key beside it with .pub behind its name. Give the public key to whoever
is to verify the log, before the log begins. No file is ever replaced.

The private key can also be kept in the environment variable LAPSE_AUDIT_KEY, from a
secret store, in place of its file.`,
		Example: "  lapse audit key new\n  lapse audit key new --out next.key && lapse audit key rotate --to next.key",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				out = a.settings.AuditKeyFile()
			}
			return a.newKey(out, logName)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file for the private key, in place of the settings'")
	c.Flags().StringVar(&logName, "log-name", "", "name of the audit log, a URL without scheme (default: that of the settings' key, or HOST/lapse)")
	return c
}

// newKey makes a key pair for the log of a name, or of the key that there is.
func (a *app) newKey(file, logName string) error {
	if logName == "" {
		if key, err := auditlog.LoadVerifier(a.settings.AuditPublicKey()); err == nil {
			logName = key.Name()
		} else {
			logName = defaultLogName()
		}
	}
	key, err := auditlog.NewKey(logName)
	if err != nil {
		return usageError{err}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make audit key: %w", err)
	}
	if err := key.Save(file); err != nil {
		return err
	}
	return a.tell(map[string]string{"key": file, "public_key": file + ".pub", "log": logName}, "%s and %s.pub written, for the log %s", file, file, logName)
}

func defaultLogName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return host + "/lapse"
}

func (a *app) auditKeyRotateCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Hand the audit log over to another key",
		Long: `Makes a key pair, writes an entry with its public key under a checkpoint that the
old key and the new one sign, and puts the new private key in the place of the old
one, which is gone then. Verification goes on from the log's first public key, which
stays where it is; the new one is put beside it for 'lapse audit check'.

With --to the key is one that 'lapse audit key new' has made, and stays where it is.
That is the way if the key comes from the environment: once the log is handed over,
put the new key there.

Processes that have the log open with the old key stop with exit code 6 and are to
be started again.`,
		Example: "  lapse audit key rotate\n  lapse audit key rotate --to next.key",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return a.rotateKey(c.Context(), to) },
	}
	c.Flags().StringVar(&to, "to", "", "file of the private key to hand over to, in place of a new one")
	return c
}

func (a *app) rotateKey(ctx context.Context, to string) error {
	if to == "" && a.settings.Audit.Key != "" {
		return usageError{errors.New("the key comes from the environment: make the next one with 'lapse audit key new --out FILE', and hand over with --to FILE")}
	}
	interrupted := !notThere(a.nextKeyFile())
	log, err := a.openAuditLog(ctx)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // what was written is durable
	if interrupted && notThere(a.nextKeyFile()) {
		return a.tell(map[string]any{"completed": true}, "a rotation that was interrupted has been completed")
	}
	next, err := a.nextKey(to)
	if err != nil {
		return err
	}
	if err := log.Rotate(ctx, next, sinks.ActorOperator); err != nil {
		return err
	}
	if to == "" {
		if err := a.installKey(next); err != nil {
			return err
		}
	}
	return a.tell(map[string]string{"key": next.VerifierKey()}, "the log is signed by %s from now on", next.VerifierKey())
}

// nextKeyFile holds the key of a rotation until the log is handed over to it.
func (a *app) nextKeyFile() string { return a.settings.AuditKeyFile() + ".next" }

// nextKey returns the key to hand over to: that of a file, or a new one, which is
// made durable first. A new one that an interrupted rotation has left is used.
func (a *app) nextKey(file string) (*auditlog.PrivateKey, error) {
	if file != "" {
		next, err := auditlog.LoadKey(file)
		if err != nil {
			return nil, usageError{fmt.Errorf("--to: %w", err)}
		}
		return next, nil
	}
	next, err := auditlog.LoadKey(a.nextKeyFile())
	if !errors.Is(err, fs.ErrNotExist) {
		return next, err
	}
	old, err := a.auditKey()
	if err != nil {
		return nil, err
	}
	if next, err = auditlog.NewKey(old.Name()); err != nil {
		return nil, err
	}
	return next, next.Save(a.nextKeyFile())
}

// installKey puts the key of a rotation in the place of the key before it. It can
// be repeated until its last step, the rename of the private key.
func (a *app) installKey(next *auditlog.PrivateKey) error {
	file := a.settings.AuditKeyFile()
	for n := 2; ; n++ {
		public := fmt.Sprintf("%s.%d.pub", file, n)
		there, err := os.ReadFile(public)
		if errors.Is(err, fs.ErrNotExist) {
			err = os.WriteFile(public, []byte(next.VerifierKey()+"\n"), 0o644)
		} else if err == nil && strings.TrimSpace(string(there)) != next.VerifierKey() {
			continue
		}
		if err != nil {
			return fmt.Errorf("install audit key: %w", err)
		}
		a.log.Info("audit key rotated", "public_key", public, "verify_with", a.settings.AuditPublicKey())
		break
	}
	if err := os.Remove(a.nextKeyFile() + ".pub"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("install audit key: %w", err)
	}
	if err := os.Rename(a.nextKeyFile(), file); err != nil {
		return fmt.Errorf("install audit key: %w", err)
	}
	return nil
}
