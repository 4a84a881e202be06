package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
)

func (a *app) initCommand() *cobra.Command {
	var logName string
	c := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Start an installation: settings, a policy, and the audit log's key",
		Long: `Writes lapse.yaml and policy.yaml (the policy of Facesoft Ltd, to start from) into
the folder and makes the key that signs the audit log. What is there already is
left as it is. Give the public key, data/audit.key.pub, to your auditor now: with it the
log is verified offline.`,
		Example: "  lapse init\n  lapse init /etc/lapse --log-name example.org/lapse",
		Args:    atMostOne(),
		RunE: func(_ *cobra.Command, args []string) error {
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			return a.initialise(folder, logName)
		},
	}
	c.Flags().StringVar(&logName, "log-name", "", "name of the audit log, a URL without scheme (default HOST/lapse)")
	return c
}

func (a *app) initialise(folder, logName string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("start installation: %w", err)
	}
	fresh, err := a.writeNew(filepath.Join(folder, config.SettingsFile), config.Starter)
	if err != nil {
		return err
	}
	if _, err := a.writeNew(filepath.Join(folder, "policy.yaml"), config.Facesoft); err != nil {
		return err
	}
	settings, err := config.LoadSettings(filepath.Join(folder, config.SettingsFile))
	if err != nil {
		return usageError{err}
	}
	for _, b := range settings.Buckets {
		if !fresh { // a folder that is missing then may be a disk that is not mounted
			break
		}
		if err := os.MkdirAll(b.Path, 0o700); err != nil {
			return fmt.Errorf("start installation: %w", err)
		}
	}
	return a.makeKey(settings, logName)
}

// writeNew writes a file unless it is there, and reports whether it did.
func (a *app) writeNew(path string, content []byte) (bool, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		a.say("%s is there already", path)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start installation: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("start installation: %w", err)
	}
	a.say("%s written", path)
	return true, nil
}

// makeKey makes the audit log's key pair unless it is there.
func (a *app) makeKey(s *config.Settings, logName string) error {
	if _, err := os.Stat(s.AuditKeyFile()); err == nil {
		a.say("%s is there already", s.AuditKeyFile())
		return nil
	}
	if logName == "" {
		logName = defaultLogName()
	}
	return a.newKey(s.AuditKeyFile(), logName)
}
