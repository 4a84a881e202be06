package keyring_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/keyring"
)

func open(t *testing.T, dir string) *keyring.Folder {
	t.Helper()
	f, err := keyring.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func key(t *testing.T, f *keyring.Folder, p sinks.KeyPeriod) sinks.PseudonymKey {
	t.Helper()
	k, err := f.Key(p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func month(m time.Month) sinks.KeyPeriod {
	return sinks.KeyPeriodOf(sinks.KeyMonth, sinks.DayOf(time.Date(2024, m, 17, 0, 0, 0, 0, time.UTC)))
}

func TestEveryPeriodHasOneKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	var mu sync.Mutex
	made := map[sinks.KeyPeriod]map[sinks.PseudonymKey]bool{}
	var wg sync.WaitGroup
	for range 16 { // processes that begin at once
		f := open(t, dir)
		wg.Go(func() {
			for m := time.January; m <= time.June; m++ {
				k, err := f.Key(month(m))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				if made[month(m)] == nil {
					made[month(m)] = map[sinks.PseudonymKey]bool{}
				}
				made[month(m)][k] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := map[sinks.PseudonymKey]bool{}
	for p, keys := range made {
		if len(keys) != 1 {
			t.Errorf("%s had %d keys", p, len(keys))
		}
		for k := range keys {
			all[k] = true
		}
	}
	if len(all) != 6 || all[sinks.PseudonymKey{}] {
		t.Errorf("%d different keys", len(all))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d files: %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v: %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestDestroyedKeyDoesNotComeBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	before, other := key(t, f, month(1)), key(t, f, month(2))
	held, err := os.Open(filepath.Join(dir, month(1).String()+".key")) // as whoever holds it open would read it
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() //nolint:errcheck // read only
	for range 2 {
		if err := f.Destroy(month(1)); err != nil {
			t.Fatal(err)
		}
	}
	raw := make([]byte, 64)
	n, _ := held.ReadAt(raw, 0)
	if !bytes.Equal(raw[:n], make([]byte, 32)) {
		t.Error("the key was not overwritten")
	}
	if periods, err := f.Periods(); err != nil || !slices.Equal(periods, []sinks.KeyPeriod{month(2)}) {
		t.Errorf("%v, %v", periods, err)
	}
	if key(t, f, month(1)) == before {
		t.Error("the key came back")
	}
	if key(t, f, month(2)) != other {
		t.Error("another key was changed")
	}
}

func TestKeysThatOthersCanReadAreRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	f := open(t, dir)
	key(t, f, month(1))
	path := filepath.Join(dir, month(1).String()+".key")
	for name, harm := range map[string]func() error{
		"chmod 600":  func() error { return os.Chmod(path, 0o640) },
		"is damaged": func() error { return os.WriteFile(path, []byte("short"), 0o600) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Key(month(1)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
		_ = os.Chmod(path, 0o600)
	}
	if err := os.WriteFile(path, make([]byte, 32), 0o600); err != nil { // a crash while it was being destroyed
		t.Fatal(err)
	}
	if _, err := f.Key(month(1)); !errors.Is(err, sinks.ErrDestroyed) {
		t.Errorf("a key of zeros: %v", err)
	}
	if err := f.Destroy(month(1)); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Open(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("%v", err)
	}
}

// The one key of an earlier version becomes that of a period, however often and by however
// many it is tried.
func TestKeyOfALedgerIsAdopted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	from, to := open(t, dir), open(t, filepath.Join(dir, "erasures"))
	old, err := from.Secret("erasures")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := to.Adopt(from, "erasures", month(1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sinks.LedgerKey(key(t, to, month(1))) != old {
		t.Error("it is another key")
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger-erasures.key")); !os.IsNotExist(err) {
		t.Errorf("it is there twice: %v", err)
	}
}

func TestPeriodsListsWhatHasAKeyTheEarliestFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	f := open(t, dir)
	day := sinks.DayOf(time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC))
	want := []sinks.KeyPeriod{sinks.KeyPeriodOf(sinks.KeyYear, day), month(2), sinks.KeyPeriodOf(sinks.KeyDay, day)}
	for _, p := range []sinks.KeyPeriod{want[2], want[0], want[1]} {
		key(t, f, p)
	}
	for _, name := range []string{".new-1", "notes.txt", "2024-13-01-P1M.key", "2024-01-01-P1W.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.Periods(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestPeriodsEndWhereTheNextBegins(t *testing.T) {
	t.Parallel()
	for _, unit := range []sinks.KeyUnit{sinks.KeyDay, sinks.KeyMonth, sinks.KeyYear} {
		first := sinks.DayOf(time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC))
		p := sinks.KeyPeriodOf(unit, first)
		for day := first; day < first+3*366; day++ {
			if day > p.Last() {
				if p.Last()+1 != day {
					t.Errorf("%s ends on %s", p, p.Last())
				}
				p = sinks.KeyPeriodOf(unit, day)
			}
			if got := sinks.KeyPeriodOf(unit, day); got != p || day < p.First {
				t.Errorf("%s is in %s, want %s", day, got, p)
			}
		}
	}
}
