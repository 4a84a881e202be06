package config

import (
	"testing"
	"time"
)

func TestMonthsAreCalendarMonthsOfTheZone(t *testing.T) {
	t.Parallel()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ period, from, want string }{
		{"P1M", "2023-01-31T00:00:00Z", "2023-02-28T00:00:00Z"},
		{"P1M", "2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"P13M", "2023-01-31T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"P1Y", "2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z"},
		{"P1M1D", "2023-01-31T00:00:00Z", "2023-03-01T00:00:00Z"},
		{"P2W", "2024-03-20T12:00:00Z", "2024-04-03T11:00:00Z"},   // summer time begins in between: the clock keeps
		{"P1M", "2024-03-15T23:30:00Z", "2024-04-15T22:30:00Z"},   // likewise
		{"PT24H", "2024-03-30T12:00:00Z", "2024-03-31T12:00:00Z"}, // hours do not
		{"P6M", "2024-07-31T23:30:00Z", "2025-02-01T00:30:00Z"},   // 1 August in London
		{"P0D", "2024-07-31T23:30:00.5Z", "2024-07-31T23:30:00.5Z"},
	} {
		p := MustPeriod(c.period)
		from, _ := time.Parse(time.RFC3339Nano, c.from)
		if got := p.After(from, london).Format(time.RFC3339Nano); got != c.want {
			t.Errorf("%s after %s is %s, want %s", c.period, c.from, got, c.want)
		}
	}
	march, _ := time.Parse(time.RFC3339, "2024-03-31T00:00:00Z")
	if got := MustPeriod("P1M").Before(march, london).Format(time.RFC3339); got != "2024-02-29T00:00:00Z" {
		t.Errorf("P1M before 31 March is %s", got)
	}
}

func TestUnusablePeriodsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "P", "13M", "P-1M", "-P1M", "P1.5M", "P99999999999Y", "1 month", "PT"} {
		if p, err := ParsePeriod(text); err == nil && !p.IsZero() || err == nil && text == "" {
			t.Errorf("%q was accepted as %+v", text, p)
		}
	}
}
