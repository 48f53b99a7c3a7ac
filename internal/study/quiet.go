package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/serin-go/serin/internal/evidence"
)

// bases are healthy canaries.
var bases = []scenario{
	{name: "err 0%", errors: constant(0, 0)},
	{name: "err 0.1%", errors: constant(0.001, 0.001)},
	{name: "err 1%", errors: constant(0.01, 0.01)},
	{name: "err 5%", errors: constant(0.05, 0.05)},
}

var doubts = []rule{
	{"E>1", looksWith(func(logE float64) bool { return logE > 0 })},
	{"in doubt", looksWith(evidence.Doubtful)},
	{"E>4.47", looksWith(func(logE float64) bool { return logE > math.Log(20)/2 })},
}

// doubted prints the looks that were counted, and the rollouts that had any.
func doubted(_ scenario, o outcome) string {
	sum := 0
	for _, looks := range o.looks {
		sum += looks
	}
	return fmt.Sprintf("%.3f, %.1f", 100*float64(sum)/float64(o.n*hour), o.share())
}

// alone are canaries that have half of the traffic for an hour, and then all.
func alone(rates []float64) (each []scenario) {
	for _, s := range atRates(bases, rates) {
		s.healthy = hour
		s.weight = halfThenAll
		each = append(each, s)
	}
	return each
}

func halfThenAll(look int) float64 {
	if look < hour {
		return 0.5
	}
	return 1
}

var aloneFaults = []variant{
	{"healthy", aDay, alike, byHours}, {"healthy, a swing of 5", swinging, alike, byHours},
	begun("x2", times(2), found), begun("x5", times(5), found), begun("x10", times(10), found),
	begun("+1%", more(0.01), found), begun("+5%", more(0.05), found),
	begun("30%", fixed(0.3), found), begun("outage", fixed(1), found),
}

var aloneMargins = []evidence.Margin{{Factor: 2, Extra: 0.005}, {Factor: 3, Extra: 0.005}, {Factor: 3, Extra: 0.01}}

// aloneWithin are the faults of a canary alone that may be worse by such a margin than what was learnt.
func aloneWithin(margin evidence.Margin) []variant {
	return ruled([]rule{{"", judged(func(bool) evidence.Settings { return evidence.Settings{Alone: margin} })}}, aloneFaults...)
}

// slower are canaries that become slower after fifty minutes of health.
func slower(rates []float64) (each []scenario) {
	for _, s := range []scenario{
		{name: "latency, healthy", slow: usual},
		{name: "latency +10%", slow: slow{0.416, 0.045, 0.007}},
		{name: "latency x1.5", slow: slow{0.63, 0.1, 0.02}},
		{name: "latency x2", slow: slow{0.78, 0.22, 0.06}},
		{name: "latency, 1% hang", slow: slow{0.361, 0.039, 0.014}},
		{name: "latency, all slower", slow: slow{1, 1, 1}},
	} {
		s.healthy = 201
		for _, s.share = range []float64{0.05, 0.5} {
			each = append(each, atRates([]scenario{s}, rates)...)
		}
	}
	return each
}

var slowFaults = []variant{{"late", nil, alike, found}, {"alone", becomingAlone, alike, found}}

// becomingAlone gives the canary all requests after the healthy looks.
func becomingAlone(s scenario) scenario {
	s.rps /= s.share
	s.weight = func(look int) float64 {
		if look < s.healthy {
			return s.share
		}
		return 1
	}
	return s
}

func aDay(s scenario) scenario {
	s.looks = 24 * hour
	return s
}

// swinging lets the rates of both arms swing by a factor of 5 within a day.
func swinging(s scenario) scenario {
	s = aDay(s)
	errors := s.errors
	s.errors = func(r *rand.Rand) func(int) moment {
		phase, now := 2*math.Pi*r.Float64(), errors(r)
		return func(look int) moment {
			factor := math.Pow(5, math.Sin(phase+2*math.Pi*float64(look)/(24*hour))/2)
			at := now(look)
			return moment{factor * at.canary, factor * at.baseline}
		}
	}
	return s
}

// byHours prints how many were rolled back within 1, 4 and 24 hours.
func byHours(_ scenario, o outcome) string {
	var within [3]int
	for _, look := range o.looks {
		for i, hours := range []int{1, 4, 24} {
			if look <= hours*hour {
				within[i]++
			}
		}
	}
	one := 100 / float64(o.n)
	return fmt.Sprintf("%.1f / %.1f / %.1f", one*float64(within[0]), one*float64(within[1]), one*float64(within[2]))
}

// quiet are rollouts with few requests.
func quiet() (each []scenario) {
	for _, share := range []float64{0.2, 0.5} {
		for _, s := range atRates(bases, []float64{0.2, 0.4, 1, 2, 4, 10}) {
			s.share = share
			each = append(each, s)
		}
	}
	return each
}

var passMargins = []evidence.Margin{
	{Factor: 1.5, Extra: 0.0005}, {Factor: 1.5, Extra: 0.002}, {Factor: 1.5, Extra: 0.005},
	{Factor: 2, Extra: 0.005}, {Factor: 1.5, Extra: 0.01}, {Factor: 2, Extra: 0.01},
}

// lowTraffic has such a margin of a pass. What is not passed and not failed is undecided after the
// hour.
func lowTraffic(margin evidence.Margin) []variant {
	settings := evidence.Settings{Pass: margin}
	rules := []rule{{"passed", says(evidence.Pass, settings)}, {"failed", says(evidence.Fail, settings)}}
	bad := ruled(rules, begun("x2", times(2), falsely), begun("+1%", more(0.01), falsely))
	return append([]variant{{"healthy", nil, rules[:1], forecast(settings)}}, bad...)
}

// forecast prints, beside what was found, its chance by the formula and after how many looks it is
// usual.
func forecast(s evidence.Settings) func(scenario, outcome) string {
	s, _ = s.For(evidence.Errors) // the rules say what is wrong with them
	return func(of scenario, o outcome) string {
		n, at := of.requests(0), of.errors(nil)(0)
		pace := s.PassPace(evidence.Rates{Canary: at.canary, Baseline: at.baseline, Ratio: n.baseline / n.canary}, n.canary)
		nats := evidence.Missing(s.Beta, s.FirstShare, 0)
		chance := evidence.Chance(nats, hour*pace.Mean, math.Sqrt(hour)*pace.Deviation)
		return fmt.Sprintf("%s; forecast %.0f%%, %.0f", found(of, o), 100*chance, nats/pace.Mean)
	}
}
