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

// Tool is a program of others that tests run. It is built into the user's cache
// directory, not into the module: nothing here depends on it.
type Tool struct {
	Module, Version string

	once   sync.Once
	binary string
	failed string
}

// Path builds the program unless it has been built, and skips the test if it
// cannot be.
func (p *Tool) Path(t testing.TB) string {
	t.Helper()
	p.once.Do(p.build)
	if p.failed != "" {
		t.Skip(p.failed)
	}
	return p.binary
}

func (p *Tool) build() {
	cache, err := os.UserCacheDir()
	if err != nil {
		p.failed = "no cache directory to build " + p.Module + " in"
		return
	}
	dir := filepath.Join(cache, "lapse", "tools", p.Version)
	p.binary = filepath.Join(dir, path.Base(p.Module))
	if _, err := os.Stat(p.binary); err == nil {
		return
	}
	cmd := exec.Command("go", "install", p.Module+"@"+p.Version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		p.failed = p.Module + " cannot be built: " + lines[len(lines)-1]
	}
}
