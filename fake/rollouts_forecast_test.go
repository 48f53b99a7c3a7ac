package fake_test

import (
	"cmp"
	"math"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/evidence"
)

// The forecasts of internal/evidence/doc.go, section 10, for the default judge: its three metrics
// have the weights 1, 1 and 0.1.
const (
	wholeLook    = 15 * time.Second
	wholeLag     = wholeLook / 3
	wholeWeights = 2.1
)

// wholeSettings are those of server errors, or of client errors.
func wholeSettings(clients bool) (s evidence.Settings, weights float64) {
	s, weights = evidence.Settings{}, wholeWeights
	if clients {
		far := evidence.Margin{Factor: 2, Extra: 0.05}
		s, weights = evidence.Settings{Fail: far, Pass: far, Alone: evidence.Margin{Factor: 3, Extra: 0.1}}, wholeWeights/0.1
	}
	s, _ = s.For(evidence.Errors)
	return s, weights
}

// prospect is what some looks add to the evidence, after those that were there before.
type prospect struct{ before, looks, mean, square float64 }

func (p *prospect) add(looks float64, pace evidence.Pace) {
	p.looks += looks
	p.mean += looks * pace.Mean
	p.square += looks * pace.Deviation * pace.Deviation
}

func (p *prospect) chance(nats float64) float64 {
	return evidence.Chance(nats, p.mean, math.Sqrt(p.square))
}

// promoted is the chance that a healthy version is promoted: in the last step at the latest all
// live requests together have to bring a pass, of errors and of latency.
func (s wholeService) promoted(p canary.Plan) float64 {
	errors, _ := wholeSettings(false)
	latency, _ := evidence.Settings{}.For(evidence.Latency)
	all := make([]prospect, 1+len(wholeSlower))
	for _, step := range p.Steps() {
		n, ratio := s.requests(step.Traffic)
		if step.Traffic.Canary == 0 || ratio == 0 {
			continue
		}
		room := cmp.Or(step.Deadline, wholePatience) - p.Settle() - p.ScrapeLag() - wholeLag
		looks := math.Floor(float64(room) / float64(wholeLook))
		pace := errors.PassPace(evidence.Rates{Canary: s.usual, Baseline: s.usual, Ratio: ratio}, n)
		all[0].add(looks*thin(n, ratio, errors.Pass.Factor), pace)
		for i, q := range wholeSlower {
			all[1+i].add(looks*thin(n, ratio, latency.Pass.Factor), latencyPace(latency, q, ratio, n))
		}
	}
	least := 1.0
	for i := range all {
		least = min(least, all[i].chance(evidence.Missing(errors.Beta, errors.FirstShare, 0)))
	}
	return least
}

// wholeSlower are the shares of requests that take longer than 50, 100, 250 and 500 ms.
var wholeSlower = [...]float64{0.783, 0.355, 0.0288, 0.0011}

// latencyPace is that of a look at one bound, which a share q of the requests exceeds, for a pass.
func latencyPace(s evidence.Settings, q, ratio, n float64) (most evidence.Pace) {
	m := n * ratio
	margin := s.Pass.Factor*q + s.Pass.Extra
	if margin >= 1 {
		margin = 0.999
	}
	phi := s.EventsPerCause + s.Noise*s.Noise*float64(s.Block)*margin*(1-margin)*n*m/(n+m)
	for _, g := range s.PassGrid.Multipliers() {
		at := func(x, y float64) float64 {
			l := evidence.Look{Canary: evidence.Count{Bad: x, Total: n}, Baseline: evidence.Count{Bad: y, Total: m}}
			return evidence.LogProjection(l, s.Pass, g*margin/(1-margin+g*margin), q) / phi
		}
		none := at(0, 0)
		canary, stable := (at(n, 0)-none)/n, (at(0, m)-none)/m
		if mean := at(n*q, m*q); mean > most.Mean {
			most = evidence.Pace{Mean: mean, Deviation: math.Sqrt(q * (1 - q) * (n*canary*canary + m*stable*stable))}
		}
	}
	return most
}

// thin is the part of the evidence that looks with so few requests bring: what a look says grows
// with nm/(rho n + m), of which the mean is less than that of the means.
func thin(n, ratio, rho float64) (part float64) {
	m := n * ratio
	if max(n, m) > 40 {
		return 1
	}
	for i := range 100 {
		for j := range 100 {
			if x, y := float64(i), float64(j); x*y > 0 {
				part += poisson(i, n) * poisson(j, m) * x * y / (rho*x + y)
			}
		}
	}
	return part / (n * m / (rho*n + m))
}

func poisson(k int, mean float64) float64 {
	log, _ := math.Lgamma(float64(k) + 1)
	return math.Exp(float64(k)*math.Log(mean) - mean - log)
}

// requests is how many a look has of the canary, and of the baseline for each of those.
func (s wholeService) requests(t canary.Traffic) (n, ratio float64) {
	share, others := float64(t.Canary)/float64(canary.Full), 1.0
	if t.Canary > 0 {
		others = 1 - share
	} else {
		share = float64(t.Mirror) / float64(canary.Full)
	}
	return s.perSecond * share * wholeLook.Seconds(), others / share
}

// wholeStretch is the looks of a time without a change of the traffic.
type wholeStretch struct {
	before, after float64 // looks before the harm begins, and after that
	canary, ratio float64
	alone, copies bool
}

// stretches are those of a rollout with such spells.
func (o *wholeOutcome) stretches(spells []wholeSpell, lasted time.Duration) (all []wholeStretch) {
	for i, s := range spells {
		to := lasted
		if i+1 < len(spells) {
			to = spells[i+1].from
		}
		traffic := s.traffic
		if s.phase >= phase.CompletingShift {
			traffic = canary.Traffic{Canary: canary.Full}
		}
		if traffic.Canary == 0 && traffic.Mirror == 0 {
			continue
		}
		from := s.from
		if i == 0 || spells[i-1].traffic != s.traffic {
			from += o.plan.Settle() + o.plan.ScrapeLag()
		}
		looks := func(from, to time.Duration) float64 { return max(0, math.Floor(float64(to-from)/float64(wholeLook))) }
		one := wholeStretch{before: looks(from, min(to, o.began)), after: looks(max(from, o.began), to-wholeLag-o.service.interval())}
		one.canary, one.ratio = o.service.requests(traffic)
		one.alone, one.copies = one.ratio == 0, traffic.Canary == 0
		all = append(all, one)
	}
	return all
}

// found is the chance that the judge finds the harm in a rollout with such spells.
func (o *wholeOutcome) found(spells []wholeSpell, lasted time.Duration) float64 {
	if o.harm.both {
		return o.foundInStable(spells, lasted)
	}
	settings, weights := wholeSettings(o.harm.status != 0)
	bad, usual := o.harm.bad(o.service.usual), o.service.usual
	if o.harm.status != 0 {
		usual = 0
	}
	fails := settings
	fails.Pass, fails.PassGrid = settings.Fail, settings.FailGrid // PassPace is then that of a fail
	wide := fails
	wide.Pass = settings.Alone
	past := evidence.Count{Bad: usual * 3600 * o.service.perSecond, Total: 3600 * o.service.perSecond} // of stable
	var live, copies prospect
	for _, s := range o.stretches(spells, lasted) {
		rates := evidence.Rates{Canary: bad, Baseline: usual, Ratio: s.ratio}
		switch {
		case s.copies && o.harm.status == 0:
			copies.before += s.before
			copies.add(s.after, wide.PassPace(rates, s.canary))
		case s.copies: // client errors are judged of live requests
		case s.alone:
			live.before += s.before
			live.add(s.after, alone(settings, past, bad, s.canary))
		default:
			live.before += s.before
			live.add(s.after, fails.PassPace(rates, s.canary))
			keep := math.Pow(1-1./240, s.before+s.after)
			past.Total = keep*past.Total + (1-keep)*240*s.canary*s.ratio
			past.Bad = usual * past.Total
		}
	}
	if copies.before+copies.looks > 0 {
		return max(late(settings, live, weights*4/3), late(settings, copies, weights*4))
	}
	return late(settings, live, weights)
}

// late is the chance to reach a fail, if so many looks were seen before: evidence that starts with
// a look is what is left for it, and no look adds more than the cap.
func late(s evidence.Settings, all prospect, weights float64) float64 {
	fail := math.Log(weights / s.Alpha)
	if all.looks < math.Ceil((fail+1)/s.LookCap) {
		return 0
	}
	planned := float64(s.Block * s.Blocks)
	start := math.Log((1 - s.FirstShare) / planned / math.Pow(1+all.before/planned, 2))
	if all.before == 0 {
		start = math.Log(s.FirstShare)
	}
	return all.chance(fail + 1 - start)
}

// alone is the pace of a canary that is compared with the past of stable.
func alone(s evidence.Settings, past evidence.Count, bad, requests float64) evidence.Pace {
	p0, known := evidence.Allowed(past, s.Alone, 0.5)
	if !known {
		return evidence.Pace{}
	}
	var most evidence.Pace
	phi := s.EventsPerCause + s.Noise*s.Noise*float64(s.Block)*requests*p0
	for _, g := range s.FailGrid.Multipliers() {
		one := evidence.LogAbsolute(evidence.Count{Bad: 1, Total: 1}, p0, g)
		none := evidence.LogAbsolute(evidence.Count{Total: 1}, p0, g)
		if mean := requests * (bad*one + (1-bad)*none) / phi; mean > most.Mean {
			most = evidence.Pace{Mean: mean, Deviation: math.Sqrt(requests*bad*(1-bad)) * (one - none) / phi}
		}
	}
	return most
}

// foundInStable is the chance that stable is found to be worse than before the rollout, by its last
// eight looks.
func (o *wholeOutcome) foundInStable(spells []wholeSpell, lasted time.Duration) (most float64) {
	settings, _ := evidence.Settings{Alpha: 0.01}.For(evidence.Errors)
	total := o.service.perSecond * time.Hour.Seconds()
	past := evidence.Count{Bad: o.service.usual * total, Total: total}
	for _, s := range o.stretches(spells, lasted) {
		if !s.alone {
			var last prospect
			last.add(min(8, s.after), alone(settings, past, o.harm.bad(o.service.usual), s.canary*s.ratio))
			most = max(most, late(settings, last, 1))
		}
	}
	return most
}
