package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServeSettingsComeFromFileEnvironmentAndDefaults(t *testing.T) {
	file := writeSettings(t, `
data_dir: d
serve: {listen: ":9000"}
collector: {write_keys_file: keys, max_batch: 1MiB}
spool: {segment_age: PT30S, max_size: 2GB}
`)
	t.Setenv("LAPSE_COLLECTOR_MAX_EVENT", "64KiB")
	t.Setenv("LAPSE_COLLECTOR_WRITE_KEYS", "0123456789abcdef")
	t.Setenv("LAPSE_SPOOL_SEGMENT_AGE", "PT2M")
	s, err := LoadSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	if s.Serve != (ServeSettings{":9000", "", 1024}) || s.SpoolDir() != filepath.Join(dir, "d", "spool") || s.Spool.Age() != 2*time.Minute {
		t.Errorf("%+v %+v", s.Serve, s.Spool)
	}
	want := CollectorSettings{filepath.Join(dir, "keys"), "0123456789abcdef", 64 << 10, 1 << 20}
	if s.Collector != want || s.Spool.MaxSize != 2e9 || s.Spool.Segment != 64<<20 {
		t.Errorf("%+v %+v", s.Collector, s.Spool)
	}
}

func TestServeFaultsNamePlaceAndCure(t *testing.T) {
	for text, want := range map[string]string{
		"serve: {listen: nowhere}\n":                 `lapse.yaml:1:17: serve.listen: "nowhere" is not an address`,
		"serve: {listen: ':70000'}\n":                "serve.listen",
		"serve: {max_connections: -1}\n":             "serve.max_connections: say how many",
		"collector: {max_event: 2MiB}\n":             "collector.max_event: 2.0 MiB is more than ingest reads",
		"collector: {max_batch: 1GiB}\n":             "collector.max_batch",
		"collector: {max_batch: much}\n":             `lapse.yaml:1:24: "much" is not a size`,
		"collector: {write_keys: k}\n":               `unknown key "write_keys"`,
		"spool: {max_size: 64MiB, segment: 64MiB}\n": "spool.max_size: 64 MiB leaves no room",
		"spool: {segment_age: 1m}\n":                 `"1m" is not a period`,
		"spool: {safeguard: clauses}\n":              "spool.region: say in which region",
		"spool: {segment_size: 1}\n":                 `unknown key "segment_size"`,
	} {
		_, err := LoadSettings(writeSettings(t, text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	t.Setenv("LAPSE_SERVE_LISTEN", "nowhere")
	if _, err := LoadSettings(writeSettings(t, "policy: p\n")); err == nil || !strings.Contains(err.Error(), "the environment: serve.listen") {
		t.Errorf("%v", err)
	}
}

func TestSpoolOutsideTheAllowedRegionsIsRefused(t *testing.T) {
	t.Parallel()
	s, err := LoadSettings(writeSettings(t, "clickhouse: {region: EEA}\nspool: {region: US}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy("facesoft.yaml", Facesoft)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckRegions(p); err == nil || !strings.Contains(err.Error(), "the spool lies in region") {
		t.Errorf("%v", err)
	}
}
