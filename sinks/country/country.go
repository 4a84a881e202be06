// Package country looks up the country of an address in a database file in MaxMind's
// format (mmdb), such as GeoLite2 Country, DB-IP Lite or IP2Location LITE. The file is
// the operator's; nothing is asked over a network.
package country

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Database is an opened file. It is safe for use by several goroutines at once.
type Database struct {
	reader *maxminddb.Reader

	mu    sync.Mutex
	known map[netip.Addr]string // a few addresses are most of the traffic
}

// maxKnown bounds how many addresses are remembered.
const maxKnown = 1 << 14

// Open opens a database and makes sure that it tells countries.
func Open(path string) (*Database, error) {
	reader, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open country database %s: %w", path, err)
	}
	d := &Database{reader: reader, known: map[netip.Addr]string{}}
	looked := 0
	for network := range reader.Networks() {
		if looked++; looked > maxKnown {
			break
		}
		if d.lookup(network.Prefix().Addr()) != "" {
			return d, nil
		}
	}
	_ = reader.Close()
	return nil, fmt.Errorf("open country database %s: it is a %s database and tells no countries (country.iso_code)", path, reader.Metadata.DatabaseType)
}

// Country returns the ISO 3166-1 code of an address's country; empty if the database
// does not know it.
func (d *Database) Country(a netip.Addr) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if code, ok := d.known[a]; ok {
		return code
	}
	if len(d.known) >= maxKnown {
		clear(d.known)
	}
	code := d.lookup(a)
	d.known[a] = code
	return code
}

func (d *Database) lookup(a netip.Addr) (code string) {
	if err := d.reader.Lookup(a).DecodePath(&code, "country", "iso_code"); err != nil {
		return "" // that the database is damaged here concerns this address alone
	}
	return code
}

// Close closes the file.
func (d *Database) Close() error { return d.reader.Close() }
