package decode

import (
	"bytes"

	"github.com/facesoft/lapse/config"
)

// linesToJudge is how many lines of a source its format is told by.
const linesToJudge = 100

// Detect tells the format of a source by the first of its lines: most of them
// decide, because any single one may be broken.
func Detect(head []byte) config.InputFormat {
	var json, training, other int
	lines := 0
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			continue
		case line[0] != '{' && line[0] != '[':
			other++
		case bytes.Contains(line, []byte(`"training_`)):
			training++
		default:
			json++
		}
		if lines++; lines == linesToJudge {
			break
		}
	}
	switch {
	case other > json+training:
		return config.WebLog
	case training > json:
		return config.TrainingNotes
	}
	return config.Segment
}
