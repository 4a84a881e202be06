package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// fullEntry has every member that can stand together.
func fullEntry() *sinks.Entry {
	e := outcome(sinks.ID{5})
	e.Format, e.ID, e.Time = sinks.EntryFormat, sinks.ID{6}, start.Add(120*time.Millisecond)
	e.Bucket, e.Item, e.Source = sinks.MustName("uploads"), sinks.ID{7}, sinks.ID{8}
	e.Error, e.Result, e.Locked = sinks.ErrorConflict, sinks.ResultFailed, start
	return e
}

func mustEncode(t testing.TB, e *sinks.Entry) []byte {
	t.Helper()
	b, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEntryHasOneEncoding(t *testing.T) {
	t.Parallel()
	rotation := ownEntry(sinks.ActionRotateKey, provenance{actor: sinks.ActorOperator, run: sinks.ID{1}}, start)
	rotation.NewKey = sinks.PublicKey{1}
	rotation.Time = start
	opened := opening(sinks.LogHead{Root: sinks.Digest{3}, Size: 12, Year: 2025})
	opened.Time = start
	purged := fullEntry()
	purged.Action, purged.Object = sinks.ActionPurgeItem, sinks.Digest{5}
	for _, e := range []*sinks.Entry{fullEntry(), rotation, opened, purged} {
		b := mustEncode(t, e)
		decoded, err := Decode(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if !reflect.DeepEqual(decoded, e) {
			t.Errorf("decoded %+v, want %+v", decoded, e)
		}
		if again := mustEncode(t, decoded); !bytes.Equal(again, b) {
			t.Errorf("encodes to\n%s, want\n%s", again, b)
		}
		// RFC 8785 of a generic decoder: sorted names, no white space.
		var generic map[string]any
		if err := json.Unmarshal(b, &generic); err != nil {
			t.Fatal(err)
		}
		if sorted, err := json.Marshal(generic); err != nil || !bytes.Equal(sorted, b) {
			t.Errorf("not in canonical order:\n%s, want\n%s", b, sorted)
		}
	}
}

func TestTimesAreKeptInMillisecondsOfUTC(t *testing.T) {
	t.Parallel()
	e := fullEntry()
	e.AsOf = time.Date(2026, 7, 1, 1, 0, 0, 987_654_321, time.FixedZone("BST", 3600))
	d, err := Decode(mustEncode(t, e))
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 7, 1, 0, 0, 0, 987_000_000, time.UTC); d.AsOf != want {
		t.Errorf("%v, want %v", d.AsOf, want)
	}
}

// TestNoOtherBytesAreAccepted mutates an entry in every way that leaves it an
// entry to a lenient decoder, and at random.
func TestNoOtherBytesAreAccepted(t *testing.T) {
	t.Parallel()
	good := string(mustEncode(t, fullEntry()))
	for _, c := range []struct{ old, new string }{
		{`{"action"`, ` {"action"`},
		{`"actor":"scheduler"`, `"actor": "scheduler"`},
		{`"actor":"scheduler"`, `"actor":"sche\u0064uler"`},
		{`"actor":"scheduler"`, `"Actor":"scheduler"`},
		{`"actor":"scheduler",`, ``},
		{`"actor":"scheduler",`, `"actor":"scheduler","actor":"scheduler",`},
		{`"actor":"scheduler"`, `"actor":"someone"`},
		{`"actor":"scheduler"`, `"actor":""`},
		{`"actor":"scheduler"`, `"actor":null`},
		{`"action":"anonymise","actor":"scheduler"`, `"actor":"scheduler","action":"anonymise"`},
		{`"clause":"c12"`, `"clause":"C12"`},
		{`"clause":"c12"`, `"clause":"-c12"`},
		{`"clause":"c12"`, `"clause":"` + strings.Repeat("c", 64) + `"`},
		{`"rows_before":1234`, `"rows_before":01234`},
		{`"rows_before":1234`, `"rows_before":1234.0`},
		{`"rows_before":1234`, `"rows_before":1.234e3`},
		{`"rows_before":1234`, `"rows_before":-1234`},
		{`"rows_before":1234`, `"rows_before":9007199254740992`},
		{`"rows_before":1234`, `"rows_before":99999999999999999999999`},
		{`"rows_before":1234`, `"jane":1234`},
		{`"published":1200,"rows_after":0`, `"rows_after":0,"published":1200`},
		{`"item":"07`, `"item":"0G`},
		{`"rule":"event_time"`, `"rule":"event_tim"`},
		{`"item":"07` + strings.Repeat("0", 30), `"item":"` + strings.Repeat("0", 32)},
		{`"batch":0`, `"batch":4294967296`},
		{`"day":"2025-01-25"`, `"day":"2025-02-29"`},
		{`"day":"2025-01-25"`, `"day":"2025-1-25"`},
		{`.12Z"}`, `.120Z"}`},
		{`.12Z"}`, `.1234Z"}`},
		{`.12Z"}`, `.12+00:00"}`},
		{`.12Z"}`, `.12z"}`},
		{`12:00:00.12Z"}`, `24:00:00.12Z"}`},
		{`12:00:00.12Z"}`, `12:00:60.12Z"}`},
		{`.12Z"}`, `.12Z"}}`},
		{`.12Z"}`, `.12Z","zone":1}`},
		{`.12Z"}`, `.12Z",}`},
		{`"phase":"outcome"`, `"phase":"intent"`},
		{`"partition"`, `"object":"` + strings.Repeat("05", 32) + `","partition"`}, // of what is no purge
		{`"result":"failed",`, ``},
		{`"error":"conflict",`, ``}, // what is locked was refused
		{`"action":"anonymise"`, `"action":"rotate_key"`},
		{`"format":1`, `"format":2`},
		{`"id":"06`, `"id":"00`},
	} {
		if strings.Count(good, c.old) != 1 {
			t.Fatalf("%s is not in the entry once: %s", c.old, good)
		}
		if _, err := Decode([]byte(strings.Replace(good, c.old, c.new, 1))); err == nil {
			t.Errorf("%s for %s was accepted", c.new, c.old)
		}
	}
	for end := range good {
		if _, err := Decode([]byte(good[:end])); err == nil {
			t.Errorf("the first %d bytes were accepted", end)
		}
	}
}

func FuzzWhatIsDecodedEncodesToTheSameBytes(f *testing.F) {
	f.Add(mustEncode(f, fullEntry()))
	f.Add(mustEncode(f, &sinks.Entry{
		Action: sinks.ActionRun, Actor: sinks.ActorDemo, Format: 1, ID: sinks.ID{1}, Job: sinks.JobPurge,
		Phase: sinks.Intent, Policy: testPolicy, Run: sinks.ID{1}, Step: sinks.ID{1},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil {
			return
		}
		if again := mustEncode(t, e); !bytes.Equal(again, b) {
			t.Errorf("%s\nencodes to\n%s", b, again)
		}
	})
}

// TestTheOneTimeFormatIsTheStandardLibrarys compares the parser with time.Parse
// over all days of many years, and at random instants.
func TestTheOneTimeFormatIsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2500; day = day.AddDate(0, 0, 1) {
		got, ok := parseDate([]byte(day.Format(time.DateOnly)))
		if !ok || got*86400 != day.Unix() {
			t.Fatalf("%v: %d days, %v", day, got, ok)
		}
	}
	for ms := int64(0); ms < 5_000_000; ms += 997 {
		at := time.UnixMilli(ms * 100_003).UTC()
		got, ok := parseTime([]byte(at.Format(time.RFC3339Nano)))
		if !ok || got != at.UnixMilli() {
			t.Fatalf("%v: %d, %v", at, got, ok)
		}
	}
}

func TestOversizedEntriesAreRefused(t *testing.T) {
	t.Parallel()
	e := fullEntry()
	for len(e.Stages) < 2000 {
		e.Stages = append(e.Stages, e.Stages[0])
	}
	if _, err := Encode(e); err == nil || !strings.Contains(err.Error(), "65535") {
		t.Errorf("%v, want a refusal that names the limit", err)
	}
}

// TestErrorsQuoteNothing plants a canary wherever an entry takes a text, and
// expects refusals that do not repeat it.
func TestErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	const canary = "jane.doe@example.com"
	good := string(mustEncode(t, fullEntry()))
	for i, member := range entryForm.members {
		for _, value := range []string{strconv.Quote(canary), `{"` + canary + `":1}`, `["` + canary + `"]`} {
			at := strings.Index(good, member.key)
			if at < 0 {
				at = 1
			}
			_, err := Decode([]byte(good[:at] + member.key + value + "," + good[at:]))
			if err == nil || strings.Contains(err.Error(), "jane") {
				t.Errorf("member %d: %v", i, err)
			}
		}
	}
	e := fullEntry()
	e.Action = canary
	if _, err := Encode(e); err == nil || strings.Contains(err.Error(), "jane") {
		t.Errorf("%v", err)
	}
	e = fullEntry()
	e.Counts[canary] = 1
	if _, err := Encode(e); err == nil || strings.Contains(err.Error(), "jane") {
		t.Errorf("%v", err)
	}
}

// TestVocabulariesAreTheConstantsOfSinks reads the source of the types, so that a
// new constant cannot be forgotten here.
func TestVocabulariesAreTheConstantsOfSinks(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range decl.Specs {
			if name, ok := stringType(s); ok {
				want[name] = append(want[name], []string{}...)
			}
			if name, value, err := stringConstant(s); err == nil {
				want[name] = append(want[name], value)
			}
		}
	}
	got := map[string][]string{}
	for typ, vocabulary := range vocabularies {
		got[typ.Name()] = vocabulary
	}
	for name := range want {
		slices.Sort(want[name])
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("vocabularies:\n%v, constants:\n%v", got, want)
	}
}

// stringType returns the name of a declared string type.
func stringType(s ast.Spec) (string, bool) {
	spec, ok := s.(*ast.TypeSpec)
	if !ok {
		return "", false
	}
	of, ok := spec.Type.(*ast.Ident)
	return spec.Name.Name, ok && of.Name == "string"
}

// stringConstant returns the type and value of a typed string constant.
func stringConstant(s ast.Spec) (name, value string, err error) {
	spec, ok := s.(*ast.ValueSpec)
	if !ok || spec.Type == nil || len(spec.Values) != 1 {
		return "", "", errors.New("not a typed constant")
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", "", errors.New("not a string")
	}
	value, err = strconv.Unquote(literal.Value)
	return spec.Type.(*ast.Ident).Name, value, err
}

func TestEveryMemberOfAnEntryHasASpan(t *testing.T) {
	t.Parallel()
	if n := len(entryForm.members); n > maxMembers {
		t.Fatalf("%d members, room for %d", n, maxMembers)
	}
}

func TestFieldForFreeTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, entry := range []any{
		struct {
			Note string `json:"note"`
		}{},
		struct {
			B int `json:"b"`
			A int `json:"a"`
		}{},
		struct {
			X any `json:"x"`
		}{},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T has a form", entry)
				}
			}()
			objectOf(reflect.TypeOf(entry))
		}()
	}
}
