package clickhouse

import "time"

// KeepSearchesFor sets for how long searches are kept after their last use.
func KeepSearchesFor(s *Store, d time.Duration) {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	s.kept.lifetime = d
}
