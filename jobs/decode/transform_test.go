package decode

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// derivingPolicy derives everything from properties.v; the same fields are in logs.
const derivingPolicy = `
lapse: 1
name: test
version: "1"
effective_from: 2024-01-01
time_zone: UTC
controller: {name: Test}
dpo: {name: Test}
regions: {allowed: [EEA]}
categories:
  - {id: c, clause: C1, description: d, fields: {f: f}}
purposes:
  - {id: p, clause: C7, description: d, data: [d], legal_bases: [{basis: contract}]}
pseudonyms: {clause: C2, rotate: P1M}
quarantine: {keep: P1D, clause: C12, rationale: r}
datasets:
  - name: calls
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [page]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: userId, derive: pseudonym, field: c.f, identifies: directly}
      - {name: other, type: LowCardinality(String), from: properties.v, derive: pseudonym, field: c.f, identifies: directly}
      - {name: network, type: String, from: properties.v, derive: network, field: c.f, identifies: indirectly}
      - {name: country, type: LowCardinality(String), from: properties.v, derive: country, field: c.f, identifies: indirectly}
      - {name: url, type: String, from: properties.v, derive: url_without_query, field: c.f, identifies: indirectly}
      - {name: agent, type: String, from: properties.v, derive: reduced_user_agent, field: c.f, identifies: indirectly}
      - {name: gone, type: Nullable(UInt8), from: properties.v, derive: dropped, field: c.f, identifies: indirectly}
`

// keyring has keys in memory and can fail.
type keyring struct {
	made map[sinks.KeyPeriod]int
	err  error
}

func (k *keyring) Key(p sinks.KeyPeriod) (sinks.PseudonymKey, error) {
	if k.err != nil {
		return sinks.PseudonymKey{}, k.err
	}
	k.made[p]++
	return sha256.Sum256([]byte(p.String())), nil
}
func (k *keyring) Periods() ([]sinks.KeyPeriod, error) { return nil, nil }
func (k *keyring) Destroy(sinks.KeyPeriod) error       { return nil }

func deriving(t *testing.T) (*Decoder, *keyring) {
	t.Helper()
	p, err := config.ParsePolicy("policy.yaml", []byte(derivingPolicy))
	if err != nil {
		t.Fatal(err)
	}
	keys := &keyring{made: map[sinks.KeyPeriod]int{}}
	d, err := New(p, config.Segment, Resources{Keys: keys, Country: func(a netip.Addr) string {
		if a == netip.MustParseAddr("198.51.100.77") {
			return "GB"
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d, keys
}

// derive returns what the columns hold for a value.
func derive(t *testing.T, d *Decoder, value string) map[string]string {
	t.Helper()
	line := fmt.Sprintf(`{"type":"page","userId":"u","timestamp":"2024-05-01T00:00:00Z","properties":{"v":%s}}`, value)
	if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != Stored {
		t.Fatalf("%s: %+v", line, fate)
	}
	return values(d.Blocks()[0])
}

func TestDerivationsKeepLessThanTheyAreGiven(t *testing.T) {
	t.Parallel()
	d, _ := deriving(t)
	for _, c := range []struct{ column, value, want string }{
		{"network", `"198.51.100.77"`, "198.51.100.0"},
		{"network", `"2001:db8:1234:5678:9abc::1"`, "2001:db8:1234::"},
		{"network", `"::ffff:198.51.100.77"`, "198.51.100.0"},
		{"network", `"fe80::1%eth0"`, "fe80::"},
		{"network", `"198.51.100.77:443"`, ""}, {"network", `"host.example.org"`, ""}, {"network", `""`, ""}, {"network", `7`, ""}, {"network", `"198.51.100.077"`, ""},
		{"country", `"198.51.100.77"`, "GB"}, {"country", `"198.51.100.78"`, ""}, {"country", `"GB"`, ""},
		{"url", `"https://example.org/a/b?token=x#y"`, "https://example.org/a/b"},
		{"url", `"https://example.org/a#t?x"`, "https://example.org/a"},
		{"url", `"https://jane:secret@example.org:8443/a?b"`, "https://example.org:8443/a"},
		{"url", `"//jane@example.org"`, "//example.org"},
		{"url", `"https://example.org/@jane"`, "https://example.org/@jane"},
		{"url", `"/a/b?c"`, "/a/b"}, {"url", `"?c"`, ""}, {"url", `"mailto:jane@example.org"`, "mailto:jane@example.org"}, {"url", `{}`, ""},
		{"agent", `"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Safari/537.36"`, "Chrome 120, Linux, desktop"},
		{"agent", `""`, ""}, {"agent", `7`, ""},
		{"gone", `7`, "NULL"}, {"gone", `"x"`, "NULL"},
		{"other", `""`, ""}, {"other", `null`, ""},
	} {
		if got := derive(t, d, c.value)[c.column]; got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.column, c.value, got, c.want)
		}
	}
}

func TestPseudonymIsTheKeyedHashOfItsPeriod(t *testing.T) {
	t.Parallel()
	d, keys := deriving(t)
	want := func(period, value string) string {
		key := sha256.Sum256([]byte(period))
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte(value))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	for _, c := range []struct{ at, user, period string }{
		{"2024-05-01T00:00:00Z", "jane", "2024-05-01-P1M"}, {"2024-05-31T23:59:59.999Z", "jane", "2024-05-01-P1M"},
		{"2024-04-30T23:59:59.999Z", "jane", "2024-04-01-P1M"}, {"2024-05-02T00:00:00Z", "jane", "2024-05-01-P1M"}, {"2024-05-02T00:00:00Z", "joe", "2024-05-01-P1M"},
		{"2023-01-02T00:00:00Z", "jane", "2023-01-01-P1M"}, {"2023-02-02T00:00:00Z", "jane", "2023-02-01-P1M"}, {"2023-03-02T00:00:00Z", "jane", "2023-03-01-P1M"},
		{"2024-05-03T00:00:00Z", strings.Repeat("long", 100), "2024-05-01-P1M"},
	} {
		line := fmt.Sprintf(`{"type":"page","userId":%q,"timestamp":%q,"properties":{"v":%q}}`, c.user, c.at, c.user)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != Stored {
			t.Fatalf("%s: %+v", line, fate)
		}
		got := values(d.Blocks()[0])
		if w := want(c.period, c.user); got["who"] != w || got["other"] != w {
			t.Errorf("%s at %s: %s and %s, want %s", c.user, c.at, got["who"], got["other"], w)
		}
	}
	if n := keys.made[sinks.KeyPeriodOf(sinks.KeyMonth, sinks.DayOf(now)-1)]; n > 2 {
		t.Errorf("the key of a period in use was fetched %d times", n)
	}
}

func TestKeyThatCannotBeHadStopsTheDecoder(t *testing.T) {
	t.Parallel()
	d, keys := deriving(t)
	derive(t, d, "1")
	if d.Err() != nil {
		t.Fatal(d.Err())
	}
	keys.err = errors.New("no such folder")
	d.Decode([]byte(`{"type":"page","userId":"u","timestamp":"2024-01-01T00:00:00Z"}`), Origin{Now: now})
	if !errors.Is(d.Err(), keys.err) {
		t.Errorf("%v", d.Err())
	}
	if got := values(d.Blocks()[0])["who"]; got != "" {
		t.Errorf("%q stands where a pseudonym could not be made", got)
	}
}

func TestPolicyThatCannotBeCarriedOutIsRefused(t *testing.T) {
	t.Parallel()
	p, err := config.ParsePolicy("policy.yaml", []byte(derivingPolicy))
	if err != nil {
		t.Fatal(err)
	}
	country := func(netip.Addr) string { return "" }
	for want, r := range map[string]Resources{"country_database": {Keys: &keyring{}}, "keys": {Country: country}} {
		if _, err := New(p, config.Segment, r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := New(p, config.WebLog, Resources{}); err != nil { // it derives nothing of logs
		t.Error(err)
	}
}
