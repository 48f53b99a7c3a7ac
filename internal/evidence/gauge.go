package evidence

import "math"

// prior is how many batches the prior of a [GaugeTest] is worth.
const prior = 0.1

// GaugeTest compares a measured value, such as memory per pod, with the
// baseline's by the logarithm of their ratio (section 6). Like [ErrorTest] it is
// a value, and its zero value learns nothing. It is exact for independent normal
// batches and an approximation for others: it should not roll back alone.
type GaugeTest struct {
	settings Settings
	sum      float64 // of the open batch
	looks    int
	gap      bool // in the open batch
	series   series
}

// GaugeLook is what was measured at one time. If one of the values is not above
// 0 and finite (a restart, a missing sample), the batch that it belongs to is
// left out.
type GaugeLook struct {
	Canary, Baseline float64
	Step             bool // a batch begins; the open one is left out
}

// NewGaugeTest returns a test that has seen nothing. Of the settings, Fail.Factor
// and Pass.Factor are the tolerances and Block the looks of a batch.
func NewGaugeTest(s Settings) (GaugeTest, error) {
	s, err := s.For(Gauge)
	if err != nil {
		return GaugeTest{}, err
	}
	return GaugeTest{settings: s}, nil
}

// Update counts the next look.
func (t *GaugeTest) Update(l GaugeLook) {
	if t.settings.Block == 0 {
		return
	}
	if l.Step {
		t.sum, t.looks, t.gap = 0, 0, false
	}
	t.looks++
	if positive(l.Canary) && positive(l.Baseline) {
		t.sum += math.Log(l.Canary) - math.Log(l.Baseline)
	} else {
		t.gap = true
	}
	if t.looks < t.settings.Block {
		return
	}
	if !t.gap {
		t.series.add(t.sum / float64(t.looks))
	}
	t.sum, t.looks, t.gap = 0, 0, false
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

// Evidence returns what was seen so far. A mean on the wrong side of the
// tolerance counts as one on the tolerance.
func (t *GaugeTest) Evidence() Evidence {
	return Evidence{
		Fail: t.series.logE(math.Log(t.settings.Fail.Factor), 1),
		Pass: t.series.logE(math.Log(t.settings.Pass.Factor), -1),
	}
}

// series sums the means of batches up, as differences from the first of them.
type series struct {
	n           int
	first, last float64
	mean        float64 // of the differences
	squares     float64 // sum of (d - mean)^2
	sum         float64
	products    float64 // sum of d_i d_i-1
}

func (s *series) add(d float64) {
	if s.n == 0 {
		s.first = d
	}
	d -= s.first
	s.n++
	off := d - s.mean
	s.mean += off / float64(s.n)
	s.squares += off * (d - s.mean)
	s.sum += d
	s.products += d * s.last
	s.last = d
}

// logE returns the evidence for a mean above the tolerance (sign 1) or below it
// (sign -1).
func (s *series) logE(tolerance, sign float64) float64 {
	if s.n < 2 {
		return 0
	}
	n := float64(s.n) * s.shrink()
	off := max(sign*(s.first+s.mean-tolerance), 0)
	t := 0.0
	if off > 0 {
		t = off / s.scale()
	}
	return LogT(t, n, prior)
}

// scale is what the mean is off zero by where t is 1.
func (s *series) scale() float64 {
	n := float64(s.n)
	return math.Sqrt(s.squares / (n * s.shrink() * (n - 1)))
}

// shrink returns by what factor persistence makes the batches fewer:
// (1-rho1)/(1+rho1) with rho1 the lag-1 autocorrelation plus 1/n, if positive.
func (s *series) shrink() float64 {
	if s.squares == 0 {
		return 1
	}
	n := float64(s.n)
	// The sum of (d_i - mean)(d_i-1 - mean); the first difference is 0.
	lagged := s.products - s.mean*(s.sum+s.sum-s.last) + (n-1)*s.mean*s.mean
	rho := min(lagged/s.squares+1/n, 1)
	return min((1-rho)/(1+rho), 1)
}

// Ratio estimates how many times higher the canary's value is than the baseline's,
// with an interval that holds at all looks together with probability 1-alpha: the
// tolerances without evidence of 1/alpha against them. It is false while there are too
// few batches for any bound.
func (t *GaugeTest) Ratio(alpha float64) (Interval, bool) {
	s := &t.series
	if s.n < 2 {
		return Interval{}, false
	}
	n := float64(s.n) * s.shrink()
	if LogT(math.Inf(1), n, prior) < -math.Log(alpha) {
		return Interval{}, false
	}
	most := root(func(t float64) bool { return LogT(t, n, prior) < -math.Log(alpha) })
	mean, off := s.first+s.mean, most*s.scale()
	return Interval{math.Exp(mean), math.Exp(mean - off), math.Exp(mean + off)}, true
}

// root returns where low turns false, which it is for all greater numbers.
func root(low func(float64) bool) float64 {
	from, to := 0.0, 1.0
	for low(to) {
		to *= 2
	}
	for range 60 {
		if mid := (from + to) / 2; low(mid) {
			from = mid
		} else {
			to = mid
		}
	}
	return to
}

// Looks forecasts how many more looks a pass takes, at the level Beta of the
// settings, if the values go on as so far; false if they do not speak for one.
func (t *GaugeTest) Looks() (float64, bool) {
	s := &t.series
	room := math.Log(t.settings.Pass.Factor) - (s.first + s.mean)
	if s.n < 2 || !(room > 0) {
		return 0, false
	}
	if t.Evidence().Pass >= -math.Log(t.settings.Beta) {
		return 0, true
	}
	spread, n := s.squares/float64(s.n-1)/s.shrink(), 0.0
	for range 50 {
		n = max(2, (-math.Log(t.settings.Beta)+math.Log(max(n, 1)/prior)/2)*2*spread/(room*room))
	}
	return max(1, math.Ceil(n)-float64(s.n)) * float64(t.settings.Block), true
}
