package clickhouse_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
	"github.com/facesoft/lapse/sinks/sinktest"
)

// TestEachRuleTakesWhatItSaysAndNothingElse registers items and what has been decided
// about them; each case lists the items that are due, by which rule, since which hour.
func TestEachRuleTakesWhatItSaysAndNothingElse(t *testing.T) {
	t.Parallel()
	at := func(hour int) string { return newYear.Add(time.Duration(hour) * time.Hour).Format(time.RFC3339) }
	item := func(key, more string) string {
		return fmt.Sprintf(`{"type":"training_item","at":%q,"bucket":"b","key":%q,"bytes":1,"purposes":["p"],"consent":true%s}`, at(0), key, more)
	}
	note := func(hour int, kind, more string) string {
		return fmt.Sprintf(`{"type":"training_%s","at":%q,%s}`, kind, at(hour), more)
	}
	for name, c := range map[string]struct {
		notes []string
		due   map[string]string // by key
	}{
		"nothing": {[]string{item("a", "")}, nil},
		"a person in three images of two organisations": {[]string{
			item("a", `,"organisation":"o1","subjects":["u"]`), item("b", `,"organisation":"o1","subjects":["u","v"]`), item("c", `,"organisation":"o2","subjects":["w","u"]`),
			item("d", `,"organisation":"o1","subjects":["v"]`), item("u", `,"organisation":"o2"`),
			note(5, "consent", `"decision":"withdrawn","subject":"u"`),
		}, map[string]string{"a": "consent_withdrawn 5", "b": "consent_withdrawn 5", "c": "consent_withdrawn 5"}},
		"a consent's reference": {[]string{
			item("a", `,"consent_reference":"r1"`), item("b", `,"consent_reference":"r2"`), item("c", ""),
			note(5, "consent", `"decision":"withdrawn","consent_reference":"r1"`),
		}, map[string]string{"a": "consent_withdrawn 5"}},
		"an object of the same key in another bucket": {[]string{
			item("a", ""), note(5, "consent", `"decision":"withdrawn","bucket":"elsewhere","key":"a"`),
		}, nil},
		"an organisation's consent for one object only": {[]string{
			item("a", `,"organisation":"o"`), item("b", `,"organisation":"o"`), note(5, "consent", `"decision":"withdrawn","organisation":"o","bucket":"b","key":"a"`),
		}, map[string]string{"a": "consent_withdrawn 5"}},
		"withdrawn and granted again": {[]string{
			item("a", `,"consent_reference":"r"`), note(5, "consent", `"decision":"withdrawn","consent_reference":"r"`), note(6, "consent", `"decision":"granted","consent_reference":"r"`),
		}, nil},
		"erased, and granted again": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"erased","subject":"u"`), note(6, "consent", `"decision":"granted","subject":"u"`),
		}, map[string]string{"a": "erasure 5"}},
		"an organisation's end": {[]string{
			item("a", `,"organisation":"o"`), item("b", `,"organisation":"other"`), note(5, "consent", `"decision":"erased","organisation":"o"`),
		}, map[string]string{"a": "erasure 5"}},
		"erased before the upload": {[]string{item("a", `,"subjects":["u"]`), note(-5, "consent", `"decision":"erased","subject":"u"`)}, nil},
		"children": {[]string{
			item("adult", `,"age":18`), item("child", `,"age":17`), item("own", `,"age":17,"consent_by":"self"`), item("too young", `,"age":16,"consent_by":"self"`),
			item("guarded", `,"age":3,"consent_by":"guardian"`), item("unknown", ""), item("later", `,"age":9,"consent_reference":"r"`),
			note(5, "consent", `"decision":"granted","consent_reference":"r","consent_by":"guardian"`),
		}, map[string]string{"child": "child_unconfirmed 0", "too young": "child_unconfirmed 0"}},
		"a purpose that is complete, and open again": {[]string{
			item("a", ""), note(5, "purpose_completed", `"purpose":"p"`), note(6, "purpose_opened", `"purpose":"p"`),
		}, nil},
		"a purpose that is complete for one object": {[]string{
			item("a", ""), item("b", ""), note(5, "purpose_completed", `"purpose":"p","bucket":"b","key":"a"`),
		}, map[string]string{"a": "purpose_completed 5"}},
		"said again": {[]string{
			item("a", ""), note(5, "purpose_completed", `"purpose":"p"`), note(6, "purpose_opened", `"purpose":"p"`),
			note(7, "purpose_completed", `"purpose":"p"`), note(9, "purpose_completed", `"purpose":"p"`),
		}, map[string]string{"a": "purpose_completed 7"}},
		"said again of one object": {[]string{
			item("a", ""), note(7, "purpose_completed", `"purpose":"p","key":"a"`), note(5, "purpose_completed", `"purpose":"p","key":"a"`),
			note(9, "purpose_completed", `"purpose":"p"`),
		}, map[string]string{"a": "purpose_completed 5"}},
		"withdrawn again": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"withdrawn","subject":"u"`), note(6, "consent", `"decision":"granted","subject":"u"`),
			note(7, "consent", `"decision":"withdrawn","key":"a"`), note(9, "consent", `"decision":"withdrawn","subject":"u"`),
		}, map[string]string{"a": "consent_withdrawn 7"}},
		"erased again": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"erased","subject":"u"`), note(9, "consent", `"decision":"erased","subject":"u"`),
		}, map[string]string{"a": "erasure 5"}},
		"granted and withdrawn at once": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"granted","subject":"u"`), note(5, "consent", `"decision":"withdrawn","subject":"u"`),
		}, map[string]string{"a": "consent_withdrawn 5"}},
		"the last of two purposes": {[]string{
			item("a", `,"purposes":["p","q"]`), item("b", `,"purposes":["p","q"]`),
			note(5, "purpose_completed", `"purpose":"p"`), note(7, "purpose_completed", `"purpose":"q","key":"a"`),
		}, map[string]string{"a": "purpose_completed 7"}},
		"a wish before a window": {[]string{
			item("a", ""), note(5, "purpose_completed", `"purpose":"p"`), note(6, "consent", `"decision":"withdrawn","key":"a"`),
		}, map[string]string{"a": "consent_withdrawn 6"}},
		"registered anew since": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"withdrawn","subject":"u"`),
			strings.Replace(item("a", `,"subjects":["v"]`), at(0), at(6), 1),
		}, map[string]string{"a": "consent_withdrawn 5"}},
		"registered anew, and granted again": {[]string{
			item("a", `,"subjects":["u"]`), note(5, "consent", `"decision":"withdrawn","subject":"u"`),
			strings.Replace(item("a", `,"subjects":["v"]`), at(0), at(6), 1), note(7, "consent", `"decision":"granted","key":"a"`),
		}, nil},
		"registered anew for another purpose": {[]string{
			item("a", ""), strings.Replace(item("a", `,"purposes":["q"]`), at(0), at(6), 1), note(7, "purpose_completed", `"purpose":"p"`),
		}, nil},
		"the longest age": {[]string{item("a", ""), strings.ReplaceAll(item("old", ""), at(0), at(-2000))}, map[string]string{"old": "uploaded -2000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sinktest.Policy(t, config.Facesoft)
			s, _ := sinktest.Store(t, p)
			// A key that is there twice takes its last value, in the register as in JSON.
			for i, n := range c.notes {
				c.notes[i] = strings.Replace(n, `"purposes":["p"],"consent":true,"purposes"`, `"consent":true,"purposes"`, 1)
			}
			register(t, s, p, []byte(strings.Join(c.notes, "\n")))
			now := newYear.Add(100 * time.Hour)
			all := sinks.TrainingCutoffs{}
			for _, rule := range sinks.TrainingRules {
				all[rule] = now
			}
			all[sinks.RuleUploaded] = newYear.Add(-1000 * time.Hour)
			items, err := s.DueItems(t.Context(), now, all, sinks.ItemPage{})
			if err != nil {
				t.Fatal(err)
			}
			due := map[string]string{}
			for _, i := range items {
				due[i.Key] = fmt.Sprintf("%s %g", i.Rule, i.Since.Sub(newYear).Hours())
			}
			if !maps.Equal(due, c.due) {
				t.Errorf("due are %v, want %v", due, c.due)
			}
			// Just before an event it has not happened.
			for _, i := range items {
				before, err := s.DueItems(t.Context(), i.Since.Add(-time.Millisecond), all, sinks.ItemPage{})
				if err != nil || slices.ContainsFunc(before, func(b sinks.TrainingItem) bool { return b.Key == i.Key && b.Rule == i.Rule }) {
					t.Errorf("%s is due by %s before that happened: %v", i.Key, i.Rule, err)
				}
			}
		})
	}
}

func TestModelsOfAnItemAreThoseTrainedForItsPurposesSinceItsUpload(t *testing.T) {
	t.Parallel()
	p := sinktest.Policy(t, config.Facesoft)
	s, _ := sinktest.Store(t, p)
	register(t, s, p, []byte(`{"type":"training_model","at":"2023-12-31T00:00:00Z","purpose":"p","model":"too early"}
{"type":"training_item","at":"2024-01-01T00:00:00Z","bucket":"b","key":"a","purposes":["p","q"]}
{"type":"training_model","at":"2024-01-02T00:00:00Z","purpose":"q","model":"m2"}
{"type":"training_model","at":"2024-01-03T00:00:00Z","purpose":"p","model":"m1"}
{"type":"training_model","at":"2024-01-04T00:00:00Z","purpose":"p","model":"m1"}
{"type":"training_addition","at":"2024-01-03T12:00:00Z","bucket":"b","key":"a","purposes":["s"]}
{"type":"training_model","at":"2024-01-05T00:00:00Z","purpose":"s","model":"m3"}
{"type":"training_model","at":"2024-01-02T00:00:00Z","purpose":"r","model":"of another purpose"}`))
	due, err := s.DueItems(t.Context(), newYear.AddDate(1, 0, 0), sinks.TrainingCutoffs{sinks.RuleConsentAbsent: newYear.AddDate(1, 0, 0)}, sinks.ItemPage{})
	if err != nil || len(due) != 1 {
		t.Fatalf("%d items are due: %v", len(due), err)
	}
	items, err := s.Items(t.Context(), []sinks.ID{due[0].Item})
	if err != nil || !slices.Equal(items[due[0].Item].Models, []string{"m1", "m2", "m3"}) {
		t.Errorf("trained on it: %v, %v", items[due[0].Item].Models, err)
	}
}
