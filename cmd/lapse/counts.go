package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/facesoft/lapse/sinks"
)

// countText writes counts in one line, in a fixed order.
func countText(counts map[sinks.Count]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
