package decode

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A name that is not UTF-8 is found also where a scanner that has met it goes on reading
// behind it.
func TestNamesAreUTF8WhateverCameBefore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"\xff", "name\xff", "\xff" + strings.Repeat("n", 60) + "\xff"} {
		var all fields
		root, slots := newRoot(), 0
		root.add("a", &slots)
		all.slots = make([]span, slots)
		s := scanner{fields: &all}
		for n := windowSize - 200; n < windowSize+50; n++ {
			line := fmt.Appendf(nil, `{"a":"%s",%60s"%s":"x"}`, strings.Repeat("x", n), "", name)
			all.begin(line)
			if got := s.scan(line, root); got != NotUTF8 {
				t.Fatalf("%q behind %d bytes: %q", name, n, got)
			}
		}
	}
}

// FuzzScanAgreesWithEncodingJSON holds the scanner's verdict, and the texts it
// finds, against those of encoding/json.
func FuzzScanAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"type":"page","a":{"b":{"c":"\u00e9\ud83d\ude00\ud800x"}}}`, `{"a":{"b":1}, "a":{"b":{"c":"x"}}}`, ` { "a" : [ 1 , -0.5e+3 , "x\\\"" ] } `,
		`{"a":{"b":{"c":null}}}`, `{"\u0061":{"b":{"c":"k"}}}`, `{"a":1e999}`, `[{}]`, `nul`, `{"a":"` + "\x00" + `"}`, "{\"a\":\"\xff\"}", `{"":{"":""}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var all fields
		root, slots := newRoot(), 0
		slot := root.add("a.b.c", &slots)
		all.slots = make([]span, slots)
		s := scanner{fields: &all}
		all.begin(line)
		reason := s.scan(line, root)
		var want struct {
			A struct{ B struct{ C json.RawMessage } }
		}
		valid := json.Valid(line)
		switch reason {
		case TooDeep, NotUTF8: // stricter than encoding/json
			return
		case NotJSON:
			if valid {
				t.Fatalf("%q is JSON", line)
			}
			return
		}
		if !valid {
			t.Fatalf("%q is not JSON", line)
		}
		if reason == NotObject || json.Unmarshal(line, &want) != nil || strings.ContainsAny(string(line), `ABCK`) || strings.Contains(string(line), `\u`) {
			return // encoding/json takes names in either case, which we do not
		}
		var theirs string
		if v := all.at(slot); v.kind == text && json.Unmarshal(want.A.B.C, &theirs) == nil && string(all.text(v)) != theirs {
			t.Fatalf("%q: found %q, want %q", line, all.text(v), theirs)
		}
	})
}

// FuzzScanReadsAlikeWhateverCameBefore holds what a scanner that has read other lines makes
// of a line against what a new one does.
func FuzzScanReadsAlikeWhateverCameBefore(f *testing.F) {
	lines := []string{
		`{"a":{"b":"x","c":1},"d":"y"}`, `{"a":{"b":"x","c":{"b":2}},"d":"y"}`, `{"a":{"b":{"c":"x"}},"d":null}`, `{"d":"y","a":[{"b":1}]}`,
		`{"a":{},"e":{"f":{"g":"z"}},"d":{"h":"y"}}`, `{"a":"x"`, `{"a":1"b":2}`, `{"a":"x""d":"y"}`, `{"a":{"b":"x"},"d":"y"} `, `{"a":{"b":"x"},"d":"y"}}`,
		`{"a":{"b":"x"},"d":"\"y"}`, `{"\u0061":{"b":"x"},"d":"y"}`, `{"a":{"b":-1.5e3},"d":true}`, `{"a":{"a":{"a":{"a":1}}},"d":{"d":2}}`, `{"a":{"b":"x"},"d":{"b":"y"},"a":{"b":"z"}}`,
		`{"a":1,"d":[2]}`, `{"a": 1,"d": [2]}`, `{"a":	1, "d" :
[2] }`, `{"a":  1,"d":  [2]  }`,
	}
	for _, before := range lines {
		for _, line := range lines {
			f.Add([]byte(before), []byte(line))
		}
	}
	f.Fuzz(func(t *testing.T, before, line []byte) {
		scan := func(lines ...[]byte) (found string) {
			var all fields
			root, slots := newRoot(), 0
			for _, path := range []string{"a", "a.b", "a.b.c", "d", "e.f"} {
				root.add(path, &slots)
			}
			all.slots = make([]span, slots)
			s := scanner{fields: &all}
			for _, l := range lines {
				all.begin(l)
				found = string(s.scan(l, root))
				for slot := range slots {
					v := all.at(slot)
					found += fmt.Sprintf("|%d %s", v.kind, all.text(v))
				}
			}
			return found
		}
		if got, want := scan(before, line, before, line), scan(line); got != want {
			t.Fatalf("%q after %q: %s, want %s", line, before, got, want)
		}
	})
}
