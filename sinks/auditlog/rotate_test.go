package auditlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

func TestVerificationFollowsTheKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := []*PrivateKey{testKey(t), testKey(t), testKey(t)}
	clock := &clock{t: start}
	l := openTestLog(t, openTestFolder(t, dir), keys[0], clock.now)
	other := openTestLog(t, openTestFolder(t, dir), keys[0], clock.now)
	mustAppend(t, l, pairs(10)...)
	mustAppend(t, other, pairs(10)...)
	mustRotate(t, l, keys[1])
	mustVerify(t, ReadFolder(dir), keys[0]) // while both keys have signed
	mustAppend(t, l, pairs(300)...)
	if err := other.Append(context.Background(), intent(sinks.ID{1})); err == nil {
		t.Error("a writer with the old key went on")
	}
	clock.set(start.AddDate(1, 0, 0))
	mustAppend(t, l, pairs(2)...)
	mustRotate(t, l, keys[2])
	_ = l.Close()

	again := openTestLog(t, openTestFolder(t, dir), keys[2], clock.now)
	mustAppend(t, again, pairs(2)...)
	_ = again.Close()
	r := mustVerify(t, ReadFolder(dir), keys[0])
	if len(r.Keys) != 3 || r.Keys[2] != keys[2].VerifierKey() {
		t.Errorf("keys: %q", r.Keys)
	}
	m := load(t, ReadFolder(dir))
	mustFind(t, m, keys[1], "2026/rotations/21") // a later key does not vouch for what came before
	for name := range m {
		if strings.Contains(name, rotationsDir) {
			c := m.clone()
			delete(c, name)
			mustFind(t, c, keys[0], strings.SplitN(name, "/", 2)[0]+"/checkpoint")
		}
	}
}

func mustRotate(t *testing.T, l *Log, next Signer) {
	t.Helper()
	if err := l.Rotate(context.Background(), next, sinks.ActorOperator); err != nil {
		t.Fatal(err)
	}
}

func TestOldKeyIsToldOfTheRotation(t *testing.T) {
	t.Parallel()
	dir, k := t.TempDir(), testKey(t)
	l := openTestLog(t, openTestFolder(t, dir), k, atStart)
	mustAppend(t, l, intent(sinks.ID{1}))
	mustRotate(t, l, testKey(t))
	if _, err := Open(context.Background(), openTestFolder(t, dir), k, atStart); !errors.Is(err, ErrKeyRotated) {
		t.Errorf("%v, want %v", err, ErrKeyRotated)
	}
}

func TestRotationToAnUnfitKeyIsRefused(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	l := openTestLog(t, openTestFolder(t, t.TempDir()), k, atStart)
	foreign, err := NewKey("example.com/other")
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []*PrivateKey{k, foreign} {
		if err := l.Rotate(context.Background(), next, sinks.ActorOperator); err == nil {
			t.Errorf("rotated to %v", next)
		}
	}
	mustAppend(t, l, intent(sinks.ID{1}))
}

// TestKeyThatRotatedItselfInIsNotFollowed is an attacker who writes a log of
// their own, with a rotation from the real key to theirs.
func TestKeyThatRotatedItselfInIsNotFollowed(t *testing.T) {
	t.Parallel()
	k, thief := testKey(t), testKey(t)
	rotation := ownEntry(sinks.ActionRotateKey, prov, start)
	rotation.NewKey = thief.PublicKey()
	entries := encodeAll(t, start, intent(sinks.ID{1}), rotation)
	m := forge(t, 2026, entries, thief)
	m["2026/"+rotationName(2)] = m["2026/checkpoint"]
	mustFind(t, m, k, "2026/rotations/2")
}

func TestYearsContinueEachOther(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	clock := &clock{t: start}
	dir := t.TempDir()
	l := openTestLog(t, openTestFolder(t, dir), k, clock.now)
	slow := openTestLog(t, openTestFolder(t, dir), k, atStart) // its clock stands in 2026
	mustAppend(t, l, pairs(300)...)
	open := intent(sinks.NewID())
	mustAppend(t, l, open)
	clock.set(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	mustAppend(t, l, outcome(open.Step)) // an outcome in the year after its intent
	mustAppend(t, slow, pairs(2)...)
	clock.set(time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC))
	mustAppend(t, slow, pairs(2)...)
	mustAppend(t, l, pairs(2)...)
	_ = l.Close()

	r := mustVerify(t, ReadFolder(dir), k)
	if len(r.Years) != 3 || r.Years[1].Year != 2027 || r.Years[2].Year != 2030 || !r.Years[0].Closed || r.Years[2].Closed {
		t.Errorf("%+v", r.Years)
	}
	if r.OpenSteps != 0 {
		t.Errorf("%d open steps", r.OpenSteps)
	}
	m := load(t, ReadFolder(dir))
	without := func(year string) memory {
		c := m.clone()
		for name := range c {
			if strings.HasPrefix(name, year) {
				delete(c, name)
			}
		}
		return c
	}
	mustFind(t, without("2026"), k, "2027/tile/entries/000.p/7")
	mustFind(t, without("2027"), k, "2030/tile/entries/000.p/3")
	for _, a := range []string{"2027", "2030"} {
		mustFind(t, without(a), k, "anchor", Anchor{"anchor", m[a+"/checkpoint"]})
	}
	mustVerify(t, m, k, Anchor{"a", m["2026/checkpoint"]}, Anchor{"b", m["2030/checkpoint"]})
}

// TestWriterThatDiedBetweenTheYearsIsContinued closes a year without opening the
// next, as a process that dies between the two does.
func TestWriterThatDiedBetweenTheYearsIsContinued(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	dir := t.TempDir()
	f := openTestFolder(t, dir)
	w := &writer{store: f, now: atStart}
	if err := w.use(k); err != nil {
		t.Fatal(err)
	}
	w.mustCommit(t, 3)
	record, err := encodeUntimed(ownEntry(sinks.ActionCloseYear, prov, start.AddDate(1, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.extend(context.Background(), w.head, start.AddDate(1, 0, 0), batch{records: []untimed{record}}); err != nil {
		t.Fatal(err)
	}
	if r := mustVerify(t, f, k); !r.Years[0].Closed {
		t.Errorf("%+v", r.Years)
	}
	l := openTestLog(t, openTestFolder(t, dir), k, atStart)
	mustAppend(t, l, intent(sinks.ID{1}))
	_ = l.Close()
	if r := mustVerify(t, f, k); len(r.Years) != 2 || r.Staged != 0 {
		t.Errorf("%+v", r)
	}
}

func TestKeysSurviveTheirFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	k := testKey(t)
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	if err := testKey(t).Save(path); err == nil {
		t.Error("a key file was replaced")
	}
	loaded, err := LoadKey(path)
	if err != nil || loaded.secret != k.secret || loaded.PublicKey() != k.PublicKey() {
		t.Fatalf("%v, %v", loaded, err)
	}
	v, err := LoadVerifier(path + ".pub")
	if err != nil || v.String() != k.VerifierKey() {
		t.Fatalf("%v, %v", v, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); err == nil {
		t.Error("a key that anybody may read was loaded")
	}
}

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	k := testKey(t)
	seed := strings.SplitN(k.secret, "+", 5)[4] // PRIVATE+KEY+name+hash+seed; the seed may hold more of them
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, k); strings.Contains(s, seed) {
			t.Errorf("%s shows the key", format)
		}
	}
	for _, bad := range []string{"", "PRIVATE+KEY+x", k.secret + "x", strings.Replace(k.secret, "+A", "+B", 1)} {
		if _, err := ParseKey(bad); err == nil || strings.Contains(err.Error(), seed) {
			t.Errorf("%v", err)
		}
	}
}
