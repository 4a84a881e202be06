package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// segmentClient installs the official client of the tracking API, pinned by its
// lock file, into the user's cache, and returns the folder of its modules. It
// skips the test where there is no npm or no registry.
func segmentClient(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		t.Skipf("the official client needs npm and node: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	source := filepath.Join("..", "..", "testdata", "segment")
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "lapse", "tools", fmt.Sprintf("segment-%x", sha256.Sum256(lock))[:24])
	modules := filepath.Join(folder, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // leftovers are harmless and in the cache
	for _, name := range []string{"package.json", "package-lock.json"} {
		raw, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = work
	if out, err := install.CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("EINTEGRITY")) || bytes.Contains(out, []byte("in sync")) {
			t.Fatalf("the registry serves other packages than were pinned: %s", out)
		}
		t.Skipf("the official client cannot be installed: %v: %s", err, out)
	}
	if err := os.Rename(work, folder); err != nil {
		if _, there := os.Stat(modules); there != nil { // else another test was faster
			t.Fatal(err)
		}
	}
	return modules
}

// delivered is an event as the official client shows it after delivery.
type delivered struct {
	Type, Event, Name, UserID, AnonymousID, PreviousID, GroupID, MessageID string
	Timestamp                                                              time.Time
	Properties                                                             struct {
		URL        string `json:"url"`
		DurationMS *int   `json:"duration_ms"`
	}
	Traits struct {
		Name, Email, Industry string
		Employees             *int
	}
	Context struct {
		IP   string
		Page struct{ URL, Title string }
	}
}

// TestOfficialClient points the official client of the tracking API at the
// collector, unchanged: what it sent and called delivered is stored by ingest,
// exactly.
func TestOfficialClient(t *testing.T) {
	modules := segmentClient(t)
	w := newInstallation(t)
	s := serveIn(t, w.dir)
	const sent = 300
	client := exec.Command("node", filepath.Join("..", "..", "testdata", "segment", "client.cjs"), s.Address, writeKey, fmt.Sprint(sent))
	client.Env = append(os.Environ(), "NODE_PATH="+modules)
	var complaint bytes.Buffer
	client.Stderr = &complaint
	out, err := client.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	log := s.end()
	if requests := strings.Count(log, "/v1/batch"); requests < 2 {
		t.Errorf("the client made %d requests:\n%s", requests, log)
	}
	want := map[string]string{} // by person
	times := map[string]time.Time{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e delivered
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		times[e.UserID] = e.Timestamp
		switch e.Type {
		case "track", "page", "screen":
			duration := "-"
			if e.Properties.DurationMS != nil {
				duration = fmt.Sprint(*e.Properties.DurationMS)
			}
			want[e.UserID] = strings.Join([]string{e.Type, e.Event + e.Name, e.AnonymousID, e.Context.IP, e.Context.Page.URL, e.Context.Page.Title, duration}, "|")
		case "identify", "group":
			employees := "-"
			if e.Traits.Employees != nil {
				employees = fmt.Sprint(*e.Traits.Employees)
			}
			want[e.UserID] = strings.Join([]string{e.Type, e.AnonymousID, e.Traits.Name, e.Traits.Email, e.GroupID, e.Traits.Industry, employees}, "|")
		case "alias":
			want[e.UserID] = strings.Join([]string{e.Type, e.PreviousID, "", "", "", "", "-"}, "|")
		default:
			t.Errorf("the client delivered a call of the type %q", e.Type)
		}
	}
	if len(want) != sent {
		t.Fatalf("the client delivered %d events", len(want))
	}
	if got := w.ingested(); got["read"] != sent || got["stored"] != sent || got["refused"] != 0 {
		t.Errorf("%v", got)
	}
	got := map[string]string{}
	w.read(`
		SELECT user_id, occurred_at, arrayStringConcat([call, name, anonymous_id, ip, url, title, ifNull(toString(duration_ms), '-')], '|') FROM telemetry.events
		UNION ALL
		SELECT user_id, occurred_at, arrayStringConcat([call, anonymous_id, full_name, email, organisation_id, industry, ifNull(toString(employees), '-')], '|') FROM telemetry.accounts`,
		func(scan func(...any) error) error {
			var user, text string
			var at time.Time
			err := scan(&user, &at, &text)
			if got[user] != "" {
				t.Errorf("%s is stored twice", user)
			}
			got[user] = text
			if late := at.Sub(times[user]); late < 0 || late > time.Minute {
				t.Errorf("%s: sent as of %s, stored as of %s", user, times[user], at)
			}
			return err
		})
	for user, text := range want {
		if got[user] != text {
			t.Errorf("%s\nsent   %s\nstored %s", user, text, got[user])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}
