package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func init() {
	closedPlaces["the folder is read-only"] = func(t *testing.T, w *world) func() {
		dir := ownFileSystem(t, w)
		remount(t, dir, syscall.MS_RDONLY)
		return func() { remount(t, dir, 0) }
	}
	closedPlaces["the disk is full"] = func(t *testing.T, w *world) func() {
		filler := filepath.Join(ownFileSystem(t, w), "tmp", "filler")
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // it is to be full
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		return func() { _ = os.Remove(filler) }
	}
}

// fileSystemSize is that of a file system with nothing but an audit log: room for
// the log and little more.
const fileSystemSize = "size=2m"

// ownFileSystem moves a world's audit log to a small file system of its own, and
// back when the test ends. It skips the test where none may be mounted.
func ownFileSystem(t *testing.T, w *world) (dir string) {
	t.Helper()
	dir = w.settings().AuditDir()
	kept := t.TempDir()
	copyFolder(t, dir, kept)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fileSystemSize); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	copyFolder(t, kept, dir)
	t.Cleanup(func() {
		copyFolder(t, dir, kept)
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
		copyFolder(t, kept, dir)
	})
	return dir
}

// copyFolder makes a folder's content that of another.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", `rm -rf "$2"/* && cp -a "$1"/. "$2"`, "sh", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, fileSystemSize); err != nil {
		t.Fatal(err)
	}
}
