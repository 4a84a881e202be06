package country_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/facesoft/lapse/sinks/country"
)

// write writes a database of made-up networks.
func write(t *testing.T, kind string, networks map[string]mmdbtype.DataType) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, record := range networks {
		_, parsed, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(parsed, record); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "test.mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func in(code string) mmdbtype.DataType {
	return mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
}

func TestAddressesAreLookedUp(t *testing.T) {
	t.Parallel()
	d, err := country.Open(write(t, "Test-Country", map[string]mmdbtype.DataType{
		"198.51.100.0/25": in("GB"), "198.51.100.128/25": in("FR"), "2001:db8:1::/48": in("DE"),
		"203.0.113.0/24": mmdbtype.Map{"country": mmdbtype.String("not a map")}, "192.0.2.0/24": mmdbtype.Map{"city": mmdbtype.Map{}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // read only
	for range 2 {   // from the file, and remembered
		for address, want := range map[string]string{
			"198.51.100.1": "GB", "198.51.100.129": "FR", "2001:db8:1::5": "DE", "2001:db8:2::5": "", "203.0.113.9": "", "192.0.2.1": "", "10.0.0.1": "",
		} {
			if got := d.Country(netip.MustParseAddr(address)); got != want {
				t.Errorf("%s: %q, want %q", address, got, want)
			}
		}
	}
	if got := d.Country(netip.Addr{}); got != "" {
		t.Errorf("no address at all is in %q", got)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	t.Parallel()
	damaged := filepath.Join(t.TempDir(), "damaged.mmdb")
	if err := os.WriteFile(damaged, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "absent.mmdb"): "no such file",
		damaged: "open country database",
		write(t, "Test-ASN", map[string]mmdbtype.DataType{"198.51.100.0/24": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64496)}}): "Test-ASN database and tells no countries",
	} {
		if d, err := country.Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %q", path, d, err, want)
		}
	}
}
