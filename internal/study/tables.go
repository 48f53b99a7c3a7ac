package main

import (
	"fmt"
	"slices"

	"github.com/serin-go/serin/internal/evidence"
)

// all are the tables.
func all(rates []float64) []table {
	return slices.Concat([]table{
		{"1", "False rollbacks of healthy canaries, %", named[:2], by(hourly, falsely), atRates(healthy, rates)},
		{"1", "The same within a day, 5760 looks", named[:2], by(daily, falsely), day()},
		{"2", "% detected / median minutes / mean bad requests", named[:2], by(hourly, detection), atRates(worse, rates)},
		{"3", "Stress: false rollbacks, or % detected and median minutes", named[:1], by(stressed, brief), stress},
		{"4", "Errors that begin after healthy looks: median looks to a fail (95th percentile), or % found in an hour", named, lateFaults, begunLate(rates)},
		{"5", "Shapes after an hour of health: % found in an hour, median looks (90th percentile)", named[:3], by([]rule{serin}, found), shapes(rates)},
		{"6", "Healthy canaries under broken assumptions: % rolled back in an hour", named[:3], by(margins, falsely), broken},
		{"7", "Evidence against healthy canaries: % of looks, % of rollouts with such a look", named[:2], by(doubts, doubted), atRates(bases[1:], rates)},
	}, withMargins(aloneMargins, aloneWithin, table{
		number: "8", title: "Alone after an hour of 50/50: % of healthy ones failed in 1 / 4 / 24 hours; % found in an hour, median looks (90th percentile); the Alone margin being",
		keys: named[:2], scenarios: alone(rates),
	}), []table{
		{"8", "Slower after 201 healthy looks, beside a baseline or alone: % found in an hour, median looks (90th percentile)", named[:3], slowFaults, slower(rates)},
		{"8", "Whole plans, the canary turning bad in one step: % failed, median looks of it (90th percentile); % promoted", named[:2], planned, plans(rates)},
		{"9", "A canary that cannot be reached: % found, median looks (90th percentile)", named[:3], by(unreachable, found), unreached()},
	}, withMargins(passMargins, lowTraffic, table{
		number: "10", title: "Passed in an hour, the Pass margin being", keys: named[:3], scenarios: quiet(),
	}))
}

// withMargins has a table for each margin.
func withMargins(margins []evidence.Margin, variants func(evidence.Margin) []variant, t table) (each []table) {
	title := t.title
	for _, m := range margins {
		t.title, t.variants = fmt.Sprintf("%s %v + %v", title, m.Factor, m.Extra), variants(m)
		each = append(each, t)
	}
	return each
}

var (
	serin = rule{"Serin", judged(defaults)}
	rec   = rule{"REC", judged(recommended)}
	often = rule{"E05-15s", plainLooks}

	hourly = []rule{
		{"Flagger", flagger}, {"Argo", argo}, {"MW-each", mannWhitneyEach}, {"MW-end", mannWhitneyEnd},
		{"z-each", pooledZ}, {"AsympCS", asymptoticMinutes}, {"E05", plainMinutes}, often, rec, serin,
	}
	daily    = []rule{often, rec, serin}
	stressed = []rule{
		{"z-each", pooledZ}, {"AsympCS", asymptoticLooks}, {"MW-each", mannWhitneyEach}, {"E05 plain", plainLooks},
		{"BB tau.3", blocks}, rec, {"REC strict", judged(strict)}, {"min(E,T)", both}, serin,
	}
)

var (
	healthy = []scenario{
		{name: "A/A err 0.1%", errors: constant(0.001, 0.001)},
		{name: "A/A err 0.5%", errors: constant(0.005, 0.005)},
		{name: "A/A latency", slower: 1},
	}
	worse = []scenario{
		{name: "err 0.1->0.2%", errors: constant(0.002, 0.001)},
		{name: "err 0.1->1%", errors: constant(0.01, 0.001)},
		{name: "err 0.5->5%", errors: constant(0.05, 0.005)},
		{name: "latency +10%", slower: 1.1},
		{name: "latency +50%", slower: 1.5},
	}
	stress = []scenario{
		{name: "A/A shared burst 0.1->2% 10min, 10rps", rps: 10, errors: burst(1)},
		{name: "A/A shared burst, 100rps", rps: 100, errors: burst(1)},
		{name: "A/A ramp 1->50%, drift .1->1%, 1000rps tot", rps: 1000, weight: ramp, errors: drift(1)},
		{name: "A/A ramp, 100rps tot", rps: 100, weight: ramp, errors: drift(1)},
		{name: "A/A each event twice, p=.5% 10rps", rps: 10, times: 2, errors: constant(0.005, 0.005)},
		{name: "A/A each event 4x, p=.5% 10rps", rps: 10, times: 4, errors: constant(0.005, 0.005)},
		{name: "A/A private cv.3/min p=.5% 10rps", rps: 10, errors: private(0.005, 1, 0.3, perMinute)},
		{name: "A/A private cv.3/min p=.5% 100rps", rps: 100, errors: private(0.005, 1, 0.3, perMinute)},
		{name: "A/A private cv.3/min p=.5% 1000rps", rps: 1000, errors: private(0.005, 1, 0.3, perMinute)},
		{name: "A/A private cv.6/min p=.5% 100rps", rps: 100, errors: private(0.005, 1, 0.6, perMinute)},
		{name: "A/A private cv.3/15s p=.5% 100rps", rps: 100, errors: private(0.005, 1, 0.3, 1)},
		{name: "A/A private cv1/15s p=.5% 10rps", rps: 10, errors: private(0.005, 1, 1, 1)},
		{name: "A/A AR1 .9 sd.2 p=.5% 100rps", rps: 100, errors: persistent(0.005, 0.9, 0.2)},
		{name: "A/A AR1 .9 sd.05 p=.5% 1000rps", rps: 1000, errors: persistent(0.005, 0.9, 0.05)},
		{name: "DET 2x private cv.3/min p=.5% 100rps", rps: 100, errors: private(0.005, 2, 0.3, perMinute)},
		{name: "DET 10x private cv.3/min p=.5% 100rps", rps: 100, errors: private(0.005, 10, 0.3, perMinute)},
		{name: "DET 2x shared burst 100rps", rps: 100, errors: burst(2)},
		{name: "DET 2x ramp 1000rps tot", rps: 1000, weight: ramp, errors: drift(2)},
		{name: "DET late(30m) 2x p=.1% 100rps", rps: 100, errors: late(0.001, 2)},
		{name: "DET late(30m) 10x p=.1% 10rps", rps: 10, errors: late(0.001, 10)},
		{name: "DET late(30m) 2x p=.5% 100rps", rps: 100, errors: late(0.005, 2)},
	}
)

// atRates gives every scenario every rate.
func atRates(some []scenario, rates []float64) (each []scenario) {
	for _, s := range some {
		for _, s.rps = range rates {
			each = append(each, s)
		}
	}
	return each
}

// day has the healthy scenarios of errors with a look every 15 seconds for a day.
func day() (each []scenario) {
	for _, s := range atRates(healthy[:2], []float64{10, 100}) {
		s.looks = 24 * hour
		each = append(each, s)
	}
	return each
}
