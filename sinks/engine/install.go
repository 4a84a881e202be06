package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"
)

// Package is the engine as the npm registry holds it.
type Package struct {
	Name      string // npm package
	Version   string
	Integrity string // Subresource Integrity of the tarball: "sha512-" and base64
	Library   string // path of the shared library in the tarball
	Size      int64  // bytes needed on disk while installing
}

// pinned are the packages that were tried, by GOOS/GOARCH.
var pinned = map[string]Package{
	"linux/amd64": {
		Name:      "@chdb/lib-linux-x64-gnu",
		Version:   "26.7.3-stable.1",
		Integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		Library:   "package/libchdb.so",
		Size:      800 << 20,
	},
}

// Pinned returns the package for the platform this program was built for.
func Pinned() (Package, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	p, ok := pinned[platform]
	if !ok {
		return Package{}, fmt.Errorf("no embedded engine is pinned for %s: set clickhouse.dsn to use a server", platform)
	}
	return p, nil
}

// cacheFolder returns where p is installed: outside any source tree, in the
// user's cache ($XDG_CACHE_HOME, or ~/.cache).
func (p Package) cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(cache, "lapse", "engine", p.Version), nil
}

// InstalledLibrary returns the path at which Install puts the pinned engine's
// shared library. The file need not exist.
func InstalledLibrary() (string, error) {
	p, err := Pinned()
	if err != nil {
		return "", err
	}
	folder, err := p.cacheFolder()
	return filepath.Join(folder, filepath.Base(p.Library)), err
}

// Install fetches p through the npm client, checks its integrity hash, and puts
// its shared library into the cache in one step: there is either the whole
// checked library or none. It returns the library's path, at once if it is
// there already. Say is called with what is being done.
func Install(ctx context.Context, p Package, say func(string)) (string, error) {
	folder, err := p.cacheFolder()
	if err != nil {
		return "", err
	}
	library := filepath.Join(folder, filepath.Base(p.Library))
	if _, err := os.Stat(library); err == nil {
		return library, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("install engine: %w", err)
	}
	if err := checkSpace(folder, p.Size); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(folder, "install-")
	if err != nil {
		return "", fmt.Errorf("install engine: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // leftovers are harmless and in the cache
	say(fmt.Sprintf("fetching %s@%s (178 MB) through npm", p.Name, p.Version))
	tarball, err := fetch(ctx, p, work)
	if err != nil {
		return "", explain(err, folder, p.Size)
	}
	say("checking the integrity hash and unpacking")
	unpacked := filepath.Join(work, "library")
	if err := unpack(p, tarball, unpacked); err != nil {
		return "", explain(err, folder, p.Size)
	}
	if err := os.Rename(unpacked, library); err != nil {
		return "", fmt.Errorf("install engine: %w", err)
	}
	return library, nil
}

// fetch asks the npm client for the tarball: it knows the user's registry,
// proxy and credentials.
func fetch(ctx context.Context, p Package, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("install engine: npm was not found: install it (on Debian: apt-get install npm), or set clickhouse.dsn to use a server")
	}
	cmd := exec.CommandContext(ctx, npm, "pack", p.Name+"@"+p.Version, "--silent", "--ignore-scripts", "--pack-destination", dir)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	cmd.Dir = dir
	if err := cmd.Run(); err != nil {
		if strings.Contains(complaint.String(), "ENOSPC") {
			return "", syscall.ENOSPC
		}
		return "", fmt.Errorf("install engine: npm pack %s@%s: %w: %s", p.Name, p.Version, err, strings.TrimSpace(complaint.String()))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("install engine: npm pack left %d tarballs, want 1", len(found))
	}
	return found[0], nil
}

// unpack checks the whole tarball against p.Integrity before it reads a byte
// of what is inside, then writes the library to dst.
func unpack(p Package, tarball, dst string) error {
	f, err := os.Open(tarball)
	if err != nil {
		return fmt.Errorf("install engine: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("install engine: %w", err)
	}
	got := "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(got), []byte(p.Integrity)) != 1 {
		return fmt.Errorf("install engine: %s@%s is not what was pinned\n  want %s\n  got  %s\nnothing was installed: clear npm's cache (npm cache clean --force) and try again; if it stays, the registry serves another file",
			p.Name, p.Version, p.Integrity, got)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("install engine: %w", err)
	}
	return extract(f, p.Library, dst)
}

// extract writes the member called name of a gzip-compressed tar archive to dst.
func extract(archive io.Reader, name, dst string) error {
	uncompressed, err := gzip.NewReader(archive)
	if err != nil {
		return fmt.Errorf("install engine: %w", err)
	}
	for members := tar.NewReader(uncompressed); ; {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("install engine: the package holds no %s", name)
		}
		if err != nil {
			return fmt.Errorf("install engine: %w", err)
		}
		if header.Name != name {
			continue
		}
		out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("install engine: %w", err)
		}
		_, err = io.Copy(out, members) //nolint:gosec // the archive's hash is pinned
		if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
			return fmt.Errorf("install engine: %w", err)
		}
		return nil
	}
}

// checkSpace refuses early where the disk is known to be too full.
func checkSpace(folder string, need int64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil {
		return nil // not known: go on, and explain if it does run out
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < need {
		return explain(fmt.Errorf("%w: %d MiB are free", syscall.ENOSPC, free>>20), folder, need)
	}
	return nil
}

// explain adds the cure to an error that says the disk is full.
func explain(err error, folder string, need int64) error {
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return fmt.Errorf("install engine: %w: it needs %d MiB in %s; make room there, or set XDG_CACHE_HOME to a folder on a larger disk",
		err, need>>20, folder)
}
