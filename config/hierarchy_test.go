package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withHierarchy parses the seed policy with a hierarchy on a column, from a folder
// that holds the given file.
func withHierarchy(t *testing.T, hierarchy, name, content string) (*Policy, error) {
	t.Helper()
	folder := t.TempDir()
	if name != "" {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const before = "{name: device_type, from: device_type, levels: [keep, any]}"
	text := strings.Replace(string(Facesoft), before, "{name: device_type, from: device_type, hierarchy: "+hierarchy+"}", 1)
	return ParsePolicy(filepath.Join(folder, "policy.yaml"), []byte(text))
}

func deviceType(t *testing.T, p *Policy) PublishedColumn {
	t.Helper()
	d, _ := p.Dataset("events")
	for _, c := range d.Publish.Columns {
		if c.Name == "device_type" {
			return c
		}
	}
	t.Fatal("no such column")
	return PublishedColumn{}
}

func TestHierarchyGivesTheColumnItsLevels(t *testing.T) {
	t.Parallel()
	want := [][]string{{"phone", "hand", "*"}, {"tab;let", "hand", "*"}, {"", "none", "*"}, {"7", "none", "*"}}
	for name, c := range map[string]struct{ hierarchy, file, content string }{
		"a list of rows": {`[[phone, hand, "*"], [tab;let, hand, "*"], ["", none, "*"], [7, none, "*"]]`, "", ""},
		"a file":         {"devices.csv", "devices.csv", "\ufeffphone;hand;*\r\n\"tab;let\";hand;*\r\n;none;*\r\n7;none;*\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := withHierarchy(t, c.hierarchy, c.file, c.content)
			if err != nil {
				t.Fatal(err)
			}
			got := deviceType(t, p)
			if !slices.EqualFunc(got.Hierarchy.Rows, want, slices.Equal) {
				t.Errorf("rows %q", got.Hierarchy.Rows)
			}
			if len(got.Levels) != 3 || got.Levels[2].Level != 2 || got.Levels[2].Hierarchy != got.Hierarchy || !got.InClass() {
				t.Errorf("levels %v", got.Levels)
			}
		})
	}
}

func TestFaultyHierarchiesNamePlaceAndCure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hierarchy, content, want string }{
		"no file":                    {"other.csv", "", "policy.yaml:"},
		"what to do about no file":   {"other.csv", "", "its path is relative to the policy's folder"},
		"an empty file":              {"h.csv", "", "h.csv: datasets[events].publish.columns[device_type].hierarchy: the hierarchy is empty"},
		"a comma between the fields": {"h.csv", "phone,*\n", `h.csv:1:1: datasets[events].publish.columns[device_type].hierarchy: "phone,*" has no generalisation`},
		"a row that is short":        {"h.csv", "phone;hand;*\ntablet;hand\n", `h.csv:2:1: datasets[events].publish.columns[device_type].hierarchy: "tablet" has 2 levels and "phone" has 3`},
		"a value twice":              {"h.csv", "phone;*\n\ntablet;*\nphone;*\n", `h.csv:4:1: datasets[events].publish.columns[device_type].hierarchy: "phone" is there twice, first in line 1`},
		"levels that cross":          {"h.csv", "phone;hand;small;*\ntablet;hand;large;*\n", `h.csv:2:1: datasets[events].publish.columns[device_type].hierarchy: "hand" becomes "large" at level 2, but in line 1 it becomes "small"`},
		"a quotation mark":           {"h.csv", "phone;*\ntab\"let;*\n", `h.csv:2:4: datasets[events].publish.columns[device_type].hierarchy: bare " in non-quoted-field`},
		"another encoding":           {"h.csv", "t\xe9l\xe9phone;*\n", "is not in UTF-8"},
		"a file that is too large":   {"h.csv", strings.Repeat("phone;*\n", 200_000), "at most 1048576 are read"},
		"too many values":            {"h.csv", manyRows(20_001), "h.csv:20001:1: datasets[events].publish.columns[device_type].hierarchy: the hierarchy has 20001 rows"},
		"no rows":                    {"[]", "", "the hierarchy is empty"},
		"no row":                     {"[phone]", "", "want a row here"},
		"a mapping":                  {"{file: h.csv}", "", "want the path of a CSV file, or a list of rows"},
		"a value twice in the list":  {`[[a, "*"], [a, "*"]]`, "", `hierarchy[1]: "a" is there twice, first in row 1`},
		"levels beside it":           {`[[a, "*"]], levels: [keep, any]`, "", "leave out levels or hierarchy"},
		"sensitive beside it":        {`[[a, "*"]], sensitive: {distinct_l: 2}`, "", "give either levels or a hierarchy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := withHierarchy(t, c.hierarchy, "h.csv", c.content)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:  %v\nwant: %s", err, c.want)
			}
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Errorf("no fault: %v", err)
			}
		})
	}
}

func manyRows(n int) string {
	var s strings.Builder
	for i := range n {
		s.WriteString(strings.Repeat("a", i%7) + string(rune('a'+i%26)) + string(rune(0x4e00+i)) + ";*\n")
	}
	return s.String()
}

func TestHashCoversTheFilesThatThePolicyNames(t *testing.T) {
	t.Parallel()
	parse := func(content string) [32]byte {
		p, err := withHierarchy(t, "h.csv", "h.csv", content)
		if err != nil {
			t.Fatal(err)
		}
		return p.Hash
	}
	one := parse("desktop;*\n")
	if parse("desktop;*\n") != one {
		t.Error("the same files have two hashes")
	}
	if parse("desktop;any\n") == one {
		t.Error("another file has the same hash")
	}
}

func TestSensitiveColumnsAndWeights(t *testing.T) {
	t.Parallel()
	const published = "{name: country, from: country, levels: [keep, any]}"
	for instead, want := range map[string]string{
		"{name: country, from: country, sensitive: {distinct_l: 3, entropy_l: 2.5, recursive: {c: 4, l: 3}, t: 0.2}}": "",
		"{name: country, from: country, levels: [keep, any], weight: 0.9}":                                            "",
		"{name: country, from: country, sensitive: {}}":                                                               "say what must hold of the values",
		"{name: country, from: country, sensitive: {distinct_l: 1}}":                                                  "fewer than 2 different values",
		"{name: country, from: country, sensitive: {entropy_l: 1}}":                                                   "l must be greater than 1",
		"{name: country, from: country, sensitive: {recursive: {c: 0, l: 3}}}":                                        "c greater than 0",
		"{name: country, from: country, sensitive: {t: 2}}":                                                           "t is a distance from 0 to 1",
		"{name: country, from: ip, sensitive: {t: 0.2}}":                                                              `"ip" identifies directly`,
		"{name: country, from: occurred_at, sensitive: {t: 0.2}}":                                                     "has values that occur more than once",
		"{name: country, from: country, levels: [keep], weight: 2}":                                                   "a weight is a number from 0 to 1",
		"{name: country, from: country, sensitive: {l: 2}}":                                                           `unknown key "l"`,
	} {
		text := strings.Replace(string(Facesoft), published, instead, 1)
		text = strings.Replace(text, "country: 1", "call: 0", 1)
		_, err := ParsePolicy("policy.yaml", []byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", instead, err, want)
		}
	}
}

func TestSuppressionLimitIsAShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Share{"0.04": 0.04, "4%": 0.04, "0": 0, "100 %": 1} {
		p, err := edit(t, "k: 10\n", "k: 10\n      suppression_limit: "+text+"\n")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		d, _ := p.Dataset("events")
		if l := d.Publish.SuppressionLimit; l == nil || *l != want {
			t.Errorf("%s: %v", text, l)
		}
	}
	if _, err := edit(t, "k: 10\n", "k: 10\n      suppression_limit: 4\n"); err == nil || !strings.Contains(err.Error(), `"4" is not a share; write a number from 0 to 1`) {
		t.Error(err)
	}
}
