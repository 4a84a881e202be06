package config

// ErasuresFolder returns the folder of the erasure ledger's copy.
func (s *Settings) ErasuresFolder() string { return s.inData(s.ErasuresDir, "erasures") }

// ExportsFolder returns the folder of the copies that are made for people.
func (s *Settings) ExportsFolder() string { return s.inData(s.ExportsDir, "exports") }
