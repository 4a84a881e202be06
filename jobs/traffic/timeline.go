package traffic

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// instant is a time in milliseconds since 1970-01-01 UTC, the form in which the
// hot path carries times.
type instant int64

const (
	second = instant(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func instantOf(t time.Time) instant { return instant(t.UnixMilli()) }

// time returns t in UTC.
func (t instant) time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// sameDay reports whether t and u fall on one UTC day. Both are after 1970.
func (t instant) sameDay(u instant) bool { return t/day == u/day }

// nextMonth returns the first instant of the UTC calendar month after t's.
func (t instant) nextMonth() instant {
	at := t.time()
	return instantOf(time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC))
}

// timeline deals a number of instants over the period, in ascending order and
// in constant memory: the total weight of all hours is cut into as many equal
// strata as there are instants, and each stratum yields one at random.
type timeline struct {
	r     *rand.Rand
	start instant
	hours []uint16 // weight of each hour of the period
	total uint64   // sum of hours, times milliseconds per hour

	n, dealt int
	hour     int    // the current hour
	before   uint64 // weight of all hours before it, times milliseconds per hour
}

func newTimeline(c Config, r *rand.Rand, n int) *timeline {
	t := &timeline{r: r, start: instantOf(c.Start), n: n}
	end := instantOf(c.end())
	for at := t.start; at < end; at += hour {
		weight := uint16(1)
		if !c.Flat {
			weight = hourWeight(at.time(), c.Start)
		}
		t.hours = append(t.hours, weight)
		t.total += uint64(weight) * uint64(hour)
	}
	return t
}

// dayShape is the relative traffic of each hour of a working day in UTC.
var dayShape = [24]int{2, 1, 1, 1, 2, 4, 12, 34, 68, 86, 92, 88, 66, 82, 90, 86, 72, 50, 30, 22, 18, 14, 9, 4}

// hourWeight gives weekends a quarter of a working day, August and December
// less than other months, and every month three per cent more than the last.
func hourWeight(at, start time.Time) uint16 {
	weight := dayShape[at.Hour()] * 8
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		weight /= 4
	}
	if m := at.Month(); m == time.August || m == time.December {
		weight = weight * 8 / 10
	}
	months := (at.Year()-start.Year())*12 + int(at.Month()-start.Month())
	return uint16(weight*(100+3*min(months, 120))/100 + 1)
}

// next returns the next instant; the caller asks at most n times.
func (t *timeline) next() instant {
	low, high := t.stratum(t.dealt), t.stratum(t.dealt+1)
	t.dealt++
	if high > low {
		low += t.r.Uint64N(high - low)
	}
	for low-t.before >= t.hourTotal() {
		t.before += t.hourTotal()
		t.hour++
	}
	within := (low - t.before) / uint64(t.hours[t.hour])
	return t.start + instant(t.hour)*hour + instant(within)
}

// gap returns the mean distance of instants in the current hour.
func (t *timeline) gap() instant {
	return instant(t.total / uint64(t.n) / uint64(t.hours[t.hour]))
}

func (t *timeline) hourTotal() uint64 { return uint64(t.hours[t.hour]) * uint64(hour) }

// stratum returns where the ith stratum begins: total*i/n without overflow.
func (t *timeline) stratum(i int) uint64 {
	high, low := bits.Mul64(t.total, uint64(i))
	q, _ := bits.Div64(high, low, uint64(t.n))
	return q
}
