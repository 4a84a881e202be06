package config

// RequestSettings say who may send requests of data subjects to `lapse serve`; nobody
// may if there are no write keys.
type RequestSettings struct {
	// WriteKeysFile holds the write keys, one a line; others than the collector's and
	// than those for training notes. WriteKeys are the same as a text, from the
	// environment only.
	WriteKeysFile string `yaml:"write_keys_file,omitempty" env:"WRITE_KEYS_FILE"`
	WriteKeys     string `yaml:"-" env:"WRITE_KEYS"`
}

// ErasuresFolder returns the folder of the erasure ledger's copy.
func (s *Settings) ErasuresFolder() string { return s.inData(s.ErasuresDir, "erasures") }

// ExportsFolder returns the folder of the copies that are made for people.
func (s *Settings) ExportsFolder() string { return s.inData(s.ExportsDir, "exports") }
