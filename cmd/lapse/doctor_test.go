package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks/sinktest"
)

// examined runs the doctor in a world and returns what it found, and whether it called
// it a fault.
func (w *world) examined() (findings []finding, faulty bool) {
	w.t.Helper()
	c := w.command("doctor", "--output", "json")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if json.Unmarshal(out, &findings) != nil {
		w.t.Fatalf("%v\n%s\n%s", err, out, stderr.String())
	}
	return findings, err != nil
}

func (w *world) file(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

// replace changes a text in a file of the world.
func (w *world) replace(name, old, by string) {
	w.t.Helper()
	raw, err := os.ReadFile(w.file(name))
	if err == nil && !strings.Contains(string(raw), old) {
		err = fmt.Errorf("%s does not hold %q", name, old)
	}
	if err == nil {
		err = os.WriteFile(w.file(name), []byte(strings.ReplaceAll(string(raw), old, by)), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(name, content string, mode os.FileMode) {
	w.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(w.file(name)), 0o700), os.WriteFile(w.file(name), []byte(content), mode), os.Chmod(w.file(name), mode)); err != nil {
		w.t.Fatal(err)
	}
}

// execute runs a statement as Lapse itself.
func (w *world) execute(sql string) {
	w.t.Helper()
	i, err := w.opener().open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer i.Close() //nolint:errcheck // a test's
	if err := connect(w.t, i).Exec(w.t.Context(), sql); err != nil {
		w.t.Fatal(err)
	}
}

// planted is a fault, where the doctor should see it, and what it should say.
type planted struct {
	name  string
	plant func(*world)
	what  string
	state condition
	cure  string
}

var plantedFaults = []planted{
	{"a policy with a fault", func(w *world) { w.replace("policy.yaml", "keep: P13M", "keep: P13X") }, "policy", faultState, "lapse policy check"},
	{"a store in another region", func(w *world) { w.replace("lapse.yaml", "\n  region: EEA", "\n  region: US") }, "regions", faultState, "safeguard"},
	{"the audit key is gone", func(w *world) { _ = os.Remove(w.file("data/audit.key")) }, "audit key", faultState, "lapse audit key new"},
	{"others can read the audit key", func(w *world) { _ = os.Chmod(w.file("data/audit.key"), 0o644) }, "audit key", faultState, "lapse audit key rotate"},
	{"an entry of the audit log was changed", func(w *world) {
		found, _ := filepath.Glob(w.file("data/audit/*/tile/entries/*.p/*"))
		raw, err := os.ReadFile(found[0])
		if err != nil {
			w.t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		_ = os.Chmod(found[0], 0o600)
		w.put(strings.TrimPrefix(found[0], w.dir), string(raw), 0o600)
	}, "audit log", faultState, "lapse audit verify"},
	{"the engine is not installed", func(w *world) { w.appendSettings("\nengine: {library: nowhere.so}\n") }, "clickhouse", faultState, "lapse engine install"},
	{"the server does not answer", func(w *world) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		w.replace("lapse.yaml", "\n  region: EEA", "\n  region: EEA\n  dsn: clickhouse://lapse@"+address)
	}, "clickhouse", faultState, "no firewall is between"},
	{"the user may only read", func(w *world) {
		e := sinktest.Engine(w.t)
		w.put("password", e.AnalystPassword, 0o600)
		w.replace("lapse.yaml", "\n  region: EEA", fmt.Sprintf("\n  region: EEA\n  dsn: clickhouse://%s@%s\n  password_file: password", e.AnalystUser, e.Address))
	}, "clickhouse rights", faultState, "GRANT SHOW, SELECT, INSERT, ALTER"},
	{"the analyst can read personal data", func(w *world) {
		e := sinktest.Engine(w.t)
		w.put("password", e.Password, 0o600)
		w.replace("lapse.yaml", "\n  region: EEA", fmt.Sprintf("\n  region: EEA\n  dsn: clickhouse://%s@%s\n  password_file: password\n  analyst_dsn: clickhouse://%s:%s@%s\n  database_prefix: doctor_", e.User, e.Address, e.User, e.Password, e.Address))
	}, "analyst", faultState, "REVOKE ALL ON `doctor_telemetry`"},
	{"a table that the policy does not know", func(w *world) {
		w.execute("CREATE TABLE telemetry.export_of_march (email String) ENGINE = MergeTree ORDER BY ()")
	}, "schema", faultState, "register what is named in the policy"},
	{"a part was set aside", func(w *world) {
		w.execute("INSERT INTO telemetry.requests (occurred_at) VALUES (now())")
		w.execute("ALTER TABLE telemetry.requests DETACH PARTITION ALL")
	}, "detached parts", faultState, "DROP DETACHED PART"},
	{"a lease of a cluster, where there is none", func(w *world) { w.appendSettings("\nlease: {kind: kubernetes}\n") }, "lease", faultState, "set lease.kind to file"},
	{"a bucket's folder is gone", func(w *world) {
		w.replace("lapse.yaml", "path: data/bucket", "path: data/bucket-on-a-disk-that-is-not-mounted/x")
		w.put("data/bucket-on-a-disk-that-is-not-mounted", "", 0o600)
	}, "bucket training", faultState, "make the folder"},
	{"the pseudonyms' keys are open to others", func(w *world) {
		_ = errors.Join(os.MkdirAll(w.file("data/keys"), 0o700), os.Chmod(w.file("data/keys"), 0o755))
	}, "keys of pseudonyms", faultState, "chmod 700"},
	{"a write key that is too short", func(w *world) {
		w.put("keys", "hunter2\n", 0o600)
		w.appendSettings("\ncollector: {write_keys_file: keys}\n")
	}, "write keys", faultState, "openssl rand -hex 16"},
	{"everybody can read the write keys", func(w *world) {
		w.put("keys", writeKey+"\n", 0o644)
		w.appendSettings("\ncollector: {write_keys_file: keys}\n")
	}, "write keys", warningState, "chmod o-r"},
	{"the spool is almost full", func(w *world) {
		w.put("keys", writeKey+"\n", 0o600)
		w.put("data/spool/1.ndjson", strings.Repeat("x", 2<<20), 0o600)
		w.appendSettings("\ncollector: {write_keys_file: keys}\nspool: {max_size: 2MiB, segment: 1MiB}\n")
	}, "spool", faultState, "raise spool.max_size"},
	{"an input that is not there", func(w *world) { w.appendSettings("\ninputs: [/nowhere/access.log]\n") }, "inputs", faultState, "mend the path"},
	{"a country database that is none", func(w *world) {
		w.put("countries", "no", 0o600)
		w.appendSettings("\ncountry_database: countries\n")
	}, "country database", faultState, "MaxMind"},
	{"nothing runs the jobs", func(*world) {}, "schedule", warningState, "run 'lapse run all' from cron"},
	{"a schedule without purge", func(w *world) {
		w.appendSettings("\nschedule:\n  - {job: ingest, spec: '@daily'}\n  - {job: anonymise, spec: '@daily'}\n")
	}, "schedule", warningState, "add purge to schedule"},
}

// TestDoctorFindsPlantedFaultsAndNamesTheirCures plants one fault after the other in an
// installation that is well.
func TestDoctorFindsPlantedFaultsAndNamesTheirCures(t *testing.T) {
	t.Parallel()
	well := newInstallation(t)
	well.must("run", "purge")
	findings, faulty := well.examined()
	for _, f := range findings {
		if f.State == faultState || faulty {
			t.Fatalf("a new installation is not well: %+v", findings)
		}
	}
	for _, p := range plantedFaults {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := well.copy(t)
			p.plant(w)
			findings, faulty := w.examined()
			found := false
			for _, f := range findings {
				found = found || f.What == p.what && f.State == p.state && strings.Contains(f.Cure, p.cure)
				if f.State != wellState && f.Cure == "" {
					t.Errorf("there is no cure for %+v", f)
				}
			}
			if !found || faulty != (p.state == faultState) {
				t.Errorf("%t %+v", faulty, findings)
			}
		})
	}
	t.Run("a clock that is wrong", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		a := well.copy(t).opener()
		a.out = &out
		err := a.doctor(t.Context(), func() time.Time { return time.Now().Add(-time.Minute) })
		if !errors.Is(err, errUnwell) || !regexp.MustCompile(`fault    clock: the server's clock is (1m0|5[89])s off`).MatchString(out.String()) || !strings.Contains(out.String(), "chrony") {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

// TestDoctorLooksAtObjectStores has buckets that are well, locked, not there, and
// closed to these credentials.
func TestDoctorLooksAtObjectStores(t *testing.T) {
	t.Parallel()
	g := sinktest.StartGateway(t)
	v, err := g.Credentials().GetWithContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newInstallation(t)
	w.put("credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", v.AccessKeyID, v.SecretAccessKey), 0o600)
	w.put("wrong", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = wrong\n", v.AccessKeyID), 0o600)
	settings := fmt.Sprintf("policy: policy.yaml\ndata_dir: data\nclickhouse: {region: EEA}\naudit: {region: EEA, s3: {endpoint: 'http://%s', bucket: %s, region: %s, credentials_file: credentials}}\nbuckets:\n",
		g.Address, g.MakeBucket(t, true, false), sinktest.GatewayRegion)
	for name, b := range map[string][2]string{
		"plain": {g.MakeBucket(t, false, false), "credentials"}, "versions": {g.MakeBucket(t, true, false), "credentials"},
		"locked": {g.MakeBucket(t, true, true), "credentials"}, "missing": {"not-there", "credentials"}, "closed": {g.MakeBucket(t, true, false), "wrong"},
	} {
		settings += fmt.Sprintf("  - {name: %s, region: EEA, s3: {endpoint: 'http://%s', bucket: %s, region: %s, credentials_file: %s}}\n", name, g.Address, b[0], sinktest.GatewayRegion, b[1])
	}
	w.put("lapse.yaml", settings, 0o600)
	findings, faulty := w.examined()
	states := map[string]condition{}
	for _, f := range findings {
		states[f.What] = f.State
	}
	for what, want := range map[string]condition{
		"bucket plain": wellState, "bucket versions": wellState, "bucket locked": warningState, "bucket missing": faultState, "bucket closed": faultState,
	} {
		if states[what] != want {
			t.Errorf("%s: %s, want %s", what, states[what], want)
		}
	}
	text, _ := json.Marshal(findings)
	if !faulty || !strings.Contains(string(text), "make the bucket with Object Lock") {
		t.Errorf("%s", text)
	}
}

func TestDoctorKeepsSecretsToItself(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	w.replace("lapse.yaml", "\n  region: EEA", "\n  region: EEA\n  dsn: clickhouse://lapse:hunter2@127.0.0.1:1/")
	a := w.opener()
	var out bytes.Buffer
	a.out, a.errors, a.log = &out, &out, slog.New(slog.NewTextHandler(&out, nil))
	err := a.doctor(t.Context(), time.Now)
	_, _ = io.WriteString(&out, fmt.Sprint(err))
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("%s", out.String())
	}
}
