package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"
)

// ServeSettings are those of `lapse serve`.
type ServeSettings struct {
	// Listen is the address that is listened on; 127.0.0.1:8080 if empty. Lapse does
	// not encrypt: what comes from elsewhere goes through a proxy that does.
	Listen string `yaml:"listen,omitempty" env:"LISTEN"`
	// Probes is the address of /healthz, /readyz and /metrics; that of Listen if empty.
	Probes string `yaml:"probes,omitempty" env:"PROBES"`
	// MaxConnections is how many connections are served at once; 1024 if 0.
	MaxConnections int `yaml:"max_connections,omitempty" env:"MAX_CONNECTIONS"`
}

// CollectorSettings say who may send events to the collector, and how large they
// may be.
type CollectorSettings struct {
	// WriteKeysFile holds the write keys, one a line. WriteKeys are the same as a
	// text, from the environment only.
	WriteKeysFile string `yaml:"write_keys_file,omitempty" env:"WRITE_KEYS_FILE"`
	WriteKeys     string `yaml:"-" env:"WRITE_KEYS"`
	MaxEvent      Size   `yaml:"max_event,omitempty" env:"MAX_EVENT"` // of an event; 32KiB if 0
	MaxBatch      Size   `yaml:"max_batch,omitempty" env:"MAX_BATCH"` // of a body, decompressed; 500KiB if 0
}

// TrainingSettings say who may send notes about training items to `lapse serve`; nobody
// may if there are no write keys.
type TrainingSettings struct {
	// WriteKeysFile holds the write keys, one a line; others than the collector's.
	// WriteKeys are the same as a text, from the environment only.
	WriteKeysFile string `yaml:"write_keys_file,omitempty" env:"WRITE_KEYS_FILE"`
	WriteKeys     string `yaml:"-" env:"WRITE_KEYS"`
}

// SpoolSettings say where the collector keeps events until they are ingested.
type SpoolSettings struct {
	Dir        string `yaml:"dir,omitempty" env:"DIR"`                 // default: spool in DataDir
	MaxSize    Size   `yaml:"max_size,omitempty" env:"MAX_SIZE"`       // beyond it the collector takes nothing; 8GiB if 0
	Segment    Size   `yaml:"segment,omitempty" env:"SEGMENT"`         // a segment is closed, and may be ingested, at this size; 64MiB if 0
	SegmentAge Period `yaml:"segment_age,omitempty" env:"SEGMENT_AGE"` // or at this age; PT1M if empty
	// Region is where the folder lies; that of ClickHouse if empty.
	Region    string `yaml:"region,omitempty" env:"REGION"`
	Safeguard string `yaml:"safeguard,omitempty" env:"SAFEGUARD"`
}

// The bounds of settings: an event has to fit a line of ingest, and bodies are read
// into memory.
const (
	maxEventSetting = 512 << 10
	maxBatchSetting = 16 << 20
)

// SpoolDir returns the folder of the spool.
func (s *Settings) SpoolDir() string { return s.inData(s.Spool.Dir, "spool") }

// NotesDir returns the folder where notes about training items wait for ingest. It lies
// beside what else Lapse keeps, under the limits of the spool.
func (s *Settings) NotesDir() string { return filepath.Join(s.DataDir, "notes") }

// Age returns the age at which a segment is closed.
func (s SpoolSettings) Age() time.Duration {
	start := time.Unix(0, 0)
	return s.SegmentAge.After(start, time.UTC).Sub(start)
}

// fillInServe sets what was left out of the settings of `lapse serve`.
func (s *Settings) fillInServe() {
	if s.Serve.Listen == "" {
		s.Serve.Listen = "127.0.0.1:8080"
	}
	if s.Serve.MaxConnections == 0 {
		s.Serve.MaxConnections = 1024
	}
	for _, d := range []struct {
		setting *Size
		value   Size
	}{
		{&s.Collector.MaxEvent, 32 << 10}, {&s.Collector.MaxBatch, 500 << 10},
		{&s.Spool.MaxSize, 8 << 30}, {&s.Spool.Segment, 64 << 20},
	} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	if s.Spool.SegmentAge.IsZero() {
		s.Spool.SegmentAge = MustPeriod("PT1M")
	}
}

// checkServe checks the settings of `lapse serve`; those left out are zero.
func (s *Settings) checkServe(r *reporter, root place) {
	serve, collector, spool := root.key("serve"), root.key("collector"), root.key("spool")
	if l := s.Serve.Listen; l != "" && !isAddress(l) {
		r.fault(serve.key("listen"), "%q is not an address to listen on; write host and port, such as 127.0.0.1:8080 or :8080", l)
	}
	if l := s.Serve.Probes; l != "" && !isAddress(l) {
		r.fault(serve.key("probes"), "%q is not an address to listen on; write host and port, such as :9090", l)
	}
	if s.Serve.MaxConnections < 0 {
		r.fault(serve.key("max_connections"), "say how many connections are served at once, such as 1024")
	}
	if s.Collector.MaxEvent > maxEventSetting {
		r.fault(collector.key("max_event"), "%s is more than ingest reads as one record; use at most %s", s.Collector.MaxEvent, Size(maxEventSetting))
	}
	if s.Collector.MaxBatch > maxBatchSetting {
		r.fault(collector.key("max_batch"), "%s is too much: bodies are read into memory; use at most %s", s.Collector.MaxBatch, Size(maxBatchSetting))
	}
	if s.Spool.MaxSize > 0 && s.Spool.MaxSize < 2*max(s.Spool.Segment, 1<<20) {
		r.fault(spool.key("max_size"), "%s leaves no room: use at least twice the size of a segment, and 2MiB", s.Spool.MaxSize)
	}
	if s.Spool.Safeguard != "" && s.Spool.Region == "" {
		r.fault(spool.key("region"), "say in which region the folder is, such as EEA")
	}
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}
