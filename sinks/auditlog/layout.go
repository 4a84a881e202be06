package auditlog

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// tileHeight is the height of a tile, and tileWidth the number of hashes
	// in a full tile and of entries in a full bundle, of tlog-tiles.
	tileHeight = 8
	tileWidth  = 1 << tileHeight

	// entriesLevel stands for entry bundles where a tile's level is asked for.
	entriesLevel = -1

	// maxTileLevel is the highest level of a tile in tlog-tiles.
	maxTileLevel = 63
)

// tile names a tile or, at entriesLevel, an entry bundle. tlog.Tile is not used
// because its paths contain the height, which those of tlog-tiles do not.
type tile struct {
	level int
	n     int64
	width int // 1 to tileWidth; less than tileWidth is a partial tile
}

// path returns the tile's name below the directory of its year.
func (t tile) path() string {
	p := t.dir()
	if t.width < tileWidth {
		p += ".p/" + strconv.Itoa(t.width)
	}
	return p
}

// partials returns the directory with the tile's partial versions.
func (t tile) partials() string { return t.dir() + ".p/" }

func (t tile) dir() string {
	level := "entries"
	if t.level != entriesLevel {
		level = strconv.Itoa(t.level)
	}
	n := fmt.Sprintf("%03d", t.n%1000)
	for rest := t.n / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	return "tile/" + level + "/" + n
}

// parseTile is the inverse of path. It accepts exactly the names path returns.
func parseTile(name string) (tile, bool) {
	level, rest, ok := strings.Cut(strings.TrimPrefix(name, "tile/"), "/")
	if !ok {
		return tile{}, false
	}
	t := tile{level: entriesLevel, width: tileWidth}
	var err error
	if level != "entries" {
		if t.level, err = strconv.Atoi(level); err != nil {
			return tile{}, false
		}
	}
	if n, width, ok := strings.Cut(rest, ".p/"); ok {
		rest = n
		if t.width, err = strconv.Atoi(width); err != nil {
			return tile{}, false
		}
	}
	digits := strings.NewReplacer("x", "", "/", "").Replace(rest)
	if t.n, err = strconv.ParseInt(digits, 10, 64); err != nil {
		return tile{}, false
	}
	inRange := t.level >= entriesLevel && t.level <= maxTileLevel && t.n >= 0 && t.width >= 1
	return t, inRange && t.path() == name
}

// widthAt returns how many hashes or entries the tile has in a tree of the given
// size: 0 if it does not exist there.
func (t tile) widthAt(size int64) int {
	level := max(t.level, 0)
	if level*tileHeight >= 63 {
		return 0
	}
	return int(min(max(size>>(level*tileHeight)-t.n*tileWidth, 0), tileWidth))
}

// Names below the directory of a year.
const (
	checkpointName = "checkpoint"
	rotationsDir   = "rotations"
	stagingDir     = "staging"
)

func rotationName(size int64) string {
	return rotationsDir + "/" + strconv.FormatInt(size, 10)
}

// stagingName is determined by the tree after the batch, so that whoever reads a
// checkpoint finds the batch that led to it.
func stagingName(size int64, root tlog.Hash) string {
	return stagingDir + "/" + strconv.FormatInt(size, 10) + "-" + hex.EncodeToString(root[:])
}

func parseStagingName(name string) (size int64, ok bool) {
	digits, root, ok := strings.Cut(strings.TrimPrefix(name, stagingDir+"/"), "-")
	if !ok {
		return 0, false
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	h, hexErr := hex.DecodeString(root)
	if err != nil || hexErr != nil || len(h) != tlog.HashSize || size < 1 {
		return 0, false
	}
	return size, stagingName(size, tlog.Hash(h)) == name
}

// yearName returns the directory of a year's log.
func yearName(year int) string { return fmt.Sprintf("%04d", year) }

func parseYear(name string) (int, bool) {
	year, err := strconv.Atoi(name)
	return year, err == nil && year >= 0 && year <= 9999 && yearName(year) == name
}
