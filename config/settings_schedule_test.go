package config

import (
	"strings"
	"testing"
	"time"
)

func TestScheduleIsReadWithItsDefaults(t *testing.T) {
	t.Parallel()
	s, err := LoadSettings(writeSettings(t, `
schedule:
  - {job: ingest, spec: "*/5 * * * *", jitter: PT1M}
  - {job: purge, spec: "@daily", time_zone: Europe/London, timeout: PT30M, overlap: queue}
history: {keep: P1Y}
`))
	if err != nil {
		t.Fatal(err)
	}
	ingest, purge := s.Schedule[0], s.Schedule[1]
	if ingest.Overlap != OverlapSkip || ingest.Timeout.Length() != 6*time.Hour || ingest.Jitter.Length() != time.Minute || ingest.TimeZone.String() != "UTC" {
		t.Errorf("%+v", ingest)
	}
	if purge.Overlap != OverlapQueue || purge.Timeout.Length() != 30*time.Minute || purge.TimeZone.String() != "Europe/London" || s.History.Keep.String() != "P1Y" {
		t.Errorf("%+v", purge)
	}
}

func TestScheduleFaultsNamePlaceAndCure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"schedule:\n  - {job: ingest, spec: '@every -1h'}\n":                                      `lapse.yaml:2:25: "@every -1h" is not a usable schedule`,
		"schedule:\n  - {job: ingest, spec: 'TZ='}\n":                                             "the time zone stands in time_zone",
		"schedule:\n  - {job: ingest}\n":                                                          "schedule[ingest].spec: say when the job runs",
		"schedule:\n  - {job: backup, spec: '@daily'}\n":                                          `lapse.yaml:2:11: schedule[backup].job: "backup" is not a job; it is one of ingest`,
		"schedule:\n  - {job: purge, spec: '@daily'}\n  - {job: purge, spec: '@hourly'}\n":        "lapse.yaml:3:11: schedule[purge].job: \"purge\" is scheduled twice",
		"schedule:\n  - {job: purge, spec: '@daily', overlap: allow}\n":                           "write skip or queue",
		"schedule:\n  - {job: purge, spec: '@daily', jitter: P2D}\n":                              "use at most PT24H",
		"schedule:\n  - {job: purge, spec: '@daily', time_zone: London}\n":                        `"London" is not a time zone`,
		"schedule:\n  - {job: purge, spec: '0 0 31 feb *'}\n":                                     "there is no such day",
		"schedule:\n  - {job: purge, spec: '@daily', time_zone: UTC, jitter: PT1M, retries: 3}\n": `unknown key "retries"`,
		"lease: {kind: zookeeper}\n":                                                              "write file, kubernetes or keeper",
		"lease: {kind: kubernetes, prefix: A_B}\n":                                                "cannot begin the name of a Lease",
	} {
		if _, err := LoadSettings(writeSettings(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
