package clickhouse

import (
	"testing"
	"time"
)

func TestPauseIsHalfOfWhatTheRestTakes(t *testing.T) {
	t.Parallel()
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newPoll(time.Minute)
	for _, c := range []struct {
		left  uint64
		after time.Duration
		want  time.Duration
	}{
		{400, 0, shortestPause},
		{400, 10 * time.Millisecond, shortestPause}, // nothing is done yet: nobody knows
		{300, 10 * time.Second, longestPause},       // 30 s more
		{4, 39600 * time.Millisecond, 200 * time.Millisecond},
		{1, 39900 * time.Millisecond, 50 * time.Millisecond},
		{0, 40 * time.Second, shortestPause},
		{500, 41 * time.Second, shortestPause}, // more than at first: the last pause stays
	} {
		p.left(c.left, start.Add(c.after))
		if p.pause != c.want {
			t.Errorf("with %d left after %s it pauses for %s, want %s", c.left, c.after, p.pause, c.want)
		}
	}
}
