package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// policy is a company's own: nothing of it is known to the program.
const policy = `
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
quarantine: {keep: P1D, clause: C12, rationale: r}
training: {clause: C6, description: d, field: c.f, purposes: [p], retention: [{trigger: consent_absent, keep: PT24H, action: erase, clause: C5, rationale: r}]}
datasets:
  - name: closures
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [track], events: [Closed]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: userId, field: c.f, identifies: directly}
  - name: calls
    description: d
    clause: C1
    purposes: [p]
    input: {format: segment, types: [track, page]}
    subject: [who]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), derive: event_time, field: c.f, identifies: nobody}
      - {name: who, type: String, from: [userId, anonymousId], field: c.f, identifies: directly}
      - {name: text, type: String, from: properties.text, field: c.f, identifies: nobody}
      - {name: deep, type: String, from: a.b.c, field: c.f, identifies: nobody}
      - {name: whole, type: String, from: a.b, field: c.f, identifies: nobody}
      - {name: small, type: Nullable(Int8), from: properties.small, field: c.f, identifies: nobody}
      - {name: big, type: UInt64, from: properties.big, field: c.f, identifies: nobody}
      - {name: real, type: Nullable(Float64), from: properties.real, field: c.f, identifies: nobody}
      - {name: yes, type: Bool, from: properties.yes, field: c.f, identifies: nobody}
      - {name: day, type: Date, from: properties.day, field: c.f, identifies: nobody}
      - {name: browser, type: LowCardinality(String), from: context.userAgent, derive: browser, field: c.f, identifies: nobody}
  - name: hits
    description: d
    clause: C1
    purposes: [p]
    input: {format: weblog}
    subject: [remote_addr]
    time: at
    retention: [{trigger: event_time, keep: P1M, action: erase, clause: C12, rationale: r}]
    columns:
      - {name: at, type: DateTime64(3), from: time, field: c.f, identifies: nobody}
      - {name: remote_addr, type: String, from: remote_addr, field: c.f, identifies: directly}
      - {name: remote_user, type: String, from: remote_user, field: c.f, identifies: directly}
      - {name: method, type: String, from: method, field: c.f, identifies: nobody}
      - {name: path, type: String, from: path, field: c.f, identifies: nobody}
      - {name: query, type: String, from: query, field: c.f, identifies: nobody}
      - {name: protocol, type: String, from: protocol, field: c.f, identifies: nobody}
      - {name: status, type: UInt16, from: status, field: c.f, identifies: nobody}
      - {name: bytes, type: Nullable(UInt64), from: bytes, field: c.f, identifies: nobody}
      - {name: referrer, type: String, from: referrer, field: c.f, identifies: nobody}
      - {name: user_agent, type: String, from: user_agent, field: c.f, identifies: nobody}
`

var parsed = sync.OnceValues(func() (*config.Policy, error) { return config.ParsePolicy("policy.yaml", []byte(policy)) })

func decoder(t testing.TB, format config.InputFormat) *Decoder {
	t.Helper()
	p, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(p, format, Resources{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var now = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)

// values reads the last row of a block back as text; NULL is "NULL".
func values(b *sinks.Block) map[string]string {
	row := map[string]string{}
	for _, c := range b.Columns {
		row[c.Name] = lastValue(c, b.Rows())
	}
	return row
}

func lastValue(c *sinks.Column, rows int) string {
	if c.Nullable && c.Nulls[rows-1] == 1 {
		return "NULL"
	}
	if c.Dictionary != nil {
		n := int(binary.LittleEndian.Uint16(c.Data[len(c.Data)-2:]))
		keys := c.Dictionary.Keys
		for ; n > 0; n-- {
			length, prefix := binary.Uvarint(keys)
			keys = keys[prefix+int(length):]
		}
		length, prefix := binary.Uvarint(keys)
		return string(keys[prefix : prefix+int(length)])
	}
	if c.Width == 0 {
		data, last := c.Data, ""
		for len(data) > 0 {
			n, prefix := binary.Uvarint(data)
			last, data = string(data[prefix:prefix+int(n)]), data[prefix+int(n):]
		}
		return last
	}
	raw := make([]byte, 8)
	copy(raw, c.Data[len(c.Data)-c.Width:])
	v := binary.LittleEndian.Uint64(raw)
	switch {
	case strings.Contains(c.Type, "Float64"):
		return fmt.Sprint(math.Float64frombits(v))
	case strings.Contains(c.Type, "Int8") && !strings.Contains(c.Type, "UInt8"):
		return fmt.Sprint(int8(v))
	case strings.HasPrefix(c.Type, "DateTime64"):
		return time.UnixMilli(int64(v)).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return fmt.Sprint(v)
}

func TestColumnsTakeTheirFields(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	line := `{ "type":"track","event":"Opened","messageId":"m1","userId":null,"anonymousId":"a\u0041\n\"é\ud83d\ude00\ud800",
		"timestamp":"2024-05-01T10:00:00.5+02:00","a":{"x":[1,{"c":"no"}],"b":{"c":"deep","d":1}},
		"properties":{"text":12.50,"small":-128,"big":18446744073709551615,"real":1e3,"yes":true,"day":"2024-02-29T00:00:00Z"},
		"context":{"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"}}`
	fate := d.Decode([]byte(strings.ReplaceAll(line, "\n\t\t", " ")), Origin{Now: now})
	if fate.Reason != Stored || fate.Block != 1 || fate.Day.String() != "2024-05-01" {
		t.Fatalf("%+v", fate)
	}
	want := map[string]string{
		"at": "2024-05-01T08:00:00.500Z", "who": "aA\n\"é😀\uFFFD", "text": "12.50", "deep": "deep", "whole": `{"c":"deep","d":1}`,
		"small": "-128", "big": "18446744073709551615", "real": "1000", "yes": "1", "day": "19782", "browser": "Chrome",
	}
	if got := values(d.Blocks()[1]); !mapsEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	fate = d.Decode([]byte(`{"type":"page","timestamp":"2024-05-01T10:00:00Z"}`), Origin{Now: now})
	want = map[string]string{"at": "2024-05-01T10:00:00.000Z", "who": "", "text": "", "deep": "", "whole": "",
		"small": "NULL", "big": "0", "real": "NULL", "yes": "0", "day": "0", "browser": ""}
	if got := values(d.Blocks()[1]); fate.Reason != Stored || !mapsEqual(got, want) {
		t.Errorf("%+v\ngot  %q\nwant %q", fate, got, want)
	}
}

func mapsEqual(a, b map[string]string) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

func TestRecordsGoToTheFirstDatasetThatTakesThem(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	for line, want := range map[string]Fate{
		`{"type":"track","event":"Closed","timestamp":"2024-05-01T00:00:00Z"}`:      {Block: 0, Dated: true},
		`{"type":"track","event":"Clo\u0073ed","timestamp":"2024-05-01T00:00:00Z"}`: {Block: 0, Dated: true},
		`{"type":"track","timestamp":"2024-05-01T00:00:00Z"}`:                       {Block: 1, Dated: true},
		`{"type":"identify","timestamp":"2024-05-01T00:00:00Z"}`:                    {Reason: NoPurpose, Dated: true},
		`{"type":"identify"}`: {Reason: NoPurpose},
		`{"type":"guess"}`:    {Reason: UnknownCall},
		`{}`:                  {Reason: UnknownCall},
	} {
		got := d.Decode([]byte(line), Origin{Now: now})
		got.Day = 0
		if got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
}

func TestUnreadableRecordsAreNamed(t *testing.T) {
	t.Parallel()
	good := `{"type":"page","timestamp":"2024-05-01T00:00:00Z","properties":{%s}}`
	d := decoder(t, config.Segment)
	for line, want := range map[string]Reason{
		`{"type":"page"`:                NotJSON,
		`{"type":"page"}}`:              NotJSON,
		`{"type":"page",}`:              NotJSON,
		`{"type":'page'}`:               NotJSON,
		`{"type":"pa` + "\x01" + `ge"}`: NotJSON,
		`{"type":"pa\xge"}`:             NotJSON,
		`{"a":01}`:                      NotJSON,
		`{"a":+1}`:                      NotJSON,
		`{"a":1.}`:                      NotJSON,
		`{"a":tru}`:                     NotJSON,
		`{"a":"\u12g4"}`:                NotJSON,
		`nonsense`:                      NotJSON,
		`[1]`:                           NotObject,
		`"x"`:                           NotObject,
		"{\"type\":\"\xff\"}":           NotUTF8,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100):       TooDeep,
		`{"a":` + strings.Repeat(`[`, 100) + strings.Repeat("]", 100) + "}": TooDeep,
		`{"type":"page"}`:                                    NoTime,
		`{"type":"page","timestamp":"yesterday"}`:            BadTime,
		`{"type":"page","timestamp":"2024-02-30T00:00:00Z"}`: BadTime,
		`{"type":"page","timestamp":"1969-12-31T23:59:59Z"}`: BadTime,
		`{"type":"page","timestamp":"2024-06-03T00:00:00Z"}`: FutureTime,
		`{"type":"page","timestamp":true}`:                   BadTime,
		fmt.Sprintf(good, `"small":128`):                     WrongType,
		fmt.Sprintf(good, `"small":"1"`):                     WrongType,
		fmt.Sprintf(good, `"big":-1`):                        WrongType,
		fmt.Sprintf(good, `"big":18446744073709551616`):      WrongType,
		fmt.Sprintf(good, `"big":1.0`):                       WrongType,
		fmt.Sprintf(good, `"real":{}`):                       WrongType,
		fmt.Sprintf(good, `"yes":1`):                         WrongType,
		fmt.Sprintf(good, `"day":"soon"`):                    WrongType,
	} {
		if got := d.Decode([]byte(line), Origin{Now: now}); got.Reason != want {
			t.Errorf("%.80q: %q, want %q", line, got.Reason, want)
		}
	}
	for _, b := range d.Blocks() {
		for _, c := range b.Columns {
			if b.Rows() != 0 || len(c.Data) != 0 || len(c.Nulls) != 0 {
				t.Errorf("%s.%s was left with %d bytes and %d rows", b.Dataset, c.Name, len(c.Data), b.Rows())
			}
		}
	}
}

func TestDeviceClockIsCorrected(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		// The device is a day ahead; it sent the call an hour after it happened.
		`{"type":"page","originalTimestamp":"2024-05-03T09:00:00Z","sentAt":"2024-05-03T10:00:00Z","receivedAt":"2024-05-02T10:00:01Z","timestamp":"2024-05-03T09:00:00Z"}`: "2024-05-02T09:00:01.000Z",
		// It says it was sent before it happened: not later than it was received.
		`{"type":"page","originalTimestamp":"2024-05-03T11:00:00Z","sentAt":"2024-05-03T10:00:00Z","receivedAt":"2024-05-02T10:00:01Z"}`: "2024-05-02T10:00:01.000Z",
		// Without the time of sending, what the sender says counts, up to the receipt.
		`{"type":"page","timestamp":"2024-05-03T11:00:00Z","receivedAt":"2024-05-02T10:00:01Z"}`: "2024-05-02T10:00:01.000Z",
		`{"type":"page","originalTimestamp":"2024-05-02T11:00:00Z"}`:                             "2024-05-02T11:00:00.000Z",
		`{"type":"page","timestamp":1714644000000}`:                                              "2024-05-02T10:00:00.000Z",
	} {
		d := decoder(t, config.Segment)
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != Stored {
			t.Errorf("%s: %+v", line, fate)
		} else if got := values(d.Blocks()[1])["at"]; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func TestWebLogLinesAreTakenApart(t *testing.T) {
	t.Parallel()
	combined := `2001:db8::1 - alice [17/May/2015:12:05:03 +0200] "GET /a/b?token=x HTTP/1.1" 200 203023 "http://e.org/\"q\"" "Mozilla \"5\""`
	d := decoder(t, config.WebLog)
	if fate := d.Decode([]byte(combined), Origin{Now: now}); fate.Reason != Stored || fate.Day.String() != "2015-05-17" {
		t.Fatalf("%+v", fate)
	}
	want := map[string]string{"at": "2015-05-17T10:05:03.000Z", "remote_addr": "2001:db8::1", "remote_user": "alice", "method": "GET", "path": "/a/b",
		"query": "token=x", "protocol": "HTTP/1.1", "status": "200", "bytes": "203023", "referrer": `http://e.org/\"q\"`, "user_agent": `Mozilla \"5\"`}
	if got := values(d.Blocks()[0]); !mapsEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for line, path := range map[string]string{
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 304 -`:       "/",
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01" 400 0 "-" "-"`: `\x16\x03\x01`,
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "-" 408 0 "-" "-"`:            "",
	} {
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != Stored {
			t.Errorf("%s: %+v", line, fate)
		} else if got := values(d.Blocks()[0])["path"]; got != path {
			t.Errorf("%s: path %q, want %q", line, got, path)
		}
	}
	for _, line := range []string{
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla`,
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" ok 1`,
		`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-" more`,
		`1.2.3.4 - - 17/May/2015`, ` - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1`, "hello",
	} {
		if fate := d.Decode([]byte(line), Origin{Now: now}); fate.Reason != NotLogLine {
			t.Errorf("%s: %+v", line, fate)
		}
	}
	if fate := d.Decode([]byte(`1.2.3.4 - - [32/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1`), Origin{Now: now}); fate.Reason != BadTime {
		t.Errorf("%+v", fate)
	}
}

func TestIdentityIsTheMessageIDOrThePlace(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	for _, c := range []struct {
		line     string
		position uint64
	}{
		{`{"type":"page","messageId":"m","timestamp":"2024-05-01T00:00:00Z"}`, 0},
		{`{"type":"page","messageId":"m","timestamp":"2024-05-01T00:00:00Z","x":1}`, 70}, // the same, sent again
		{`{"type":"page","timestamp":"2024-05-01T00:00:00Z"}`, 0},
		{`{"type":"page","timestamp":"2024-05-01T00:00:00Z"}`, 0}, // the same line of the same file
		{`{"type":"page","timestamp":"2024-05-01T00:00:00Z"}`, 90},
	} {
		d.Decode([]byte(c.line), Origin{Position: c.position, Now: now})
	}
	ids := d.Blocks()[1].Records
	same := []bool{ids[0] == ids[1], ids[2] == ids[3], ids[3] == ids[4], ids[0] == ids[2]}
	if want := []bool{true, true, false, false}; !slices.Equal(same, want) {
		t.Errorf("equal: %v, want %v", same, want)
	}
}

func TestTrainingNotesNeedARule(t *testing.T) {
	t.Parallel()
	line := []byte(`{"type":"training_item","messageId":"m","at":"2024-05-01T00:00:00Z","key":"k","subjects":["a","b"],"consent":true}`)
	d := decoder(t, config.TrainingNotes)
	if fate := d.Decode(line, Origin{Now: now}); fate.Reason != Stored {
		t.Fatalf("%+v", fate)
	}
	got := values(d.Blocks()[0])
	if got["kind"] != "training_item" || got["subjects"] != `["a","b"]` || got["consent"] != "1" || len(got["item"]) != 32 {
		t.Errorf("%q", got)
	}
	p, err := config.ParsePolicy("policy.yaml", []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	p.Training = nil
	if d, err = New(p, config.TrainingNotes, Resources{}); err != nil {
		t.Fatal(err)
	}
	if fate := d.Decode(line, Origin{Now: now}); fate.Reason != NoPurpose {
		t.Errorf("%+v", fate)
	}
}
