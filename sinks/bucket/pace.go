package bucket

import (
	"context"

	"golang.org/x/time/rate"
)

// pace bounds how many objects are touched in a second. The zero value sets no bound.
type pace struct{ limit *rate.Limiter }

// newPace returns a pace of so many objects a second, of which a second's worth may come
// at once; without a bound if it is 0.
func newPace(perSecond float64) pace {
	if perSecond <= 0 {
		return pace{}
	}
	return pace{rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))}
}

// wait waits until n more objects may be touched.
func (p pace) wait(ctx context.Context, n int) error {
	if p.limit == nil {
		return ctx.Err()
	}
	for n > 0 {
		now := min(n, p.limit.Burst())
		if err := p.limit.WaitN(ctx, now); err != nil {
			return err
		}
		n -= now
	}
	return nil
}
