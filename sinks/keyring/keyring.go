// Package keyring keeps keys in a folder: those of pseudonyms, and of the erasure ledger,
// one file a period, and those of other ledgers about people, one file a ledger.
//
// It promises that a key is durable before it is used for the first time, that all
// processes on the folder use the same one, that only the folder's owner can read
// it, and that a destroyed key is overwritten before its file is removed. It cannot
// promise that a disk, a snapshot or a backup has not kept the bytes elsewhere: keep
// the folder out of all of those.
package keyring

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

// Folder is a keyring in a folder.
type Folder struct{ dir string }

var (
	_ sinks.Keyring    = (*Folder)(nil)
	_ sinks.LedgerKeys = (*Folder)(nil)
)

// Open returns the keyring in dir, which is made (mode 0700) if it does not exist.
// A folder that others can read is refused.
func Open(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open keyring: others can read %s (mode %04o): it holds the keys of pseudonyms; run 'chmod 700' on it", dir, info.Mode().Perm())
	}
	return &Folder{dir}, nil
}

// Key implements sinks.Keyring.
func (f *Folder) Key(p sinks.KeyPeriod) (sinks.PseudonymKey, error) {
	key, err := f.named(p.String())
	return sinks.PseudonymKey(key), err
}

// Secret implements sinks.LedgerKeys.
func (f *Folder) Secret(ledger string) (sinks.LedgerKey, error) {
	key, err := f.named("ledger-" + ledger)
	return sinks.LedgerKey(key), err
}

// Adopt makes the key of a ledger that of a period of another keyring. There need not be
// one.
func (f *Folder) Adopt(from *Folder, ledger string, p sinks.KeyPeriod) error {
	old := from.path("ledger-" + ledger)
	err := os.Link(old, f.path(p.String()))
	if _, gone := os.Stat(old); errors.Is(err, fs.ErrNotExist) && errors.Is(gone, fs.ErrNotExist) {
		return nil // there was none, or somebody has adopted it meanwhile
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("adopt the key of %s: %w", ledger, err)
	}
	if err := f.sync(); err != nil {
		return err
	}
	if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("adopt the key of %s: %w", ledger, err)
	}
	return from.sync()
}

type key [32]byte

func (f *Folder) named(name string) (key, error) {
	for {
		key, err := f.read(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return key, err
		}
		if err := f.make(name); err != nil && !errors.Is(err, fs.ErrExist) { // somebody was faster
			return key, fmt.Errorf("make the key of %s: %w", name, err)
		}
	}
}

func (f *Folder) read(p string) (k key, err error) {
	path := f.path(p)
	info, err := os.Stat(path)
	if err != nil {
		return k, fmt.Errorf("read the key of %s: %w", p, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("read the key of %s: others can read %s (mode %04o); run 'chmod 600' on it", p, path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("read the key of %s: %w", p, err)
	}
	if len(raw) == len(k) && key(raw) == k {
		return k, fmt.Errorf("read the key of %s: %w: remove %s, and what was made with it is not known again", p, sinks.ErrDestroyed, path)
	}
	if len(raw) != len(k) {
		return k, fmt.Errorf("read the key of %s: %s is damaged; remove it, and what was made with it is not known again", p, path)
	}
	return key(raw), nil
}

// make makes a key under another name and gives it its own when it is durable, so
// that nobody ever reads half of one.
func (f *Folder) make(name string) error {
	var k key
	_, _ = rand.Read(k[:]) // never fails; it ends the program instead
	file, err := os.CreateTemp(f.dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // what is left is no key
	_, err = file.Write(k[:])
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), f.path(name)); err != nil { // not if there is one
		return err
	}
	return f.sync()
}

var fileName = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})-(P1D|P1M|P1Y)\.key$`)

// Periods implements sinks.Keyring.
func (f *Folder) Periods() ([]sinks.KeyPeriod, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var periods []sinks.KeyPeriod
	for _, e := range entries {
		parts := fileName.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		p := sinks.KeyPeriod{Unit: sinks.KeyUnit(parts[2])}
		if err := p.First.UnmarshalText([]byte(parts[1])); err != nil {
			continue
		}
		periods = append(periods, p)
	}
	slices.SortFunc(periods, func(a, b sinks.KeyPeriod) int { return int(a.First - b.First) })
	return periods, nil
}

// Destroy implements sinks.Keyring.
func (f *Folder) Destroy(p sinks.KeyPeriod) error { return f.destroy(p.String()) }

func (f *Folder) destroy(p string) error {
	file, err := os.OpenFile(f.path(p), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("destroy the key of %s: %w", p, err)
	}
	_, err = file.WriteAt(make([]byte, len(key{})), 0)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("destroy the key of %s: %w", p, err)
	}
	if err := os.Remove(f.path(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destroy the key of %s: %w", p, err)
	}
	return f.sync()
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name+".key") }

func (f *Folder) sync() error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return fmt.Errorf("sync keyring: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
