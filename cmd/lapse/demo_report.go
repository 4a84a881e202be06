package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/facesoft/lapse/sinks/clickhouse"
)

// printLine prints one line of the demo's table as soon as it is known.
func (d *demo) printLine(row []any) {
	if len(d.rows) == 1 {
		d.say("%s", demoLine(demoHeadings, demoHeadings))
	}
	shown := make([]string, len(row))
	for i, v := range row {
		shown[i] = fmt.Sprint(show(v))
	}
	d.say("%s", demoLine(demoHeadings, shown))
}

// demoLine sets values under their headings.
func demoLine(headings, values []string) string {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = fmt.Sprintf("%*s", max(len(headings[i]), 10), v)
	}
	return strings.Join(cells, "  ")
}

// searchPublished looks, as an analyst, for the identifiers that the generator
// has planted in every text that is published, and counts those it finds.
func (d *demo) searchPublished(ctx context.Context, i *installation) (found int, err error) {
	planted := map[string]bool{}
	for _, id := range d.truth.Identifiers() {
		planted[id] = true
	}
	o, err := i.analystOptions(ctx)
	if err != nil {
		return 0, err
	}
	for _, dataset := range i.policy.Datasets {
		if dataset.Publish == nil {
			continue
		}
		for _, c := range dataset.Publish.Columns {
			_, rows, err := clickhouse.QueryAnalytics(ctx, o, fmt.Sprintf("SELECT DISTINCT toString(`%s`) FROM `%s`", c.Name, dataset.Name))
			if err != nil {
				return found, err
			}
			for _, r := range rows {
				if text, _ := r[0].(string); holdsIdentifier(text, planted) {
					found++
				}
			}
		}
	}
	return found, nil
}

// holdsIdentifier reports whether text is one of the planted identifiers, or has
// one among its words.
func holdsIdentifier(text string, planted map[string]bool) bool {
	if planted[text] {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/?&=;,: \"()[]", r) })
	for _, w := range words {
		if planted[w] {
			return true
		}
	}
	return false
}
