package jobs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// sampleColumn takes a column from a field of a sample.
type sampleColumn struct {
	field  int // -1: there is none
	isTime bool
	to     *sinks.Column
	// append appends the value of a text; its error says what the text should be.
	append func(to *sinks.Column, text string) error
}

func newSampleColumn(c *config.Column, field int, isTime bool) sampleColumn {
	s := sampleColumn{field: field, isTime: isTime, to: &sinks.Column{Name: c.Name, Type: c.Type.Name(), Nullable: c.Type.Nullable()}}
	switch name := c.Type.Name(); c.Type.Kind() {
	case config.Text:
		s.append = func(to *sinks.Column, text string) error {
			to.AppendString([]byte(text))
			return nil
		}
	case config.Bool:
		s.to.Width, s.append = 1, orDefault("true or false", strconv.ParseBool, func(v bool) uint64 {
			if v {
				return 1
			}
			return 0
		})
	case config.Integer:
		digits, unsigned := strings.CutPrefix(name, "UInt")
		digits = strings.TrimPrefix(digits, "Int")
		bits, _ := strconv.Atoi(digits)
		s.to.Width = bits / 8
		if unsigned {
			s.append = orDefault("a "+name, func(text string) (uint64, error) { return strconv.ParseUint(text, 10, bits) }, func(v uint64) uint64 { return v })
		} else {
			s.append = orDefault("an "+name, func(text string) (int64, error) { return strconv.ParseInt(text, 10, bits) }, func(v int64) uint64 { return uint64(v) })
		}
	case config.Float:
		bits, _ := strconv.Atoi(strings.TrimPrefix(name, "Float"))
		s.to.Width = bits / 8
		s.append = func(to *sinks.Column, text string) error {
			v, err := strconv.ParseFloat(text, bits)
			if text == "" {
				to.AppendDefault()
				return nil
			}
			if err != nil {
				return errors.New("a number")
			}
			to.AppendFloat(v)
			return nil
		}
	case config.Day:
		s.to.Width, s.append = 2, orDefault(timeForms, sampleTime, func(t time.Time) uint64 { return uint64(sinks.DayOf(t)) })
	case config.Time:
		s.time(name)
	}
	if s.to.Nullable {
		s.to.Type = "Nullable(" + s.to.Type + ")"
	}
	return s
}

func (s *sampleColumn) time(name string) {
	if name == "DateTime" {
		s.to.Type, s.to.Width = "DateTime('UTC')", 4
		s.append = orDefault(timeForms, sampleTime, func(t time.Time) uint64 { return uint64(t.Unix()) })
		return
	}
	s.to.Type, s.to.Width = "DateTime64(3, 'UTC')", 8
	s.append = orDefault(timeForms, sampleTime, func(t time.Time) uint64 { return uint64(t.UnixMilli()) })
}

// orDefault appends what parse makes of a text, and the default for an empty one.
func orDefault[T any](want string, parse func(string) (T, error), encode func(T) uint64) func(*sinks.Column, string) error {
	return func(to *sinks.Column, text string) error {
		if text == "" {
			to.AppendDefault()
			return nil
		}
		v, err := parse(text)
		if err != nil {
			return errors.New(want)
		}
		to.AppendUint(encode(v))
		return nil
	}
}

const timeForms = "a time from 1970 on such as 2024-01-31T12:00:00Z, 2024-01-31 12:00:00 (UTC) or 2024-01-31"

// sampleTime reads a time in one of timeForms.
func sampleTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Unix() >= 0 && t.Year() < 2149 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("not %s", timeForms)
}
