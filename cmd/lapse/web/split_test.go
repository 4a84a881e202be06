package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var receipt = time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.FixedZone("", 7200))

const receivedText = "2024-05-06T05:08:09.123Z"

// splitText splits a body and returns its lines.
func splitText(t *testing.T, kind, body string) ([]string, *refusal) {
	t.Helper()
	var p splitter
	lines, n, fault := p.split(nil, []byte(body), kind, DefaultLimits, receipt)
	if fault != nil {
		return nil, fault
	}
	split := strings.SplitAfter(string(lines), "\n")
	if split[len(split)-1] != "" || len(split)-1 != n {
		t.Fatalf("%d events in %q", n, lines)
	}
	return split[:n], nil
}

func TestLineIsTheEventWithWhatIngestNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, body string
		want             []string // without receivedAt
	}{
		{"as libraries send it", "",
			`{"batch":[{"type":"track","event":"a","timestamp":"T1","messageId":"m1"}],"writeKey":"k","sentAt":"S"}`,
			[]string{`{"sentAt":"S","originalTimestamp":"T1","type":"track","event":"a","timestamp":"T1","messageId":"m1"}`}},
		{"the event's own time of sending counts", "",
			`{"sentAt":"S","batch":[{"sentAt":"own","messageId":"m","timestamp":"T"},{"sentAt":null,"messageId":"n","originalTimestamp":"O"}]}`,
			[]string{`{"sentAt":"own","originalTimestamp":"T","timestamp":"T","messageId":"m"}`, `{"sentAt":"S","messageId":"n","originalTimestamp":"O"}`}},
		{"an event without a time happened when it was received", "",
			`{"batch":[{"messageId":"m"},{"messageId":"n","timestamp":null}]}`,
			[]string{`{"timestamp":"` + receivedText + `","messageId":"m"}`, `{"timestamp":"` + receivedText + `","messageId":"n"}`}},
		{"what the sender says about the receipt does not count", "",
			`{"batch":[{"receivedAt":"R","writeKey":"secret","messageId":"m","timestamp":"T","receivedAt":"R2"}]}`,
			[]string{`{"originalTimestamp":"T","messageId":"m","timestamp":"T"}`}},
		{"names are compared without escapes", "",
			`{"b\u0061tch":[{"m\u0065ssageId":"m","timest\u0061mp":"T","received\u0041t":"R"}]}`,
			[]string{`{"originalTimestamp":"T","messageId":"m","timestamp":"T"}`}},
		{"one event, its kind in the path", "page",
			`{"messageId":"m","timestamp":"T","sentAt":"S"}`,
			[]string{`{"originalTimestamp":"T","type":"page","messageId":"m","timestamp":"T","sentAt":"S"}`}},
		{"the path counts, not what the event says", "page",
			`{"messageId":"m","type":"track","timestamp":"T"}`,
			[]string{`{"originalTimestamp":"T","type":"page","messageId":"m","timestamp":"T"}`}},
		{"line breaks between tokens", "track",
			"\r\n{\n\t\"messageId\" : \"m\\n\",\r\n \"timestamp\" : \"T\" ,\"properties\":{\n}}\n",
			[]string{`{"originalTimestamp":"T","type":"track","messageId":"m\n","timestamp":"T","properties":{}}`}},
		{"the batch's context", "",
			`{"context":{"ip":"1","app":{"a":1}},"batch":[{"messageId":"m","timestamp":"T"},{"messageId":"n","timestamp":"T","context":{"ip":"2"}},{"messageId":"o","timestamp":"T","context":{ }}]}`,
			[]string{
				`{"originalTimestamp":"T","context":{"ip":"1","app":{"a":1}},"messageId":"m","timestamp":"T"}`,
				`{"originalTimestamp":"T","context":{"ip":"2","app":{"a":1}},"messageId":"n","timestamp":"T"}`,
				`{"originalTimestamp":"T","context":{"ip":"1","app":{"a":1}},"messageId":"o","timestamp":"T"}`,
			}},
		{"of a repeated name the last counts", "",
			`{"batch":[1],"batch":[{"messageId":null,"messageId":"m","timestamp":"T","timestamp":"U"}]}`,
			[]string{`{"originalTimestamp":"U","messageId":"m","timestamp":"U"}`}},
		{"nothing", "", `{"batch":[]}`, nil},
	} {
		lines, fault := splitText(t, c.kind, c.body)
		if c.name == "of a repeated name the last counts" { // the first has to be in order, too
			if fault == nil || fault.index != 0 {
				t.Errorf("%s: %+v", c.name, fault)
			}
			lines, fault = splitText(t, c.kind, strings.Replace(c.body, "[1]", "[{}]", 1))
		}
		if fault != nil || len(lines) != len(c.want) {
			t.Errorf("%s: %q, %+v", c.name, lines, fault)
			continue
		}
		for i, line := range lines {
			if err := sameObject(line, c.want[i], map[string]any{"receivedAt": receivedText}); err != nil {
				t.Errorf("%s: line %d: %v\n got %s\nwant %s", c.name, i, err, line, c.want[i])
			}
		}
	}
}

// sameObject compares objects, one with members added.
func sameObject(got, want string, added map[string]any) error {
	var g, w map[string]any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return err
	}
	for name, value := range added {
		w[name] = value
	}
	if !reflect.DeepEqual(g, w) {
		return fmt.Errorf("they differ")
	}
	return nil
}

func TestMessageIDIsMadeUpWhereThereIsNone(t *testing.T) {
	t.Parallel()
	lines, fault := splitText(t, "", `{"batch":[{},{"messageId":""},{"messageId":null,"event":"e"},{"messageId":"mine"}]}`)
	if fault != nil {
		t.Fatal(fault)
	}
	id := regexp.MustCompile(`"messageId":"[0-9a-f]{32}"`)
	seen := map[string]bool{}
	for _, line := range lines[:3] {
		made := id.FindString(line)
		if made == "" || seen[made] || strings.Count(line, "messageId") != 1 {
			t.Errorf("%s", line)
		}
		seen[made] = true
	}
	if !strings.Contains(lines[3], `"messageId":"mine"`) {
		t.Errorf("%s", lines[3])
	}
}

func TestRefusalNamesTheEventAtFault(t *testing.T) {
	t.Parallel()
	large := `{"messageId":"m","properties":{"a":"` + strings.Repeat("x", 32<<10) + `"}}`
	for _, c := range []struct {
		name, kind, body string
		status, index    int
	}{
		{"too large", "", `{"batch":[{},{},` + large + `]}`, 400, 2},
		{"too large alone", "track", large, 400, 0},
		{"not an object", "", `{"batch":[{},7]}`, 400, 1},
		{"malformed event", "", `{"batch":[{},{"a":01}]}`, 400, 1},
		{"malformed event alone", "track", `{"a":}`, 400, 0},
		{"too deep", "", `{"batch":[{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}]}`, 400, 0},
		{"too deep beside the events", "", `{"x":` + strings.Repeat("[", 10_000) + `}`, 400, -1},
		{"too many", "", `{"batch":[{}` + strings.Repeat(",{}", 2500) + `]}`, 400, -1},
		{"cut off", "", `{"batch":[{}]`, 400, -1},
		{"something behind", "", `{"batch":[]}x`, 400, -1},
		{"something behind an event", "track", `{}{}`, 400, -1},
		{"not a batch", "", `[{}]`, 400, -1},
		{"no list", "", `{"batch":{}}`, 400, -1},
		{"no time of sending", "", `{"sentAt":{},"batch":[]}`, 400, -1},
		{"empty", "", ``, 400, -1},
		{"not UTF-8", "track", "{\"a\":\"\xff\"}", 400, -1},
		{"large with the context", "", `{"context":{"a":"` + strings.Repeat("x", 40<<10) + `"},"batch":[{}]}`, 400, 0},
		{"too large with the context", "", `{"context":{"a":"` + strings.Repeat("x", 30<<10) + `"},"batch":[{}` + strings.Repeat(",{}", 99) + `]}`, 413, -1},
	} {
		_, fault := splitText(t, c.kind, c.body)
		if fault == nil || fault.status != c.status || fault.index != c.index {
			t.Errorf("%s: %+v", c.name, fault)
		}
	}
	if _, fault := splitText(t, "", `{"batch":[{"a":`+strings.Repeat("[", 63)+strings.Repeat("]", 63)+`}]}`); fault != nil {
		t.Errorf("an event as deep as it may be: %+v", fault)
	}
}

func TestBatchWithoutListIsRefused(t *testing.T) {
	t.Parallel()
	if _, fault := splitText(t, "", `{"events":[]}`); fault == nil || fault.status != 400 {
		t.Errorf("%+v", fault)
	}
}

// FuzzSplit compares with encoding/json: the same bodies are taken, each event
// becomes one line of JSON that says the same, and nothing else does.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`{"batch":[{"type":"track","messageId":"m","timestamp":"t","context":{"a":1}}],"sentAt":"s","context":{"b":null}}`,
		`{"batch":[{},{"a":"\ud83d\ude00\u0000","b":-1.5e+3,"c":[true,false,null]}]}`,
		`{"batch":[{"receivedAt":1,"\u006dessageId":2}]}`, "{\"batch\" :\r\n[ {\n} ] }", `{"batch":[{"a":"\x"}]}`, `{"batch":[{"a":1.}]}`, `[`, `{"batch":[{"context":{"b":2}}],"context":{"b":1,"\u0063":3}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, single bool) {
		kind := ""
		if single {
			kind = "track"
		}
		var p splitter
		lines, n, fault := p.split(nil, bytes.Clone(body), kind, DefaultLimits, receipt)
		valid := json.Valid(body) && utf8.Valid(body)
		if fault != nil {
			if valid && fault.index < 0 && strings.Contains(fault.text, "malformed") && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
				t.Fatalf("%q is refused: %s", body, fault.text)
			}
			return
		}
		if !valid {
			t.Fatalf("%q is taken", body)
		}
		if bytes.Count(lines, []byte("\n")) != n || len(lines) > 0 && lines[len(lines)-1] != '\n' {
			t.Fatalf("%d events became %q", n, lines)
		}
		var sent struct{ Batch []map[string]any }
		if single {
			sent.Batch = make([]map[string]any, 1)
			_ = json.Unmarshal(body, &sent.Batch[0])
		} else {
			sent.Batch = exactBatch(t, body)
		}
		if len(sent.Batch) != n {
			t.Fatalf("%d events of %q became %d", len(sent.Batch), body, n)
		}
		i := 0
		for line := range bytes.Lines(lines) {
			var got map[string]any
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			for name, value := range sent.Batch[i] {
				if fieldOf([]byte(name)) == otherField && !reflect.DeepEqual(got[name], value) {
					t.Fatalf("%q of %q is not in %q", name, body, line)
				}
			}
			for name := range got {
				if _, there := sent.Batch[i][name]; !there && fieldOf([]byte(name)) == otherField {
					t.Fatalf("%q has %q, which was not sent", line, name)
				}
			}
			if got["receivedAt"] != receivedText || got["messageId"] == nil {
				t.Fatalf("%q lacks what ingest needs", line)
			}
			i++
		}
	})
}

// exactBatch reads the events of a body, which is JSON; encoding/json would take
// names in any case for "batch".
func exactBatch(t *testing.T, body []byte) (events []map[string]any) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("%q is taken: %v", body, err)
	}
	if err := json.Unmarshal(members["batch"], &events); err != nil {
		t.Fatalf("%q is taken: %v", body, err)
	}
	return events
}

func BenchmarkSplit(b *testing.B) {
	body := []byte(sampleBatch(50))
	var p splitter
	var lines []byte
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var fault *refusal
		if lines, _, fault = p.split(lines[:0], body, "", DefaultLimits, receipt); fault != nil {
			b.Fatal(fault)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/event")
}

// sampleBatch is a body as libraries send it, with events of about a kilobyte.
func sampleBatch(events int) string {
	var b strings.Builder
	b.WriteString(`{"batch":[`)
	for i := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		_, _ = fmt.Fprintf(&b, `{"type":"track","event":"Report Opened","userId":"user-%d","anonymousId":"0f8fad5b-d9cb-469f-a165-70867728950e","messageId":"node-next-1714979289123-%d","timestamp":"2024-05-06T07:08:09.123Z","properties":{"report":"monthly","pages":%d,"duration":12.75,"tags":["a","b","c"],"filter":{"from":"2024-01-01","to":"2024-03-31","currency":"EUR"},"comment":%q},"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"},"ip":"198.51.100.%d","locale":"en-GB","timezone":"Europe/London","page":{"path":"/reports/monthly","referrer":"https://example.org/","search":"?q=1","title":"Monthly report","url":"https://example.org/reports/monthly?q=1"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36","consent":{"categoryPreferences":{"analytics":true,"marketing":false}}},"integrations":{},"_metadata":{"nodeVersion":"20.20.2","jsRuntime":"node"}}`, i, i, i, strings.Repeat("lorem ", 20), i%250)
	}
	b.WriteString(`],"writeKey":"0123456789abcdef","sentAt":"2024-05-06T07:08:10.000Z"}`)
	return b.String()
}
