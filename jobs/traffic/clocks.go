package traffic

import "math/rand/v2"

// clocks are the four times of an event. By the Segment specification it
// happened at received - (sent - original), which cancels what the device's
// clock is wrong by.
type clocks struct {
	timestamp, original, sent, received instant // timestamp is 0 if absent
	happened                            instant
}

// newClocks returns the times of an event that arrives at received. An event
// cannot be late by so much that it would have happened before since; it is
// then clean. Clean and late events fall on the same UTC day whether one goes by
// timestamp or by the corrected time.
func newClocks(r *rand.Rand, what fate, received, since instant) (clocks, fate) {
	queued := 5 + instant(r.IntN(1_200)) // from the event to its sending
	network := 10 + instant(r.IntN(700)) // from the sending to its receipt
	if what == late {
		delay := hour + instant(r.Int64N(int64(6*day-hour)))
		if received-delay-network < since {
			what = clean
		} else {
			queued = delay
		}
	}
	if received-queued-network < since {
		queued, network = 0, 0
	}
	t := clocks{received: received, happened: received - queued}
	if !t.happened.sameDay(t.happened - network) {
		network = 0
	}
	t.sent = received - network
	t.original = t.sent - queued
	t.timestamp = t.original
	if what == skewed {
		t.skew(r)
	}
	return t, what
}

// skew sets the device's clock wrong by three minutes to five days in either
// direction. Some libraries then leave the timestamp to the receiver.
func (t *clocks) skew(r *rand.Rand) {
	var wrong instant
	switch r.IntN(3) {
	case 0:
		wrong = instant(between(r, 3, 59)) * minute
	case 1:
		wrong = instant(between(r, 1, 23)) * hour
	default:
		wrong = instant(between(r, 1, 5)) * day
	}
	wrong += instant(r.IntN(int(minute)))
	if r.IntN(2) == 0 {
		wrong = -wrong
	}
	t.original += wrong
	t.sent += wrong
	t.timestamp = 0
	if r.IntN(2) == 0 {
		t.timestamp = t.original
	}
}
