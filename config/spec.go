package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"
	"github.com/robfig/cron/v3"
)

// Spec says when a job runs: the five fields of cron(8) (minute, hour, day of the
// month, month, day of the week), six with seconds before them, one of @hourly,
// @daily, @weekly, @monthly and @yearly, or @every with a duration.
//
// A job whose hours are named runs when the local clock first shows the time, or has
// just passed it: a time that the spring change of daylight saving skips is made up
// for at the change, and one that comes twice in autumn counts once. A job of every
// hour runs each time the clock shows the time, through the repeated hour too.
// @every is counted from 1970-01-01 00:00 UTC, whatever the zone, so that a restart
// does not shift it.
type Spec struct {
	text  string
	every time.Duration      // of @every
	clock *cron.SpecSchedule // otherwise; its Location is UTC
}

// The bounds of a spec.
const (
	longestSpec  = 200
	longestEvery = 366 * 24 * time.Hour
)

var specParser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// specHint is the cure in errors about specs.
const specHint = "write five fields such as '30 2 * * *' (minute, hour, day, month, weekday), @hourly, @daily, or @every 15m"

// ParseSpec reads a spec. What the parser of cron would take and never run, run
// without end or end in a panic is refused before it gets there: zones in the text,
// periods of no length, days that no month has.
func ParseSpec(text string) (Spec, error) {
	refuse := func(problem string) (Spec, error) {
		return Spec{}, fmt.Errorf("%q is not a schedule: %s; %s", shorten(text), problem, specHint)
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case trimmed == "":
		return refuse("it is empty")
	case len(trimmed) > longestSpec:
		return refuse(fmt.Sprintf("it is longer than %d characters", longestSpec))
	case strings.Contains(trimmed, "="):
		return refuse("the time zone stands in time_zone, not in the spec")
	case strings.Trim(trimmed, specCharacters) != "":
		return refuse("it has characters that no schedule has")
	}
	if rest, ok := strings.CutPrefix(trimmed, "@every"); ok {
		return parseEvery(text, strings.TrimSpace(rest))
	}
	if strings.HasPrefix(trimmed, "@reboot") {
		return refuse("a job runs at times, not at the start of a machine")
	}
	parsed, err := specParser.Parse(strings.ToLower(trimmed))
	if err != nil {
		return refuse(err.Error())
	}
	clock, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return refuse("it has no times")
	}
	clock.Location = time.UTC
	if clock.Next(time.Date(2023, 12, 31, 0, 0, 0, 0, time.UTC)).IsZero() {
		return refuse("there is no such day in any month")
	}
	return Spec{text: trimmed, clock: clock}, nil
}

const specCharacters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*/,-?@. \tµ"

func parseEvery(text, rest string) (Spec, error) {
	every, err := time.ParseDuration(rest)
	switch {
	case err != nil:
		return Spec{}, fmt.Errorf("%q is not a schedule: @every needs a duration such as 15m or 1h30m", shorten(text))
	case every < time.Second || every > longestEvery || every%time.Second != 0:
		return Spec{}, fmt.Errorf("%q is not a usable schedule: @every needs whole seconds, from 1s to %gh", shorten(text), math.Floor(longestEvery.Hours()))
	}
	return Spec{text: strings.TrimSpace(text), every: every}, nil
}

// MustSpec is ParseSpec for constants; it panics on a malformed spec.
func MustSpec(text string) Spec {
	s, err := ParseSpec(text)
	if err != nil {
		panic(err)
	}
	return s
}

// shorten keeps an error readable, whatever was written.
func shorten(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// Next returns the first time after t at which a job with this spec runs by the
// clocks of zone. It is zero if there is none within five years.
func (s Spec) Next(t time.Time, zone *time.Location) time.Time {
	switch {
	case s.every > 0:
		return t.Add(-sinceEpoch(t, s.every)).Add(s.every).UTC()
	case s.clock == nil:
		return time.Time{}
	case s.everyHour():
		return s.nextShown(t, zone)
	}
	for wall := wallClock(t.In(zone)); ; {
		wall = s.clock.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if first := firstShown(wall, zone); first.After(t) {
			return first
		}
	}
}

// sinceEpoch is the time since the last multiple of every from 1970 on.
func sinceEpoch(t time.Time, every time.Duration) time.Duration {
	seconds := int64(every / time.Second)
	past := ((t.Unix() % seconds) + seconds) % seconds
	return time.Duration(past)*time.Second + time.Duration(t.Nanosecond())
}

// everyHour reports whether the job runs in each of the day's hours.
func (s Spec) everyHour() bool {
	const hours = 1<<24 - 1
	return s.clock.Hour&hours == hours
}

// nextShown returns the first time after t at which the clocks of zone show a time of
// the spec. Between two changes of the clocks they run evenly.
func (s Spec) nextShown(t time.Time, zone *time.Location) time.Time {
	for range 100 { // changes of the clocks in the five years that are looked at, and more
		local := t.In(zone)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		wall := s.clock.Next(wallClock(local))
		if wall.IsZero() {
			return time.Time{}
		}
		at := wall.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || at.Before(end) {
			return at
		}
		if wall := wallClock(end); s.clock.Next(wall.Add(-time.Second)).Equal(wall) {
			return end.UTC()
		}
		t = end
	}
	return time.Time{}
}

// wallClock returns what the clock shows at t, as if it were UTC.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// firstShown returns the first time at which the clocks of zone show wall or more.
func firstShown(wall time.Time, zone *time.Location) time.Time {
	const furthest = 26 * time.Hour // no clock is further from UTC, or goes back further
	at := wall.Add(-furthest)
	for {
		local := at.In(zone)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		shown := wall.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || shown.Before(end) {
			return later(shown, at)
		}
		at = end
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b.UTC()
	}
	return a.UTC()
}

// IsZero reports whether s was left out.
func (s Spec) IsZero() bool { return s.text == "" }

func (s Spec) String() string { return s.text }

// MarshalText implements encoding.TextMarshaler.
func (s Spec) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *Spec) UnmarshalYAML(node ast.Node) error { return unmarshalScalar(node, s, ParseSpec) }

// JSONSchema describes the notation.
func (Spec) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: "when a job runs: five cron fields, @daily and the like, or @every 15m"}
}
