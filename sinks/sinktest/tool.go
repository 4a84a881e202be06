package sinktest

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tool is a program of others that tests run. It is built into the user's cache
// directory, not into the module: nothing here depends on it.
type tool struct {
	module, version string

	once   sync.Once
	binary string
	failed string
}

// path builds the program unless it has been built, and skips the test if it
// cannot be.
func (p *tool) path(t testing.TB) string {
	t.Helper()
	p.once.Do(p.build)
	if p.failed != "" {
		t.Skip(p.failed)
	}
	return p.binary
}

func (p *tool) build() {
	cache, err := os.UserCacheDir()
	if err != nil {
		p.failed = "no cache directory to build " + p.module + " in"
		return
	}
	dir := filepath.Join(cache, "lapse", "tools", p.version)
	p.binary = filepath.Join(dir, path.Base(p.module))
	if _, err := os.Stat(p.binary); err == nil {
		return
	}
	cmd := exec.Command("go", "install", p.module+"@"+p.version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		p.failed = p.module + " cannot be built: " + lines[len(lines)-1]
	}
}
