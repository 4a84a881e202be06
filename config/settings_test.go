package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeSettings(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), SettingsFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEnvironmentWinsOverFile(t *testing.T) {
	file := writeSettings(t, "policy: p.yaml\ndata_dir: d\nclickhouse: {dsn: 'clickhouse://file:9000', region: EEA}\n")
	t.Setenv("LAPSE_CLICKHOUSE_DSN", "clickhouse://environment:9000")
	t.Setenv("LAPSE_INPUTS", "/a,/b")
	s, err := LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	if s.ClickHouse.DSN != "clickhouse://environment:9000" || s.ClickHouse.Region != "EEA" || len(s.Inputs) != 2 {
		t.Errorf("%+v", s)
	}
	if s.Policy != filepath.Join(filepath.Dir(file), "p.yaml") {
		t.Errorf("the policy's path is %s: paths are relative to the file", s.Policy)
	}
}

func TestStarterSettingsAreInOrder(t *testing.T) {
	t.Parallel()
	s, err := LoadSettings(writeSettings(t, string(Starter)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckRegions(p); err != nil {
		t.Error(err)
	}
}

func TestSettingsFaultsNamePlaceAndCure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"polici: x\n":                         `lapse.yaml:1:1: unknown key "polici"`,
		"buckets: [{name: a, region: EEA}]\n": "buckets[a].path: say in which folder",
		"log: {level: loud}\n":                `log.level: "loud" is not a level`,
	} {
		_, err := LoadSettings(writeSettings(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := LoadSettings("/nonexistent/lapse.yaml"); err == nil {
		t.Error("a settings file that is not there was accepted")
	}
}

func TestStoreOutsideTheAllowedRegionsNeedsASafeguard(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		region, safeguard string
		allowed           bool
	}{
		{"EEA", "", true}, {"US", "", false}, {"", "", false},
		{"US", "standard_contractual_clauses", true}, {"US", "handshake", false},
	} {
		s := &Settings{ClickHouse: ClickHouseSettings{Region: c.region, Safeguard: c.safeguard}}
		if err := s.CheckRegions(p); (err == nil) != c.allowed {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
