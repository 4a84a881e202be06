package jobs_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
)

// accessLog is where a web site's real log lies beside a checkout, if it does:
// 10,000 requests of four days in May 2015, one of them cut short.
const accessLog = "../../shared/data/access_log"

// logged is a request as the test itself reads it.
type logged struct {
	address, day, method, path, query, status, referrer, agent string
	hour                                                       string
	device, browser, os                                        string // as the program derived them
}

var combinedLine = regexp.MustCompile(`^(\S+) \S+ \S+ \[(\d\d)/May/2015:(\d\d):\d\d:\d\d \+0000\] "(\S+) ([^" ?]*)(\??[^" ]*) HTTP/[\d.]+" (\d{3}) (?:\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$`)

// readLog reads the log's lines by a regular expression; those that do not match are
// returned as they are.
func readLog(content []byte) (requests []logged, broken []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(content), "\n"), "\n") {
		m := combinedLine.FindStringSubmatch(line)
		if m == nil {
			broken = append(broken, line)
			continue
		}
		requests = append(requests, logged{
			address: m[1], day: "2015-05-" + m[2], hour: m[3], method: m[4], path: m[5], query: strings.TrimPrefix(m[6], "?"),
			status: m[7], referrer: strings.TrimPrefix(m[8], "-"), agent: m[9],
		})
	}
	return requests, broken
}

func TestAccessLogOfARealSite(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(accessLog)
	if err != nil {
		t.Skipf("the log of a real web site is not beside this checkout: %v", err)
	}
	requests, broken := readLog(content)
	addresses := map[string]bool{}
	for _, line := range bytes.Split(bytes.TrimSpace(content), []byte("\n")) {
		address, _, _ := bytes.Cut(line, []byte(" "))
		addresses[string(address)] = true
	}
	if len(requests) != 9_999 || len(broken) != 1 || len(addresses) != 1_753 {
		t.Fatalf("%d requests and %d broken lines of %d addresses: this is another log", len(requests), len(broken), len(addresses))
	}
	s := newSite(t, config.Facesoft)
	asOf := time.Date(2015, 5, 21, 0, 0, 0, 0, time.UTC)
	report := s.ingest(asOf, s.write("access.log", content))
	if got, want := total(report), (account{read: 10_000, stored: 9_999, quarantined: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The line that was cut short has a date, but nothing of it is trusted.
	want := map[string]account{
		"":           {read: 1, quarantined: 1},
		"2015-05-17": {read: 1632, stored: 1632}, "2015-05-18": {read: 2893, stored: 2893},
		"2015-05-19": {read: 2896, stored: 2896}, "2015-05-20": {read: 2578, stored: 2578},
	}
	days := map[string]int{}
	for _, r := range requests {
		days[r.day]++
	}
	got := s.accounts()["access.log"]
	for day, w := range want {
		if got[day] != w || days[day] != w.stored {
			t.Errorf("%q: %+v, want %+v; the log has %d", day, got[day], w, days[day])
		}
	}
	if len(got) != len(want) {
		t.Errorf("accounts of %d days", len(got))
	}
	raw := s.query("SELECT raw, lapse_position FROM {control}.quarantine")
	if len(raw) != 1 || raw[0][0] != broken[0] || bytes.Count(content[:raw[0][1].(uint64)], []byte("\n")) != 8898 {
		t.Errorf("in quarantine: %q", raw)
	}

	derived := s.derive(requests)
	later := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	s.anonymise(later)
	s.purge(later)
	for _, table := range []string{"{personal}.requests", "{control}.quarantine"} {
		if n := s.count("SELECT count() FROM " + table); n > 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	s.classesHoldEnoughPeople(derived, 10)
	s.tellsNothing(requests, addresses)
	published := s.count("SELECT count() FROM {published}.requests")
	suppressed := len(requests) - published
	t.Logf("%d rows published, %d suppressed (%.1f%%), of them by level: %v", published, suppressed, 100*float64(suppressed)/float64(len(requests)),
		s.query("SELECT lapse_level, count() FROM {published}.requests GROUP BY 1 ORDER BY 1"))
	if suppressed*5 >= len(requests) {
		t.Errorf("%d of %d rows were suppressed", suppressed, len(requests))
	}
	s.audited()
}

// derive adds to the requests what the program tells from the user agent, which the
// test does not do by itself.
func (s *site) derive(requests []logged) []logged {
	s.Helper()
	rows := s.query("SELECT device_type, browser, os, remote_addr, path, query, user_agent, status, referrer FROM {personal}.requests ORDER BY lapse_position")
	if len(rows) != len(requests) {
		s.Fatalf("%d rows for %d requests", len(rows), len(requests))
	}
	derived := slices.Clone(requests)
	for i := range derived {
		r, row := &derived[i], rows[i]
		r.device, r.browser, r.os = row[0].(string), row[1].(string), row[2].(string)
		if got, want := fmt.Sprint(row[3:]), fmt.Sprint([]any{r.address, r.path, r.query, strings.TrimPrefix(r.agent, "-"), r.status, r.referrer}); got != want {
			s.Fatalf("row %d is %s, want %s", i, got, want)
		}
	}
	return derived
}

// levels are the level vectors of the policy for requests: how each request is
// generalised at each.
var levels = []func(r logged) []string{
	func(r logged) []string {
		return []string{r.day + " " + r.hour, r.method, r.status, r.path, host(r.referrer), r.device, r.browser, r.os}
	},
	func(r logged) []string {
		return []string{r.day + " 00", r.method, r.status, r.path, "*", r.device, r.browser, r.os}
	},
	func(r logged) []string {
		return []string{r.day + " 00", r.method, r.status, r.path, "*", r.device, "*", "*"}
	},
	func(r logged) []string {
		return []string{r.day + " 00", r.method, band(r.status), section(r.path), "*", r.device, "*", "*"}
	},
	func(r logged) []string {
		return []string{r.day + " 00", r.method, band(r.status), "*", "*", "*", "*", "*"}
	},
	func(r logged) []string { return []string{r.day + " 00", "*", band(r.status), "*", "*", "*", "*", "*"} },
}

func section(path string) string {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 2 {
		return "/"
	}
	return "/" + parts[1]
}

func band(status string) string {
	if status[0] == '5' {
		return "500+"
	}
	return status[:1] + "00-" + status[:1] + "99"
}

func host(referrer string) string {
	u, err := url.Parse(referrer)
	if err != nil {
		return "unreadable"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "(address)"
	}
	return u.Hostname()
}

var looksDirect = regexp.MustCompile(`[^\s@/]+@[^\s@/]+\.[A-Za-z]|(^|[^0-9.])[0-9]{1,3}([.][0-9]{1,3}){3}([^0-9.]|$)`)

// tainted reports whether a class may not be published for what its texts say.
func tainted(class []string) bool {
	return slices.ContainsFunc(class[1:], func(text string) bool {
		plain, err := url.PathUnescape(text)
		return looksDirect.MatchString(text) || err == nil && looksDirect.MatchString(plain)
	})
}

// classesHoldEnoughPeople works the publication out anew, with maps, and compares: each
// class has the same rows, and k addresses at least.
func (s *site) classesHoldEnoughPeople(requests []logged, k int) {
	s.Helper()
	want := map[string]int{}
	rest := requests
	for level, generalise := range levels {
		people, rows := map[string]map[string]bool{}, map[string]int{}
		var next []logged
		for _, r := range rest {
			class := strings.Join(generalise(r), "|")
			if people[class] == nil {
				people[class] = map[string]bool{}
			}
			people[class][r.address] = true
			rows[class]++
		}
		for _, r := range rest {
			values := generalise(r)
			class := strings.Join(values, "|")
			if len(people[class]) < k || tainted(values) {
				next = append(next, r)
				continue
			}
			want[fmt.Sprintf("%d|%s", level, class)] = rows[class]
		}
		rest = next
	}
	published := s.query("SELECT concat(toString(lapse_level), '|', formatDateTime(hour, '%Y-%m-%d %H'), '|', method, '|', status, '|', page, '|', referrer_host, '|', device_type, '|', browser, '|', os) AS class, count() FROM {published}.requests GROUP BY class")
	for _, row := range published {
		class := row[0].(string)
		if want[class] != int(row[1].(uint64)) {
			s.Errorf("%s: %d rows are published, %d belong to a class of %d people", class, row[1], want[class], k)
		}
		delete(want, class)
	}
	for class, n := range want {
		s.Errorf("%s: %d rows are not published", class, n)
	}
	if len(published) < 50 {
		s.Errorf("only %d classes", len(published))
	}
}

// tellsNothing looks through every text that is published.
func (s *site) tellsNothing(requests []logged, addresses map[string]bool) {
	s.Helper()
	agents, queries := map[string]bool{}, map[string]bool{}
	for _, r := range requests {
		agents[r.agent] = true
		if r.query != "" {
			queries[r.query] = true
		}
	}
	texts := map[string]bool{}
	for _, column := range s.query(fmt.Sprintf("SELECT table, name FROM system.columns WHERE database = '%s' AND position(type, 'String') > 0", s.options.Databases.Analytics)) {
		for _, row := range s.query(fmt.Sprintf("SELECT DISTINCT toString(`%s`) FROM {published}.`%s`", column[1], column[0])) {
			texts[row[0].(string)] = true
		}
	}
	for text := range texts {
		for address := range addresses {
			if strings.Contains(text, address) {
				s.Errorf("%q holds the address %s", text, address)
			}
		}
		for agent := range agents {
			if text == agent && agent != "" || len(agent) > 12 && strings.Contains(text, agent) {
				s.Errorf("%q is the user agent %q", text, agent)
			}
		}
		for query := range queries {
			if len(query) > 3 && strings.Contains(text, query) || strings.Contains(text, "?") {
				s.Errorf("%q holds the query %q", text, query)
				break
			}
		}
	}
	if len(texts) < 50 {
		s.Errorf("only %d texts were found", len(texts))
	}
}
