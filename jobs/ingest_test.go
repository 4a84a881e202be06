package jobs_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/jobs/traffic"
	"github.com/facesoft/lapse/sinks"
)

// account is what the ledger says of one file on one day.
type account struct{ read, stored, quarantined, refused, duplicate int }

func (a account) plus(b account) account {
	return account{a.read + b.read, a.stored + b.stored, a.quarantined + b.quarantined, a.refused + b.refused, a.duplicate + b.duplicate}
}

// accounts reads the ledger: by file, relative to the input, and by day; records
// without a date are under the empty day.
func (s *site) accounts() map[string]map[string]account {
	s.Helper()
	files := map[string]map[string]account{}
	for _, row := range s.query("SELECT path, if(dated, toString(day), ''), read, stored, quarantined, refused, duplicate FROM {control}.sources FINAL WHERE state = 'complete'") {
		name, err := filepath.Rel(s.input(), row[0].(string))
		if err != nil {
			s.Fatal(err)
		}
		if files[name] == nil {
			files[name] = map[string]account{}
		}
		n := func(i int) int { return int(row[i].(uint64)) }
		files[name][row[1].(string)] = account{n(2), n(3), n(4), n(5), n(6)}
	}
	return files
}

// I2, for every file and every day of a dirty company's input.
func TestIngestAccountsForEveryRecordOfEveryFileAndDay(t *testing.T) {
	t.Parallel()
	s := newSite(t, config.Facesoft)
	s.receive(company(), end(5))
	report := s.ingest(end(5), s.input())
	accounts := s.accounts()
	truth := company().truth
	files := slices.Concat(truth.Telemetry, truth.Access, truth.Manifests)
	for _, want := range files {
		var total account
		undated := accounts[want.Name][""]
		broken := 0
		for day, a := range accounts[want.Name] {
			total = total.plus(a)
			if a.read != a.stored+a.quarantined+a.refused+a.duplicate {
				t.Errorf("%s, %s: %+v does not add up", want.Name, day, a)
			}
			if day == "" {
				continue
			}
			var parsed sinks.Day
			if err := parsed.UnmarshalText([]byte(day)); err != nil {
				t.Fatal(err)
			}
			w := want.Days[parsed]
			if w == nil || a.stored != w.Records || a.duplicate != w.Duplicates || a.quarantined > w.Broken || a.refused > 0 {
				t.Errorf("%s, %s: %+v, truth %+v", want.Name, day, a, w)
			}
			broken += a.quarantined
		}
		for day, w := range want.Days {
			if _, ok := accounts[want.Name][day.String()]; !ok && w.Records+w.Duplicates > 0 {
				t.Errorf("%s, %s: no account, truth %+v", want.Name, day, w)
			}
		}
		if undated != (account{read: undated.quarantined, quarantined: undated.quarantined}) || broken != want.Damages[traffic.TextForNumber] {
			t.Errorf("%s: %+v without a date, %d with a date are broken, truth %v", want.Name, undated, broken, want.Damages)
		}
		if w := (account{want.Total.Lines, want.Total.Records, want.Total.Broken, 0, want.Total.Duplicates}); total != w {
			t.Errorf("%s: %+v, truth %+v", want.Name, total, w)
		}
		delete(accounts, want.Name)
	}
	for name := range accounts {
		t.Errorf("%s has an account, and was not written", name)
	}
	if report.Steps != len(files) {
		t.Errorf("%d steps for %d files", report.Steps, len(files))
	}
	s.holdsTheTruth(truth)
}

// holdsTheTruth counts the rows of the tables.
func (s *site) holdsTheTruth(truth *traffic.Truth) {
	s.Helper()
	telemetry, access, manifests := traffic.Total(truth.Telemetry), traffic.Total(truth.Access), traffic.Total(truth.Manifests)
	calls := map[string]int{}
	for _, table := range []string{"events", "accounts"} {
		for _, row := range s.query("SELECT call, count(), uniqExact(lapse_record) FROM {personal}." + table + " GROUP BY call") {
			calls[row[0].(string)] += int(row[1].(uint64))
			if row[1] != row[2] {
				s.Errorf("%s: %v rows are %v records", table, row[1], row[2])
			}
		}
	}
	if enquiries := s.count("SELECT count() FROM {personal}.enquiries"); enquiries > 0 {
		calls["track"] += enquiries
	}
	if !maps.Equal(calls, telemetry.Types) {
		s.Errorf("the tables hold %v, truth %v", calls, telemetry.Types)
	}
	for sql, want := range map[string]int{
		"SELECT count() FROM {personal}.requests":  access.Total.Records,
		"SELECT count() FROM {control}.quarantine": telemetry.Total.Broken + access.Total.Broken,
		"SELECT count() FROM {control}.training":   manifests.Total.Records,
	} {
		if got := s.count(sql); got != want {
			s.Errorf("%s: %d, truth %d", strings.TrimPrefix(sql, "SELECT count() FROM "), got, want)
		}
	}
	days := map[string]int{}
	for _, row := range s.query("SELECT toString(toDate(occurred_at)), count() FROM (SELECT occurred_at FROM {personal}.events UNION ALL SELECT occurred_at FROM {personal}.accounts UNION ALL SELECT occurred_at FROM {personal}.enquiries) GROUP BY 1") {
		days[row[0].(string)] = int(row[1].(uint64))
	}
	for day, w := range telemetry.Days {
		if days[day.String()] != w.Records {
			s.Errorf("%s: %d rows, truth %d", day, days[day.String()], w.Records)
		}
	}
}
