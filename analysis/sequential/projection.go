package sequential

import "math"

// LogProjection returns the log factor of one look for events that are not rare
// (section 4 of the package documentation). The alternative (tc, tb) is a guess
// of both arms' rates from the past; (c0, b0) is the point on the margin that is
// nearest to it in relative entropy, weighted by both arms' requests, and
//
//	ln L = x ln(tc/c0) + (n-x) ln((1-tc)/(1-c0)) + y ln(tb/b0) + (m-y) ln((1-tb)/(1-b0))
//
// By the projection, its expectation is at most 1 on that side of the margin
// where (tc, tb) is not (reverse information projection: Turner and Grünwald,
// arXiv 2203.09785). It is 0 if an arm had no requests.
func LogProjection(l Look, m Margin, tc, tb float64) float64 {
	return projection(l.clean(), m, tc, tb)
}

func projection(l Look, m Margin, tc, tb float64) float64 {
	c0, b0, ok := Project(l.Canary.Total, l.Baseline.Total, m, tc, tb)
	if !ok {
		return 0
	}
	return logRatio(l.Canary, tc, c0) + logRatio(l.Baseline, tb, b0)
}

// logRatio returns the log likelihood ratio of two rates.
func logRatio(c Count, p, p0 float64) float64 {
	return c.Bad*math.Log(p/p0) + (c.Total-c.Bad)*math.Log((1-p)/(1-p0))
}

// Project returns the point c0 = rho b0 + delta of the margin for which
//
//	n rho (tc-c0)/(c0(1-c0)) + m (tb-b0)/(b0(1-b0)) = 0
//
// and false if there is none within the unit square, or if an arm is empty.
func Project(n, m float64, margin Margin, tc, tb float64) (c0, b0 float64, ok bool) {
	inside := tc > 0 && tc < 1 && tb > 0 && tb < 1
	if !inside || n <= 0 || m <= 0 {
		return 0, 0, false
	}
	if margin == (Margin{Rho: 1}) { // the safe 2x2 test
		b0 = (n*tc + m*tb) / (n + m)
		return b0, b0, true
	}
	b0 = line{n: n, m: m, Margin: margin, tc: tc, tb: tb}.root()
	c0 = margin.of(b0)
	return c0, b0, b0 > 0 && c0 < 1
}

// line is the margin, seen from a point (tc, tb).
type line struct {
	Margin
	n, m, tc, tb float64
}

// root finds the zero between the two ends of the line where one arm's rate is
// as guessed. Halley's steps start at the least-squares answer and two of them
// are mostly enough; a step that would leave the bracket halves it.
func (l line) root() float64 {
	low, high := l.tb, (l.tc-l.Delta)/l.Rho
	if low > high {
		low, high = high, low
	}
	low, high = max(low, 0), min(high, 1, (1-l.Delta)/l.Rho)
	b := min(max(l.guess(), low), high)
	for range 200 {
		value, step := l.step(b)
		if value > 0 {
			low = b
		} else {
			high = b
		}
		next := b - step
		if !(next >= low && next <= high) { // NaN included
			next = low + (high-low)/2
		}
		if math.Abs(next-b) <= 1e-7*b && math.Abs(step) <= 1e-7*b || next == b {
			return next
		}
		b = next
	}
	return b
}

// guess weighs both ends of the line by the variances at the baseline's end.
func (l line) guess() float64 {
	c := l.of(l.tb)
	if c >= 1 {
		return (l.tc - l.Delta) / l.Rho
	}
	wc := l.n * l.Rho / (c * (1 - c))
	wb := l.m / (l.tb * (1 - l.tb))
	return (wc*(l.tc-l.Delta) + wb*l.tb) / (wc*l.Rho + wb)
}

// step returns the equation's value, times both variances, and Halley's step.
func (l line) step(b float64) (value, step float64) {
	c := l.of(b)
	dc, db := l.tc-c, l.tb-b
	vb, vc := b*(1-b), c*(1-c)
	kn := l.n * l.Rho
	value = kn*dc*vb + l.m*db*vc
	first := kn*(dc*(1-2*b)-l.Rho*vb) + l.m*(db*l.Rho*(1-2*c)-vc)
	second := -2 * (kn*(l.Rho*(1-2*b)+dc) + l.m*l.Rho*((1-2*c)+l.Rho*db))
	return value, 2 * value * first / (2*first*first - value*second)
}

// LogOrder returns the log factor of one look over the categories of a
// histogram, fastest first, for "the canary is not slower" in the sense of
// stochastic order (section 4): the sum of c ln r + (c+b) ln(N/(r n + m)) with
// weights r that do not decrease. It needs neither a guess of the rates nor a
// root. It is 0 if the lists differ in length, r decreases or is not positive,
// or an arm is empty.
func LogOrder(canary, baseline, r []float64) float64 {
	if len(canary) != len(baseline) || len(canary) != len(r) {
		return 0
	}
	n, m, least := 0.0, 0.0, 0.0
	for j := range r {
		if !sound(canary[j]) || !sound(baseline[j]) || !(r[j] > 0 && r[j] >= least) {
			return 0
		}
		n, m, least = n+canary[j], m+baseline[j], r[j]
	}
	if n == 0 || m == 0 {
		return 0
	}
	sum := 0.0
	for j := range r {
		sum += canary[j]*math.Log(r[j]) - (canary[j]+baseline[j])*math.Log1p((r[j]-1)*n/(n+m))
	}
	return sum
}
