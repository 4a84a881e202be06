package engine_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/facesoft/lapse/sinks/engine"
)

// registry puts an npm client into PATH that serves one small package, and
// points the cache at an empty folder.
func registry(t *testing.T, npm string) engine.Package {
	t.Helper()
	dir := t.TempDir()
	tarball := filepath.Join(dir, "engine.tgz")
	f := must(os.Create(tarball))
	z := gzip.NewWriter(f)
	a := tar.NewWriter(z)
	body := []byte("an engine")
	must(0, a.WriteHeader(&tar.Header{Name: "package/lib.so", Mode: 0o644, Size: int64(len(body))}))
	must(a.Write(body))
	must(0, a.Close())
	must(0, z.Close())
	must(0, f.Close())
	sum := sha512.Sum512(must(os.ReadFile(tarball)))
	bin := filepath.Join(dir, "bin")
	must(0, os.Mkdir(bin, 0o755))
	if npm != "" {
		script := "#!/bin/sh\nTARBALL=" + tarball + "\n" + npm + "\n"
		must(0, os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755)) //nolint:gosec // a program
	}
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	if npm == "" {
		t.Setenv("PATH", bin)
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	return engine.Package{
		Name: "engine", Version: "1", Library: "package/lib.so",
		Integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
	}
}

const serve = `cp "$TARBALL" "$6"/engine-1.tgz`

func install(t *testing.T, p engine.Package) (string, error) {
	t.Helper()
	return engine.Install(t.Context(), p, func(s string) { t.Log(s) })
}

func TestInstallPutsTheCheckedLibraryIntoTheCache(t *testing.T) {
	p := registry(t, serve)
	path, err := install(t, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := must(os.ReadFile(path)); string(got) != "an engine" {
		t.Errorf("installed %q", got)
	}
	t.Setenv("PATH", "") // a second time needs no npm
	if _, err := install(t, p); err != nil {
		t.Error(err)
	}
	if left := must(filepath.Glob(filepath.Join(filepath.Dir(path), "*"))); len(left) != 1 {
		t.Errorf("left in the cache: %v", left)
	}
}

func TestInstallRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		npm  string
		edit func(*engine.Package)
		want []string
	}{
		"a wrong hash": {serve, func(p *engine.Package) { p.Integrity = "sha512-AAAA" },
			[]string{"is not what was pinned", "want sha512-AAAA", "npm cache clean"}},
		"a missing npm": {"", func(*engine.Package) {},
			[]string{"npm was not found", "apt-get install npm", "clickhouse.dsn"}},
		"a disk known to be full": {serve, func(p *engine.Package) { p.Size = 1 << 60 },
			[]string{"no space left on device", "make room", "XDG_CACHE_HOME"}},
		"a disk that fills": {"echo npm error code ENOSPC >&2; exit 1", func(*engine.Package) {},
			[]string{"no space left on device", "make room", "XDG_CACHE_HOME"}},
		"a registry that fails": {"echo npm error code E404 >&2; exit 1", func(*engine.Package) {},
			[]string{"npm pack engine@1", "E404"}},
		"a package without the library": {serve, func(p *engine.Package) { p.Library = "package/other.so" },
			[]string{"holds no package/other.so"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := registry(t, c.npm)
			c.edit(&p)
			path, err := install(t, p)
			if err == nil {
				t.Fatal("installed")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if _, err := os.Stat(path); path != "" && err == nil {
				t.Errorf("left %s", path)
			}
		})
	}
}
