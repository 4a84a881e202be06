package decode

import (
	"bytes"
	"encoding/json"

	"github.com/facesoft/lapse/config"
)

// linesToJudge is how many lines of a source its format is told by.
const linesToJudge = 100

// Detect tells the format of a source by the first of its lines: most of them
// decide, because any single one may be broken.
func Detect(head []byte) config.InputFormat {
	var calls, training, other int
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
			calls++
		}
		if lines++; lines == linesToJudge {
			break
		}
	}
	switch {
	case other > calls+training:
		return config.WebLog
	case training > calls:
		return config.TrainingNotes
	}
	return config.Segment
}

// OneLine returns a source that is a single object of JSON, written on several lines as
// programs indent it, in one line; several is false if it is anything else.
func OneLine(whole []byte) (line []byte, several bool) {
	whole = bytes.TrimSpace(whole)
	first, rest, _ := bytes.Cut(whole, []byte{'\n'})
	if len(rest) == 0 || first[0] != '{' || json.Valid(first) {
		return nil, false
	}
	var b bytes.Buffer
	if json.Compact(&b, whole) != nil {
		return nil, false
	}
	return b.Bytes(), true
}
