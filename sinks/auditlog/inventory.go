package auditlog

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// inventory is what lies in the directory of a year.
type inventory struct {
	tiles     bool // at least one
	partials  map[tile][]int
	rotations []int64  // in order
	staging   []string // well-named files
	beyond    []tile   // tiles and bundles that the checkpoint does not reach
	unknown   []string
}

// full is the key of a tile in inventory.partials.
func (t tile) full() tile { return tile{t.level, t.n, tileWidth} }

// listYear returns the names of all files of a year, relative to its directory.
func listYear(ctx context.Context, files Files, dir string) ([]string, error) {
	var names []string
	for name, err := range Walk(ctx, files, dir) {
		if err != nil {
			return nil, err
		}
		names = append(names, strings.TrimPrefix(name, dir+"/"))
	}
	return names, nil
}

// takeInventory sorts the files of a year by what they are for at a size. They
// must have been listed before the checkpoint was read, so that those of a writer
// who is at work are not beyond it. A size of 0 stands for no checkpoint.
func takeInventory(names []string, size int64) *inventory {
	inv := &inventory{partials: map[tile][]int{}}
	for _, name := range names {
		inv.take(name, size)
	}
	slices.Sort(inv.rotations)
	return inv
}

func (inv *inventory) take(name string, size int64) {
	t, isTile := parseTile(name)
	rotation, isRotation := parseRotationName(name)
	_, isStaging := parseStagingName(name)
	switch {
	case name == checkpointName:
	case isTile:
		inv.tiles = true
		if t.width > t.widthAt(size) {
			inv.beyond = append(inv.beyond, t)
		} else if t.width < t.widthAt(size) {
			inv.partials[t.full()] = append(inv.partials[t.full()], t.width)
		}
	case isRotation:
		inv.rotations = append(inv.rotations, rotation)
	case isStaging:
		inv.staging = append(inv.staging, name)
	default:
		inv.unknown = append(inv.unknown, name)
	}
}

func parseRotationName(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, rotationsDir+"/")
	if !ok {
		return 0, false
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	return size, err == nil && size > 0 && rotationName(size) == name
}
