package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// Faults of the canary, beside times.
func more(rate float64) fault { return func(_ int, p float64) float64 { return p + rate } }

func fixed(rate float64) fault { return func(int, float64) float64 { return rate } }

// growing has a factor that grows to the given one in an hour.
func growing(factor float64) fault {
	return func(look int, p float64) float64 { return p * math.Pow(factor, float64(look)/hour) }
}

// rising has a rate that rises to the given one in an hour.
func rising(rate float64) fault {
	return func(look int, p float64) float64 { return p + (rate-p)*float64(look)/hour }
}

// flapping has a rate for some looks, again and again.
func flapping(rate float64, looks, every int) fault {
	return func(look int, p float64) float64 {
		if look%every < looks {
			return rate
		}
		return p
	}
}

// never is longer than any rollout.
const never = 1e6

// begun is a variant in which a fault begins after the healthy looks.
func begun(name string, f fault, cell func(scenario, outcome) string) variant {
	change := func(s scenario) scenario {
		s.errors = then(s.healthy, s.errors, f)
		return s
	}
	return variant{name, change, alike, cell}
}

// ruled lets other rules judge the variants.
func ruled(rules []rule, some ...variant) (each []variant) {
	for _, v := range some {
		v.rules = rules
		each = append(each, v)
	}
	return each
}

// alike are the defaults where nothing else is compared with them.
var alike = []rule{{"", judged(defaults)}}

var lateFaults = []variant{
	begun("x2", times(2), within), begun("x5", times(5), within), begun("x10", times(10), within),
	begun("x100", times(100), within), begun("30%", fixed(0.3), within), begun("outage", fixed(1), within),
}

// begunLate are the scenarios of late faults, with 0.1 % errors before: healthy canaries, noisy
// ones, a day of health, and a baseline that keeps some per cent.
func begunLate(rates []float64) (each []scenario) {
	add := func(name string, errors func(*rand.Rand) func(int) moment, shares []float64, healthy ...int) {
		for _, share := range shares {
			for _, s := range atRates([]scenario{{name: name, share: share, errors: errors}}, rates) {
				for _, s.healthy = range healthy {
					each = append(each, s)
				}
			}
		}
	}
	same := constant(0.001, 0.001)
	add("late", same, []float64{0.05, 0.2, 0.5}, 4, 17, 60, 201, 800)
	add("late, private cv.3/min before", private(0.001, 1, 0.3, perMinute), []float64{0.05, 0.2, 0.5}, 60, 201)
	add("late, a day before", same, []float64{0.2, 0.5}, 24*hour)
	add("late, held back", same, []float64{0.95, 0.98, 0.99}, 17, 201)
	return each
}

// shapes are faults of an hour that are not constant, after an hour with 0.1 % errors.
func shapes(rates []float64) (each []scenario) {
	for _, shape := range []struct {
		name string
		fault
	}{
		{"gradual x1 to x100 in 60 min", growing(100)},
		{"gradual x1 to x10 in 60 min", growing(10)},
		{"gradual .1 to 10% linear in 60 min", rising(0.1)},
		{"heals: outage 1 look", flapping(1, 1, never)},
		{"heals: outage 2 looks", flapping(1, 2, never)},
		{"heals: outage 3 looks", flapping(1, 3, never)},
		{"heals: 10% for 4 looks", flapping(0.1, 4, never)},
		{"heals: x5 for 12 looks", flapping(0.005, 12, never)},
		{"flaps: outage 2 looks of 20", flapping(1, 2, 20)},
		{"flaps: 10% 2 looks of 20", flapping(0.1, 2, 20)},
		{"flaps: outage 1 look of 20", flapping(1, 1, 20)},
	} {
		errors := then(hour, constant(0.001, 0.001), shape.fault)
		for _, share := range []float64{0.05, 0.5} {
			each = append(each, atRates([]scenario{{name: shape.name, share: share, healthy: hour, errors: errors}}, rates)...)
		}
	}
	return each
}

// within prints the median and the 95th percentile of the looks of all; if most are not found, how
// many are.
func within(_ scenario, o outcome) string {
	at := func(percent int) string {
		if i := o.n * percent / 100; i < len(o.looks) {
			return strconv.Itoa(o.looks[i])
		}
		return "-"
	}
	if at(50) == "-" {
		return fmt.Sprintf("- (%.0f%%)", o.share())
	}
	return fmt.Sprintf("%s (%s)", at(50), at(95))
}

// found prints how many were found, and the median and the 90th percentile of their looks.
func found(_ scenario, o outcome) string {
	n := len(o.looks)
	if n == 0 {
		return fmt.Sprintf("%.0f%%", o.share())
	}
	return fmt.Sprintf("%.3g%% %d (%d)", o.share(), o.looks[n/2], o.looks[n*9/10])
}
