package main

import (
	"cmp"
	"math"
	"math/rand/v2"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

const (
	perMinute = 4  // looks
	perLook   = 15 // seconds
	hour      = 60 * perMinute
)

// scenario is what happens in a rollout.
type scenario struct {
	name string
	// rps are the requests of the canary in a second, or of both arms if weight is set.
	rps float64
	// share is the canary's part of the requests by the plan; zero is a twentieth.
	share float64
	// weight is the part that it gets in a look; nil is share.
	weight func(look int) float64
	// healthy is how many looks come before what is to be found. Repetitions that are rolled
	// back in them do not count.
	healthy int
	// looks of 15 seconds that come then; zero is an hour's.
	looks int
	// slower is by what factor the canary answers more slowly; zero if it is not
	// about latency but about errors.
	slower float64
	// slow is how slow the canary is after the healthy looks, in the place of slower.
	slow slow
	// errors begins a rollout. What it returns is asked for look after look.
	errors func(r *rand.Rand) func(look int) moment
	// before is the rate of bad requests in the ten minutes before.
	before float64
	// times is how often each bad request is counted, as if by retries; zero is
	// once. Rates are of what is bad in itself.
	times float64
}

// moment is the arms' rates of bad requests in one look.
type moment struct{ canary, baseline float64 }

// rollout is what was counted in one repetition of a scenario.
type rollout struct {
	of      scenario
	latency bool
	before  evidence.Count
	// looks and minutes are the requests and the bad ones. If it is about
	// latency, bad is slower than the judged bound.
	looks, minutes []evidence.Look
	// slow has every useful bound, for the same looks; nil for errors.
	slow []evidence.LatencyLook
	// begins is the first look in which the arms' rates of errors differ; never without one.
	begins int
	// expected is what these bounds of the baseline showed before.
	expected []evidence.Count
	// tooSlow is, minute by minute, how many were above the objective's bound.
	tooSlow []evidence.Count
	// percentiles are the 99th of each minute.
	percentiles []arms
}

// arms is a number of each arm.
type arms struct{ canary, baseline float64 }

// requests returns how many requests the arms get in a look, on the average.
func (s scenario) requests(look int) arms {
	n := s.rps * perLook
	if s.weight == nil {
		return arms{n, n/cmp.Or(s.share, 0.05) - n}
	}
	weight := s.weight(look)
	return arms{n * weight, n * (1 - weight)}
}

// all is how many looks there are.
func (s scenario) all() int { return s.healthy + cmp.Or(s.looks, hour) }

// ramp raises the canary's weight from 1 to 50 %.
func ramp(look int) float64 { return 0.01 + 0.49*float64(look/perMinute)/59 }

// roll draws a rollout.
func (s scenario) roll(r *rand.Rand) rollout {
	if s.slower > 0 || s.slow != (slow{}) {
		return s.rollLatency(r)
	}
	out := rollout{of: s, begins: never}
	if s.before > 0 {
		out.before = s.count(r, 600*s.rps, s.before)
	}
	now := s.errors(r)
	for k := range s.all() {
		n, at := s.requests(k), now(k)
		alone := n.baseline == 0
		if at.canary != at.baseline {
			out.begins = min(out.begins, k)
		}
		out.looks = append(out.looks, evidence.Look{
			Canary:   s.count(r, n.canary, at.canary),
			Baseline: s.count(r, n.baseline, at.baseline),
			Alone:    alone, Step: alone && k == s.healthy,
		})
	}
	out.minutes = inMinutes(out.looks)
	return out
}

// count draws the requests of one arm.
func (s scenario) count(r *rand.Rand, n, rate float64) evidence.Count {
	times := max(s.times, 1)
	rate = min(rate, 1)
	bad := times * draw.Poisson(r, n*rate)
	return evidence.Count{Bad: bad, Total: bad + draw.Poisson(r, n*(1-rate))}
}

// constant has the same rates all the time.
func constant(canary, baseline float64) func(*rand.Rand) func(int) moment {
	return func(*rand.Rand) func(int) moment {
		return func(int) moment { return moment{canary, baseline} }
	}
}

// fault is the canary's rate so many looks after it began, beside the baseline's.
type fault func(look int, baseline float64) float64

func times(factor float64) fault { return func(_ int, p float64) float64 { return factor * p } }

// then lets a fault begin at a look.
func then(from int, errors func(*rand.Rand) func(int) moment, f fault) func(*rand.Rand) func(int) moment {
	return func(r *rand.Rand) func(int) moment {
		before := errors(r)
		return func(look int) moment {
			at := before(look)
			if look >= from {
				at.canary = f(look-from, at.baseline)
			}
			return at
		}
	}
}

// late has a canary whose rate is multiplied from minute 30 on.
func late(rate, factor float64) func(*rand.Rand) func(int) moment {
	return then(30*perMinute, constant(rate, rate), times(factor))
}

// burst has 2 % errors in both arms for ten minutes from minute 20 on, and 0.1 %
// before and after; the canary's are multiplied.
func burst(factor float64) func(*rand.Rand) func(int) moment {
	return func(*rand.Rand) func(int) moment {
		return func(look int) moment {
			rate := 0.001
			if minute := look / perMinute; minute >= 20 && minute < 30 {
				rate = 0.02
			}
			return moment{factor * rate, rate}
		}
	}
}

// drift goes from 0.1 to 1 % in both arms; the canary's rate is multiplied.
func drift(factor float64) func(*rand.Rand) func(int) moment {
	return func(*rand.Rand) func(int) moment {
		return func(look int) moment {
			rate := 0.001 + 0.009*float64(look)/(hour-1)
			return moment{factor * rate, rate}
		}
	}
}

// private has gamma noise of the canary alone, which changes after so many looks.
func private(rate, factor, cv float64, looks int) func(*rand.Rand) func(int) moment {
	return func(r *rand.Rand) func(int) moment {
		noise := 1.0
		return func(look int) moment {
			if look%looks == 0 {
				noise = draw.Gamma(r, cv)
			}
			return moment{factor * rate * noise, rate}
		}
	}
}

// persistent has noise of the canary alone whose logarithm is autoregressive from
// look to look, with a mean factor of 1.
func persistent(rate, phi, sd float64) func(*rand.Rand) func(int) moment {
	return func(r *rand.Rand) func(int) moment {
		level := sd * r.NormFloat64()
		return func(look int) moment {
			if look > 0 {
				level = phi*level + math.Sqrt(1-phi*phi)*sd*r.NormFloat64()
			}
			return moment{rate * math.Exp(level-sd*sd/2), rate}
		}
	}
}
