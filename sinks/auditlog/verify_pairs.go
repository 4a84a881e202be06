package auditlog

import (
	"github.com/facesoft/lapse/sinks"
)

// pair matches outcomes with the intents before them.
func (y *yearCheck) pair(b *bundleCheck) {
	first := b.n * tileWidth
	y.steps.expect(b.facts)
	for i, f := range b.facts {
		if f.kind == factNone {
			continue
		}
		index := first + int64(i)
		state := y.steps.at(f.step)
		if f.kind == factIntent {
			y.report.Intents++
			*state = openStep(y.report.Entries + index + 1)
			continue
		}
		y.report.Outcomes++
		if *state == 0 {
			y.problems.add(b.file(index), index, "is an outcome without an intent before it")
			continue
		}
		*state |= 1
	}
}

// checkOwn checks an entry about the log itself.
func (y *yearCheck) checkOwn(name string, item checkedItem) {
	c := &item.entry
	last := item.index == y.size()-1
	switch {
	case c.is(memberAction, string(sinks.ActionRotateKey)):
		if !y.rotations[item.index+1] {
			y.problems.add(y.view.name(rotationName(item.index+1)), NoEntry, "is missing: entry %d rotates the key", item.index)
		}
	case c.is(memberAction, string(sinks.ActionCloseYear)):
		y.closed = last
		if !last {
			y.problems.add(name, item.index, "closes the year, but entries follow")
		}
	case item.index > 0:
		y.problems.add(name, item.index, "opens the year, but entries precede it")
	case y.previous == nil:
		y.problems.add(name, item.index, "continues a year that is not there")
	default:
		y.opened = true
		e, err := Decode(c.bytes)
		if err != nil || *e.Continues != y.previous.Head() {
			y.problems.add(name, item.index, "does not continue the end of %s", yearName(y.previous.Year))
		}
	}
}
