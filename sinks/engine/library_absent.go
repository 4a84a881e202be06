//go:build noengine

package engine

import "errors"

// runLibrary is absent from static builds, which talk to a server.
func runLibrary(string, []string) error {
	return errors.New("this build has no embedded engine (built with -tags noengine): set clickhouse.dsn to use a server")
}
