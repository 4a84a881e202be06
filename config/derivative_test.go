package config

import (
	"slices"
	"strings"
	"testing"
)

func TestDerivativeRuleNamesItsItems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, object string
		items        []string
	}{
		{"crops/{key}/", "crops/o1/a.jpg/1.webp", []string{"o1", "o1/a.jpg"}},
		{"crops/{key}/", "crops/o1/a.jpg/", []string{"o1", "o1/a.jpg"}},
		{"crops/{key}/", "crops//a", nil}, // no key is empty
		{"crops/{key}/", "crops/a.jpg", nil},
		{"crops/{key}/", "o1/crops/a.jpg/1", nil},
		{"{key}.", "a.b.c", []string{"a", "a.b"}},
		{"thumbs/{key}--", "thumbs/a---", []string{"a", "a-"}},
	} {
		rule, err := ParseDerivativeRule(c.rule)
		if err != nil || rule.String() != c.rule {
			t.Fatalf("%s is read as %s (%v)", c.rule, rule, err)
		}
		items := rule.Items(c.object)
		if !slices.Equal(items, c.items) {
			t.Errorf("by %s, %s was made from one of %q, want %q", c.rule, c.object, items, c.items)
		}
		for _, item := range items {
			if !strings.HasPrefix(c.object, rule.Prefix(item)) {
				t.Errorf("by %s, %s is not below %s", c.rule, c.object, rule.Prefix(item))
			}
		}
	}
	for _, text := range []string{"", "crops/", "crops/{key}", "{key}", "/crops/{key}/", "{key}/{key}/", "crops/{stem}/"} {
		if rule, err := ParseDerivativeRule(text); err == nil || !strings.Contains(err.Error(), "such as crops/{key}/") {
			t.Errorf("%q is read as %s (%v)", text, rule, err)
		}
	}
}

func FuzzDerivativeRule(f *testing.F) {
	f.Add("crops/{key}/", "crops/a/b/c")
	f.Add("{key}--", "a----")
	f.Fuzz(func(t *testing.T, text, object string) {
		rule, err := ParseDerivativeRule(text)
		if err != nil || len(object) > 256 { // the definition takes the square of the length
			t.Skip("no rule, or too long for the definition")
		}
		items := rule.Items(object)
		for n := 1; n <= len(object); n++ { // the definition, tried on every text that may be a key
			for at := 0; at+n <= len(object); at++ {
				item := object[at : at+n]
				if made := strings.HasPrefix(object, rule.Prefix(item)); made && !slices.Contains(items, item) {
					t.Fatalf("by %s, %q was made from %q", rule, object, item)
				}
			}
		}
		for _, item := range items {
			if item == "" || !strings.HasPrefix(object, rule.Prefix(item)) {
				t.Fatalf("by %s, %q was not made from %q", rule, object, item)
			}
		}
	})
}
