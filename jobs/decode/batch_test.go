package decode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/facesoft/lapse/config"
)

// batchFates decodes a line and describes what became of each of its records.
func batchFates(d *Decoder, line string) (fates []string) {
	d.Records([]byte(line), Origin{Position: 1000, Now: now}, func(record []byte, from Origin, fate Fate) {
		if at := int(from.Position) - 1000; !strings.HasPrefix(line[at:], string(record)) {
			fates = append(fates, fmt.Sprintf("%q is not at %d", record, at))
		}
		fates = append(fates, string(fate.Reason))
	})
	return fates
}

func TestBatchIsReadRecordByRecord(t *testing.T) {
	t.Parallel()
	page := `{"type":"page","messageId":"m","timestamp":"2024-05-01T00:00:00Z"}`
	for line, want := range map[string][]string{
		page:                       {""},
		`{"batch":[` + page + `]}`: {""},
		`  { "batch" : [ ` + page + ` , ` + page + ` ] } `:        {"", ""},
		`{"batch":[],"sentAt":"x"}`:                               nil,
		`{"batch":[1,null,"x",[` + page + `],` + page + `,{}]}`:   {"not_an_object", "not_an_object", "not_an_object", "not_an_object", "", "unknown_call"},
		`{"batch":[{"batch":[` + page + `]}]}`:                    {"unknown_call"},
		`{"batch":{}}`:                                            {"unknown_call"},
		`{"batch":null}`:                                          {"unknown_call"},
		`{"type":"page","timestamp":0,"batch":[` + page + `]}`:    {""}, // it is a call with a field of that name
		`{"batch":[` + page + `]`:                                 {"not_json"},
		`{"batch":[` + page + ` ` + page + `]}`:                   {"not_json"},
		`{"batch":[` + strings.Repeat("1,", maxBatch-1) + `1]}`:   slices.Repeat([]string{"not_an_object"}, maxBatch),
		`{"batch":[` + strings.Repeat("1,", maxBatch) + `1]}`:     {"batch_too_long"},
		`{"batch":[` + strings.Repeat(page+",", 50) + page + `]}`: slices.Repeat([]string{""}, 51),
	} {
		if got := batchFates(decoder(t, config.Segment), line); !slices.Equal(got, want) {
			t.Errorf("%.200s: %q, want %q", line, got, want)
		}
	}
}

func TestRecordsInheritWhatTheirBatchSays(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	agent := `"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"`
	line := `{"batch":[
		{"type":"page","userId":"a","timestamp":"2024-05-03T09:00:00Z"},
		{"type":"page","userId":"b","timestamp":"2024-05-03T09:00:00Z","sentAt":"2024-05-03T09:30:00Z","context":{"userAgent":"curl/8.0"}},
		{"type":"page","timestamp":"2024-05-03T09:00:00Z","properties":{"text":"t"}}
	],"sentAt":"2024-05-03T10:00:00Z","receivedAt":"2024-05-02T10:00:01Z","userId":"nobody","properties":{"text":"no"},"context":{"userAgent":` + agent + `}}`
	var rows []map[string]string
	d.Records([]byte(line), Origin{Now: now}, func(_ []byte, _ Origin, fate Fate) {
		if fate.Reason != Stored {
			t.Fatalf("%+v", fate)
		}
		got := values(d.Blocks()[1])
		maps.DeleteFunc(got, func(k, _ string) bool { return k != "at" && k != "who" && k != "browser" && k != "text" })
		rows = append(rows, got)
	})
	want := []map[string]string{
		{"at": "2024-05-02T09:00:01.000Z", "who": "a", "browser": "Firefox", "text": ""},
		{"at": "2024-05-02T09:30:01.000Z", "who": "b", "browser": "curl", "text": ""},
		{"at": "2024-05-02T09:00:01.000Z", "who": "", "browser": "Firefox", "text": "t"},
	}
	if !slices.EqualFunc(rows, want, maps.Equal) {
		t.Errorf("got  %v\nwant %v", rows, want)
	}
	// The next line has nothing to inherit.
	d.Decode([]byte(`{"type":"page","timestamp":"2024-05-03T09:00:00Z"}`), Origin{Now: now})
	if got := values(d.Blocks()[1]); got["browser"] != "" || got["at"] != "2024-05-03T09:00:00.000Z" {
		t.Errorf("%v", got)
	}
}

func TestCopiesOfARecordInBatchesAreKnown(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	with, without := `{"type":"page","messageId":"m","timestamp":"2024-05-01T00:00:00Z"}`, `{"type":"page","timestamp":"2024-05-01T00:00:00Z"}`
	for _, line := range []string{with, `{"batch":[` + with + `,` + without + `,` + without + `]}`} {
		d.Records([]byte(line), Origin{Now: now}, func([]byte, Origin, Fate) {})
	}
	ids := d.Blocks()[1].Records
	if len(ids) != 4 || ids[0] != ids[1] || ids[2] == ids[3] {
		t.Errorf("%v", ids)
	}
}

func TestUnwantedFieldsAreCountedByName(t *testing.T) {
	t.Parallel()
	d := decoder(t, config.Segment)
	for range 3 {
		d.Decode([]byte(`{"type":"page","timestamp":"2024-05-01T00:00:00Z","integrations":{"All":true},"context":{"screen":{"width":1},"userAgent":"x","a@b.c":1,"jane_doe_1984":2},
			"properties":{"text":1,"other":"secret"},"a":{"b":{"whole":1},"x":1},"\u0061b":1}`), Origin{Now: now})
	}
	want := map[string]uint64{"integrations": 3, "context.screen": 3, "context.(other)": 6, "properties.other": 3, "a.x": 3, "(other)": 3}
	if got := d.Unwanted(); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for i := range 10_000 { // senders of ever new names
		d.Decode(fmt.Appendf(nil, `{"type":"page","timestamp":"2024-05-01T00:00:00Z","n%c%c%c":1,"properties":{"n%c%c%c":1}}`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, 'a'+i%26, 'a'+i/26%26, 'a'+i/676), Origin{Now: now})
	}
	got := d.Unwanted()
	var sum uint64
	for _, n := range got {
		sum += n
	}
	if len(got) > 10*maxNames || sum != 20_000+21 {
		t.Errorf("%d names, %d in all", len(got), sum)
	}
}
