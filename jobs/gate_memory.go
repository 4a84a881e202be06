package jobs

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/facesoft/lapse/sinks"
)

// memory is what a gate knows of a ledger: one number for each person, or for each
// person and category. It holds so many of them at most; when there are more it forgets,
// and is no longer complete.
type memory struct {
	entries  map[uint64]int64
	most     int
	complete bool // what is not in it is not in the ledger
	latest   time.Time
}

// mostPeople bounds a gate's memory to some 40 MiB.
const mostPeople = 1 << 20

// nothing stands for somebody of whom the ledger is known to hold nothing.
const nothing = math.MinInt64

func newMemory() *memory {
	return &memory{entries: map[uint64]int64{}, most: mostPeople, complete: true}
}

// memoryKey is 64 bits of a subject's key: among a million people two agree with a
// probability of 3 in 10^8.
func memoryKey(subject sinks.SubjectKey, category int) uint64 {
	return binary.LittleEndian.Uint64(subject[:]) + uint64(category)*0x9e3779b97f4a7c15
}

func (m *memory) empty() bool { return m.complete && len(m.entries) == 0 }

func (m *memory) get(key uint64) (int64, bool) {
	value, ok := m.entries[key]
	return value, ok
}

func (m *memory) put(key uint64, value int64) {
	if _, known := m.entries[key]; !known && len(m.entries) >= m.most {
		clear(m.entries)
		m.complete = false
	}
	m.entries[key] = value
}

// lateEntries is how much earlier than others an entry of a ledger may carry its
// time and still be seen later.
const lateEntries = 10 * time.Second

// since returns from when on entries of the ledger may not be known yet.
func (m *memory) since() time.Time {
	if m.latest.IsZero() {
		return time.UnixMilli(0)
	}
	return m.latest.Add(-lateEntries)
}

func (m *memory) recorded(at time.Time) {
	if at.After(m.latest) {
		m.latest = at
	}
}
