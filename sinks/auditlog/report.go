package auditlog

import (
	"errors"
	"fmt"

	"github.com/facesoft/lapse/sinks"
)

// ErrNotVerified is what Verify returns, wrapped, when it has found a problem.
// Any other error means that there is no verdict.
var ErrNotVerified = errors.New("the audit log does not verify")

// maxListed bounds each list of a Report; the counts beside them are exact.
const maxListed = 1000

// Report is the result of Verify.
type Report struct {
	Years     []YearReport `json:"years"`
	Entries   int64        `json:"entries"`
	Intents   int64        `json:"intents"`
	Outcomes  int64        `json:"outcomes"`
	Keys      []string     `json:"keys"`                // in the order of their rotations, as VerifierKey writes them
	Anchors   int          `json:"anchors"`             // anchors the log is consistent with
	OpenSteps int64        `json:"open_steps"`          // intents without an outcome after them: no error, but work interrupted
	Open      []OpenStep   `json:"open,omitempty"`      // the first of them
	Staged    int64        `json:"staged"`              // newest entries whose tiles are yet to be written by the next Append
	Leftovers []string     `json:"leftovers,omitempty"` // files of batches that were never committed, which prove nothing
	Failures  int64        `json:"failures"`            // number of problems
	Problems  []Problem    `json:"problems,omitempty"`  // the first of them
}

// YearReport is what was verified of one year.
type YearReport struct {
	Checkpoint
	Closed bool `json:"closed"` // another year has been, or is about to be, begun
}

// OpenStep is an intent without a later outcome of the same step.
type OpenStep struct {
	Position
	Step sinks.ID `json:"step"`
}

// Problem says what is wrong, and where.
type Problem struct {
	File   string `json:"file"`  // relative to the log's directory, or the name of an anchor
	Entry  int64  `json:"entry"` // index of the entry in the year's log, or NoEntry
	Reason string `json:"reason"`
}

// NoEntry stands for a problem that is not one entry's.
const NoEntry = -1

func (p Problem) String() string {
	if p.Entry == NoEntry {
		return p.File + ": " + p.Reason
	}
	return fmt.Sprintf("%s: entry %d: %s", p.File, p.Entry, p.Reason)
}

// problems collects what is wrong under some assumption.
type problems struct {
	list  []Problem
	count int64
}

func (p *problems) add(file string, entry int64, format string, args ...any) {
	p.count++
	if len(p.list) < maxListed {
		p.list = append(p.list, Problem{file, entry, fmt.Sprintf(format, args...)})
	}
}

func (p *problems) addAll(others problems) {
	p.count += others.count
	room := max(maxListed-len(p.list), 0)
	p.list = append(p.list, others.list[:min(room, len(others.list))]...)
}

// err returns the verdict.
func (r *Report) err() error {
	switch {
	case r.Failures == 0:
		return nil
	case r.Failures == 1:
		return fmt.Errorf("%w: %v", ErrNotVerified, r.Problems[0])
	}
	return fmt.Errorf("%w: %v, and %d more", ErrNotVerified, r.Problems[0], r.Failures-1)
}
