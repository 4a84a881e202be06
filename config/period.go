package config

import (
	"fmt"
	"math"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
	"github.com/sosodev/duration"
)

// Period is a length of time in the notation of ISO 8601, such as P13M, P30D or
// PT24H. Years and months are calendar ones: what they come to depends on the
// day they are counted from.
type Period struct {
	text string
	d    duration.Duration
}

// ParsePeriod returns the period that text writes in ISO 8601. Negative and
// fractional ones are refused.
func ParsePeriod(text string) (Period, error) {
	d, err := duration.Parse(text)
	if err != nil || d.Negative {
		return Period{}, fmt.Errorf("%q is not a period; write an ISO 8601 duration such as P13M, P30D or PT24H", text)
	}
	for _, f := range []float64{d.Years, d.Months, d.Weeks, d.Days, d.Hours, d.Minutes, d.Seconds} {
		if f != math.Trunc(f) || f > 10_000_000 {
			return Period{}, fmt.Errorf("%q is not a usable period; write whole numbers below ten million", text)
		}
	}
	return Period{text, *d}, nil
}

// MustPeriod is ParsePeriod for constants; it panics on a malformed period.
func MustPeriod(text string) Period {
	p, err := ParsePeriod(text)
	if err != nil {
		panic(err)
	}
	return p
}

// After returns the instant p after t, counted in the calendar of zone. Years
// and months come first and are cut to the last day of a month that is too
// short, as Article 3(2)(c) of Regulation (EEC, Euratom) No 1182/71 has it:
// P1M after 31 January is 28 or 29 February. Weeks and days are calendar days;
// the time of day stays the same over a change of daylight saving.
func (p Period) After(t time.Time, zone *time.Location) time.Time {
	return p.shift(t, zone, 1)
}

// Before returns the instant p before t, by the same rules as After.
func (p Period) Before(t time.Time, zone *time.Location) time.Time {
	return p.shift(t, zone, -1)
}

func (p Period) shift(t time.Time, zone *time.Location, sign int) time.Time {
	local := t.In(zone)
	months := sign * int(p.d.Years*12+p.d.Months)
	year, month, day := local.Date()
	first := time.Date(year, month+time.Month(months), 1, 0, 0, 0, 0, zone)
	last := first.AddDate(0, 1, -1).Day()
	days := sign * int(p.d.Weeks*7+p.d.Days)
	hour, minute, second := local.Clock()
	shifted := time.Date(first.Year(), first.Month(), min(day, last)+days, hour, minute, second, local.Nanosecond(), zone)
	clock := time.Duration(p.d.Hours)*time.Hour + time.Duration(p.d.Minutes)*time.Minute + time.Duration(p.d.Seconds)*time.Second
	return shifted.Add(time.Duration(sign) * clock).UTC()
}

// days returns the number of days of a period of weeks and days alone.
func (p Period) days() (n int, whole bool) {
	d := p.d
	return int(7*d.Weeks + d.Days), d.Years == 0 && d.Months == 0 && d.Hours == 0 && d.Minutes == 0 && d.Seconds == 0
}

// IsZero reports whether p was left out or is of no length.
func (p Period) IsZero() bool { return p.d == duration.Duration{} }

func (p Period) String() string { return p.text }

// MarshalText implements encoding.TextMarshaler.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Period) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePeriod(string(text))
	return err
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (p *Period) UnmarshalYAML(node ast.Node) error {
	return unmarshalScalar(node, p, ParsePeriod)
}

// JSONSchema describes the notation.
func (Period) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^P([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$`,
		Description: "a length of time in the notation of ISO 8601, such as P13M, P30D or PT24H"}
}

// shorter reports whether a is the shorter period, counted from one fixed day.
func shorter(a, b Period) bool {
	day := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	return a.After(day, time.UTC).Before(b.After(day, time.UTC))
}
