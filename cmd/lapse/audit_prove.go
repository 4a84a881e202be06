package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/auditlog"
)

// errNotProved means that a proof does not show what it says.
var errNotProved = errors.New("the proof does not hold")

func (a *app) auditProveCommand() *cobra.Command {
	var f auditFlags
	var out string
	c := &cobra.Command{
		Use:   "prove ENTRY",
		Short: "Write a self-contained proof that an entry is in the audit log",
		Long: `Writes the entry, its path in the Merkle tree and the signed checkpoint, in the
format of C2SP tlog-proof. Whoever has the proof and the log's public key checks it
alone, with 'lapse audit check', without the rest of the log.

ENTRY is an entry's place (YEAR/INDEX, as 'lapse audit log' shows it) or its id.`,
		Example: `  lapse audit prove 2027/1234 --out entry.proof
  lapse audit prove 4be0643f1d98573b97cdca98a65347dd | lapse audit check -`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			files, err := a.auditFiles(f.dir)
			if err != nil {
				return err
			}
			p, err := auditlog.ParsePosition(args[0])
			if err != nil {
				var id sinks.ID
				if id.UnmarshalText([]byte(args[0])) != nil {
					return usageError{fmt.Errorf("%q is neither YEAR/INDEX, such as 2027/1234, nor an entry's id of 32 hexadecimal digits", args[0])}
				}
				if p, err = auditlog.Find(c.Context(), files, id); err != nil {
					return err
				}
			}
			proof, err := auditlog.Prove(c.Context(), files, p)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = a.out.Write(proof)
				return err
			}
			if err := os.WriteFile(out, proof, 0o644); err != nil {
				return fmt.Errorf("write proof: %w", err)
			}
			a.say("%s proves entry %s", out, p)
			return nil
		},
	}
	f.registerDir(c)
	c.Flags().StringVar(&out, "out", "", "file for the proof (default: standard output)")
	return c
}

func (a *app) auditCheckCommand() *cobra.Command {
	var keys []string
	var object objectName
	c := &cobra.Command{
		Use:   "check PROOF",
		Short: "Check a proof by itself, and show the entry that it is about",
		Long: `Checks a proof that 'lapse audit prove' has written against nothing but the log's
public key. PROOF is a file, or - for standard input. A certificate of destruction, or
the receipt of a request, as JSON or as a page, is checked with all of its proofs.

With --object it also has to be a certificate of that object.

A log whose key was rotated has several public keys, and each signs the proofs of
its time: name their files with --key, once each.

Ends with 0 if the entry is in the log and with 7 if that is not proved.`,
		Example: "  lapse audit check entry.proof --key audit.key.pub\n  lapse audit check certificate.html --object o1/img-1.jpg --key audit.key.pub",
		Args:    exactly(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.checkProof(args[0], keys, object) },
	}
	object.register(c, "the key of the object that the certificate has to be of")
	c.Flags().StringArrayVar(&keys, "key", nil, "file of a public key of the log, in place of the settings'; can be repeated")
	return c
}

// checkProof checks a proof, a certificate or a receipt against public keys of the log;
// a certificate also has to be of the object, where one is named.
func (a *app) checkProof(name string, keys []string, object objectName) error {
	verifiers, err := a.publicKeys(keys)
	if err != nil {
		return err
	}
	proof, err := a.readProof(name)
	if err != nil {
		return usageError{fmt.Errorf("read proof: %w", err)}
	}
	if object.key != "" && (findReceipt(proof) != nil || findCertificate(proof) == nil) {
		return usageError{errors.New("--object is for certificates of destruction; this is none")}
	}
	if raw := findReceipt(proof); raw != nil {
		r, err := checkReceipt(raw, verifiers)
		if err != nil {
			return fmt.Errorf("%s: %w: it %w", name, errNotProved, err)
		}
		return a.printCheckedReceipt(r)
	}
	if raw := findCertificate(proof); raw != nil {
		c, err := checkCertificate(raw, verifiers)
		if err == nil && object.key != "" {
			err = c.isOf(object)
		}
		if err != nil {
			return fmt.Errorf("%s: %w: it %w", name, errNotProved, err)
		}
		return a.printChecked(c)
	}
	r, err := auditlog.CheckProof(proof, verifiers...)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", name, errNotProved, err)
	}
	return a.printProved(r)
}

// maxProof is more than the longest proof has, or certificate with many, in bytes.
const maxProof = 1 << 30

func (a *app) readProof(name string) ([]byte, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	return io.ReadAll(io.LimitReader(in, maxProof))
}

// publicKeys returns the log's public keys: those of the files, or else the
// settings' with those that rotations have put beside it.
func (a *app) publicKeys(files []string) ([]note.Verifier, error) {
	var keys []note.Verifier
	if len(files) == 0 {
		first, err := a.firstPublicKey("")
		if err != nil {
			return nil, err
		}
		keys = append(keys, first)
		if files, err = filepath.Glob(a.settings.AuditKeyFile() + ".[0-9]*.pub"); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		key, err := a.firstPublicKey(file)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (a *app) printProved(r auditlog.Record) error {
	if a.output == "json" {
		return a.printJSON(struct {
			Proved bool `json:"proved"`
			auditlog.Record
		}{true, r})
	}
	raw, err := auditlog.Encode(r.Entry)
	if err != nil {
		return err
	}
	a.say("proved: entry %s is in the log\n%s", r.Position, raw)
	return nil
}

// notThere reports whether a file is absent.
func notThere(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
