package kanon

import "math"

// logarithms returns the natural logarithms of 0, 1, 2, … as a table that grows when
// it is asked for more. They are rounded correctly, which math.Log does not promise:
// where all values of a class are equally frequent, its entropy can be the very one
// that is asked for, and then rounding decides, for or against. The JVM rounds
// correctly, and so the verdict is that of ARX.
type logarithms struct {
	of  []float64
	sum double
}

// upTo makes the table reach to n.
func (l *logarithms) upTo(n int) {
	for len(l.of) <= n {
		switch i := len(l.of); i {
		case 0:
			l.of = append(l.of, math.Inf(-1))
		case 1:
			l.of = append(l.of, 0)
		default: // ln i = ln (i-1) + 2 artanh 1/(2i-1)
			step := artanhOfInverse(float64(2*i - 1))
			l.sum = l.sum.plus(step).plus(step)
			l.of = append(l.of, l.sum.high)
		}
	}
}

// double is the sum of two numbers, the lower of which holds what the higher cannot:
// some 106 bits together (Dekker, 1971).
type double struct{ high, low float64 }

func (a double) plus(b double) double {
	s := a.high + b.high
	t := s - a.high
	e := (a.high - (s - t)) + (b.high - t) + a.low + b.low
	return normalise(s, e)
}

func (a double) times(b double) double {
	p := a.high * b.high
	return normalise(p, math.FMA(a.high, b.high, -p)+a.high*b.low+a.low*b.high)
}

func (a double) over(d float64) double {
	q := a.high / d
	return normalise(q, (math.FMA(-q, d, a.high)+a.low)/d)
}

func normalise(high, low float64) double {
	s := high + low
	return double{s, low - (s - high)}
}

// artanhOfInverse returns artanh 1/d for d of at least 3, by its series.
func artanhOfInverse(d float64) double {
	power := double{1, 0}.over(d)
	square := power.times(power)
	sum := power
	for k := 3.0; ; k += 2 {
		power = power.times(square)
		term := power.over(k)
		sum = sum.plus(term)
		if term.high < sum.high*0x1p-108 {
			return sum
		}
	}
}
