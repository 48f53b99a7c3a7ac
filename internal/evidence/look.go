package evidence

// Count is what one arm did in one look. Halves and other fractions are allowed.
type Count struct {
	Bad   float64 // requests that failed, or were too slow
	Total float64 // all requests
}

// Look is what both arms did between two readings of their counters.
type Look struct {
	Canary, Baseline Count
	// Step: the first look of a step of the plan, so that a new block begins.
	Step bool
	// Alone: by the plan the baseline gets no requests.
	Alone bool
}

// sound reports whether a number can be a count. Above 1e15 a float64 has no
// halves any more: what is beyond is an error.
func sound(v float64) bool { return v >= 0 && v <= 1e15 }

// clean returns the count with no more bad requests than requests, which two
// counters that are read one after the other may show. What is no count at all
// (negative, NaN, above 1e15) becomes nothing.
func (c Count) clean() Count {
	if !sound(c.Bad) || !sound(c.Total) {
		return Count{}
	}
	return Count{Bad: min(c.Bad, c.Total), Total: c.Total}
}

// clean returns the look with clean counts; if one arm is no count, neither
// says anything.
func (l Look) clean() Look {
	for _, v := range [...]float64{l.Canary.Bad, l.Canary.Total, l.Baseline.Bad, l.Baseline.Total} {
		if !sound(v) {
			return Look{Step: l.Step, Alone: l.Alone}
		}
	}
	return Look{Canary: l.Canary.clean(), Baseline: l.Baseline.clean(), Step: l.Step, Alone: l.Alone}
}

// Margin is how bad the canary may be: its rate of bad requests is at most
// Factor times that of the baseline plus Extra.
type Margin struct {
	Factor float64 // a factor, at least 1
	Extra  float64 // a share of all requests, at least 0
}

// of returns the worst allowed rate beside a baseline of rate p.
func (m Margin) of(p float64) float64 { return m.Factor*p + m.Extra }

// odds returns that rate where odds are to be taken of it.
func (m Margin) odds(p float64) float64 { return min(m.of(p), 0.999) }
