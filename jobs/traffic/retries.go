package traffic

import (
	"container/heap"
	"math/rand/v2"
)

// retry is a second copy of a line on its way: the same bytes apart from sentAt
// and receivedAt.
type retry struct {
	bytes              []byte
	received, happened instant
	what               fate // of the first copy
}

// retries holds the copies that have not arrived yet. Above maximumRetries no
// further copy is made, which bounds memory; at the default shares that takes
// some 180 million events.
type retries struct {
	end     instant // of the period; nothing arrives from then on
	waiting retryHeap
}

const maximumRetries = 16_384

// carriedWithin is how long after the first copy one in a later file arrives at
// the latest; carriableShare is the share of events for which such a file
// begins in time, given months of 30.4 days.
const (
	carriedWithin  = 5 * day
	carriableShare = 5 / 30.4
)

// consider decides whether a line that has just been written is sent again,
// within ten minutes or in the next month.
func (w *retries) consider(r *rand.Rand, d Dirt, l *line, what fate) {
	if d.Duplicates == 0 || len(w.waiting) >= maximumRetries {
		return
	}
	draw := r.Float64() - d.Duplicates*(1-d.LaterFile)
	if draw < 0 {
		w.add(l, what, l.received+2*second+instant(r.Int64N(int64(10*minute))))
		return
	}
	// Only the last days of a month can be carried over, so these are carried
	// over the more often.
	month := l.received.nextMonth()
	if month-l.received > carriedWithin || draw >= d.Duplicates*d.LaterFile/carriableShare {
		return
	}
	w.add(l, what, month+instant(r.Int64N(int64(l.received+carriedWithin-month+1))))
}

// add queues a copy that arrives at the given time. Sent and received move
// together, so that both copies happened at the same time.
func (w *retries) add(l *line, what fate, received instant) {
	if received >= w.end {
		return
	}
	copied := append([]byte(nil), l.bytes...)
	appendInstant(copied[:l.sentAt], l.sent+received-l.received)
	appendInstant(copied[:l.receivedAt], received)
	heap.Push(&w.waiting, retry{bytes: copied, received: received, happened: l.happened, what: what})
}

// next takes out the earliest copy that arrives before the given time.
func (w *retries) next(before instant) (retry, bool) {
	if len(w.waiting) == 0 || w.waiting[0].received >= before {
		return retry{}, false
	}
	return heap.Pop(&w.waiting).(retry), true
}

// retryHeap orders retries by arrival.
type retryHeap []retry

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].received < h[j].received }
func (h retryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)        { *h = append(*h, x.(retry)) }

func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = retry{}
	*h = (*h)[:last]
	return r
}
