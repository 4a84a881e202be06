package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks/auditlog"
)

//go:embed audit_export.md.tmpl
var exportText string

var exportTemplate = template.Must(template.New("").Parse(exportText))

func (a *app) auditExportCommand() *cobra.Command {
	var f auditFlags
	var out string
	c := &cobra.Command{
		Use:   "export --out FOLDER",
		Short: "Write a copy of the audit log for an auditor, with instructions",
		Long: `Verifies the log and writes it into a new folder, together with its public keys, the
entries as lines of JSON, and a README that says how to verify all of it, with Lapse
or without. The copy is verified again. Writers may be at work meanwhile.

A log that does not verify is not exported: hand over the folder as it lies.`,
		Example: "  lapse audit export --out audit-2027\n  lapse audit export --out audit-2027 && tar czf audit-2027.tar.gz audit-2027",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("name the folder to write, with --out FOLDER")}
			}
			return a.exportAudit(c.Context(), f, out)
		},
	}
	f.register(c)
	c.Flags().StringVar(&out, "out", "", "folder for the export; it must not exist yet")
	return c
}

// auditExport is what the README of an export is written from.
type auditExport struct {
	*auditlog.Report
	Log      string
	At       string
	Program  string
	Policy   *config.Policy // names controller and data protection officer (C18)
	KeyFiles []string
}

func (a *app) exportAudit(ctx context.Context, f auditFlags, out string) error {
	policy, err := a.loadPolicy()
	if err != nil {
		return err
	}
	files, report, err := a.verified(ctx, f, nil)
	if err != nil {
		return err
	}
	if !notThere(out) {
		return usageError{fmt.Errorf("--out: %s is there already", out)}
	}
	log := filepath.Join(out, "log")
	if err := auditlog.Export(ctx, files, func(f auditlog.File) error { return writeBelow(log, f.Name, f.Data) }); err != nil {
		return err
	}
	key, err := auditlog.ParseVerifier(report.Keys[0])
	if err != nil {
		return err
	}
	exported := auditlog.ReadFolder(log)
	if report, err = auditlog.Verify(ctx, exported, key, auditlog.VerifyOptions{}); err != nil {
		return err
	}
	e := &auditExport{
		Report: report, Log: key.Name(), At: time.Now().UTC().Format(time.RFC3339), Program: "lapse " + version(), Policy: policy,
	}
	if err := errors.Join(e.write(out), writeEntries(ctx, exported, filepath.Join(out, "entries.jsonl"))); err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	return a.tell(map[string]any{"folder": out, "entries": report.Entries}, "%s: %d entries, verified; see %s",
		out, report.Entries, filepath.Join(out, "README.md"))
}

// writeBelow writes a file of a folder, and the folders on the way to it.
func writeBelow(folder, name string, data []byte) error {
	path := filepath.Join(folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// write writes the keys and the README.
func (e *auditExport) write(folder string) error {
	keys := map[string]string{"audit.key.pub": e.Keys[0] + "\n", "keys.txt": strings.Join(e.Keys, "\n") + "\n"}
	e.KeyFiles = []string{"audit.key.pub"}
	for n, key := range e.Keys[1:] {
		file := fmt.Sprintf("audit.key.%d.pub", n+2)
		keys[file] = key + "\n"
		e.KeyFiles = append(e.KeyFiles, file)
	}
	for file, text := range keys {
		if err := writeBelow(folder, file, []byte(text)); err != nil {
			return err
		}
	}
	var text strings.Builder
	if err := exportTemplate.Execute(&text, e); err != nil {
		return err
	}
	return writeBelow(folder, "README.md", []byte(text.String()))
}

// writeEntries writes each entry as a line, with its place before it.
func writeEntries(ctx context.Context, files auditlog.Files, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for r, failed := range auditlog.Encoded(ctx, files, 0, 0) {
		if failed != nil {
			return errors.Join(failed, f.Close())
		}
		_, _ = fmt.Fprintf(w, "{\"place\":\"%d/%d\",\"entry\":%s}\n", r.Year, r.Index, r.Entry) // Flush reports the error
	}
	return errors.Join(w.Flush(), f.Close())
}
