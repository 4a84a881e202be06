package traffic_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image/jpeg"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/jobs/traffic"
)

// manifestLine is any line of a manifest.
type manifestLine struct {
	Type, MessageID, Key, Organisation, Subject, SHA256, Purpose, Decision, Bucket string
	At                                                                             time.Time
	Subjects, Purposes, Derivatives                                                []string
	Bytes                                                                          int
	Consent                                                                        *bool
}

func manifest(t *testing.T) []manifestLine {
	t.Helper()
	out, truth := generated()
	var all []manifestLine
	for _, f := range truth.Manifests {
		types := map[string]int{}
		for _, line := range out.lines(t, f.Name) {
			var l manifestLine
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			types[l.Type]++
			if l.At.Format("training/2006-01.ndjson") != f.Name || len(all) > 0 && l.At.Before(all[len(all)-1].At) {
				t.Fatalf("%s: %s is out of order", f.Name, l.At)
			}
			all = append(all, l)
		}
		if !maps.Equal(types, f.Types) {
			t.Errorf("%s: counted %v, truth %v", f.Name, types, f.Types)
		}
	}
	return all
}

func TestManifestsDescribeTheObjects(t *testing.T) {
	t.Parallel()
	out, truth := generated()
	objects := 0
	for name := range out {
		if strings.HasPrefix(name, "bucket/") {
			objects++
		}
	}
	items := 0
	for _, l := range manifest(t) {
		if l.Type != "training_item" {
			continue
		}
		items++
		object := out["bucket/"+l.Key].Bytes()
		if sum := sha256.Sum256(object); hex.EncodeToString(sum[:]) != l.SHA256 || len(object) != l.Bytes {
			t.Errorf("%s is not the object of the manifest", l.Key)
		}
		if _, err := jpeg.Decode(bytes.NewReader(object)); err != nil {
			t.Errorf("%s: %v", l.Key, err)
		}
		if len(object) < 800 || len(object) > 4096 {
			t.Errorf("%s has %d bytes", l.Key, len(object))
		}
		for _, key := range l.Derivatives {
			if out["bucket/"+key].Len() == 0 {
				t.Errorf("%s is missing", key)
			}
		}
		objects -= 1 + len(l.Derivatives)
	}
	if objects != 0 || items != small().Images || items != len(truth.Training.Items) {
		t.Errorf("%d objects besides %d items", objects, items)
	}
}

// replay works out what is due from the manifest alone, line by line.
func replay(lines []manifestLine, at time.Time, grace time.Duration) map[string][]traffic.Rule {
	completed, consented, withdrawn := map[string]bool{}, map[string]bool{}, map[string]bool{}
	items := map[string]manifestLine{}
	for _, l := range lines {
		if l.At.After(at) {
			break
		}
		switch l.Type {
		case "training_item":
			items[l.Key] = l
			consented[l.Key] = l.Consent != nil && *l.Consent
		case "training_purpose_completed":
			completed[l.Purpose] = true
		case "training_consent":
			for key, item := range items {
				if key == l.Key || item.Organisation == l.Organisation || slices.Contains(item.Subjects, l.Subject) {
					withdrawn[key] = l.Decision == "withdrawn"
					consented[key] = consented[key] || l.Decision == "granted"
				}
			}
		}
	}
	due := map[string][]traffic.Rule{}
	for key, item := range items {
		if !slices.ContainsFunc(item.Purposes, func(p string) bool { return !completed[p] }) {
			due[key] = append(due[key], traffic.PurposeCompleted)
		}
		if withdrawn[key] {
			due[key] = append(due[key], traffic.ConsentWithdrawn)
		}
		if !consented[key] && at.Sub(item.At) >= grace {
			due[key] = append(due[key], traffic.ConsentAbsent)
		}
	}
	return due
}

func TestDueItemsAreThoseThatTheManifestsMakeDue(t *testing.T) {
	t.Parallel()
	_, truth := generated()
	lines := manifest(t)
	const grace = time.Hour
	rules := map[traffic.Rule]int{}
	for at := small().Start; at.Before(small().Start.AddDate(0, small().Months, 2)); at = at.Add(31 * time.Hour) {
		want := replay(lines, at, grace)
		objects, byRule := 0, map[traffic.Rule]int{}
		due := truth.Training.DueAt(at, grace)
		for _, d := range due {
			if !slices.Equal(d.Rules, want[d.Item.Key]) {
				t.Errorf("%s, %s: due by %v, replayed %v", at, d.Item.Key, d.Rules, want[d.Item.Key])
			}
			objects += 1 + len(d.Item.Derivatives)
			for _, r := range d.Rules {
				byRule[r]++
				rules[r]++
			}
		}
		items, counted, counts := truth.Training.CountDue(at, grace)
		if len(due) != len(want) || items != len(want) || counted != objects || !maps.Equal(counts, byRule) {
			t.Errorf("%s: %d due, %d counted, %d replayed", at, len(due), items, len(want))
		}
	}
	if len(rules) != 3 {
		t.Errorf("only %v are used", rules)
	}
}

func TestConsentIsDecidedInEveryWay(t *testing.T) {
	t.Parallel()
	out, truth := generate(t, func() traffic.Config {
		c := traffic.Default()
		c.Events, c.AccessLines = 1_000, 0
		return c
	}())
	var absent, byKey, bySubject, byOrganisation, granted, regranted int
	for _, i := range truth.Training.Items {
		if !i.Consent {
			absent++
		}
	}
	withdrawn := map[string]bool{}
	for _, d := range truth.Training.Decisions {
		switch {
		case d.Granted && withdrawn[d.Key]:
			regranted++
		case d.Granted:
			granted++
		case d.Key != "":
			byKey++
			withdrawn[d.Key] = true
		case d.Subject != "":
			bySubject++
		default:
			byOrganisation++
		}
	}
	if absent < 30 || absent > 70 || byKey < 20 || bySubject == 0 || byOrganisation != 2 || granted == 0 || regranted == 0 {
		t.Errorf("%d without consent; withdrawn for %d keys, %d subjects, %d organisations; granted for %d, again for %d",
			absent, byKey, bySubject, byOrganisation, granted, regranted)
	}
	if done := len(truth.Training.Completions); done < 4 || len(out) < 1_000 {
		t.Errorf("%d purposes completed, %d files", done, len(out))
	}
}
