package evidence

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
	l = l.clean()
	c0, b0, ok := Project(l.Canary.Total, l.Baseline.Total, m, tc, tb)
	if !ok {
		return 0
	}
	return logRatio(&l, tc, tb, c0, b0)
}

// logRatio returns the log likelihood ratio of (tc, tb) and (c0, b0).
func logRatio(l *Look, tc, tb, c0, b0 float64) float64 {
	c, b := l.Canary, l.Baseline
	return c.Bad*ln(tc/c0) + (c.Total-c.Bad)*ln((1-tc)/(1-c0)) +
		b.Bad*ln(tb/b0) + (b.Total-b.Bad)*ln((1-tb)/(1-b0))
}

// Project returns the point c0 = rho b0 + delta of the margin for which
//
//	n rho (tc-c0)/(c0(1-c0)) + m (tb-b0)/(b0(1-b0)) = 0
//
// and false if there is none within the unit square, or if an arm is empty.
func Project(n, m float64, margin Margin, tc, tb float64) (c0, b0 float64, ok bool) {
	if !(tc > 0 && tc < 1 && tb > 0 && tb < 1 && n > 0 && m > 0) {
		return 0, 0, false
	}
	l := newLine(n, m, margin, tb)
	return l.project(tc)
}

// line is the margin beside a guess of the baseline's rate, seen by two arms of
// so many requests.
type line struct {
	Margin
	kn, m      float64 // rho n and m
	tb         float64
	end        float64 // of the line: where c or b is 1
	base, part float64 // the least-squares answer is base + part tc
	square     bool    // the safe 2x2 test, for which that is the answer
}

// newLine weighs the two ends of the line, tb and (tc-delta)/rho, by the
// variances at tb.
func newLine(n, m float64, margin Margin, tb float64) line {
	l := line{Margin: margin, kn: n * margin.Factor, m: m, tb: tb, end: min(1, (1-margin.Extra)/margin.Factor)}
	wc, wb := l.kn, m
	if c := l.of(tb); c < 1 {
		wc, wb = wc*tb*(1-tb), wb*c*(1-c)
	}
	l.square = margin == (Margin{Factor: 1})
	scale := 1 / (wc*l.Factor + wb)
	l.part = wc * scale
	l.base = (wb*tb - wc*l.Extra) * scale
	return l
}

// project returns the point that is nearest to (tc, tb). Halley's steps triple
// the digits, so that a step in the third digit is the last one needed; what an
// error adds to the expectation is of its square.
func (l *line) project(tc float64) (c0, b0 float64, ok bool) {
	b := l.base + l.part*tc
	if !l.square {
		_, step := l.step(tc, b)
		b -= step
		if !(math.Abs(step) <= 1e-3*b*(l.end-b)) {
			b = l.root(tc, b)
		}
	}
	c0 = l.of(b)
	return c0, b, b > 0 && b < 1 && c0 > 0 && c0 < 1
}

// root finds the zero between the ends of the line: a step that would leave the
// bracket halves it.
func (l *line) root(tc, b float64) float64 {
	low, high := l.tb, (tc-l.Extra)/l.Factor
	if low > high {
		low, high = high, low
	}
	low, high = max(low, 0), min(high, l.end)
	if !(b > low && b < high) {
		b = low + (high-low)/2
	}
	for range 200 {
		value, step := l.step(tc, b)
		next := b - step
		if math.Abs(step) <= 1e-3*b*(l.end-b) && next > 0 && next < l.end {
			return next
		}
		if value > 0 {
			low = b
		} else {
			high = b
		}
		if !(next > low && next < high) { // NaN included
			next = low + (high-low)/2
		}
		if next == b || next == low || next == high {
			return next
		}
		b = next
	}
	return b
}

// step returns the equation's value, times both variances, and Halley's step.
func (l *line) step(tc, b float64) (value, step float64) {
	c := l.of(b)
	vb, vc := b*(1-b), c*(1-c)
	ub, uc := 1-2*b, 1-2*c
	wc, wb := l.kn*(tc-c), l.m*(l.tb-b)
	value = wc*vb + wb*vc
	first := wc*ub + l.Factor*(wb*uc-l.kn*vb) - l.m*vc
	second := wc + l.Factor*(l.kn*ub+l.m*uc+l.Factor*wb)
	return value, value * first / (first*first + value*second)
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
