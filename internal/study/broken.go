package main

import (
	"math/rand/v2"

	"github.com/serin-go/serin/internal/evidence"
)

// margins are the defaults beside the margins of the preset Strict, both at 5 %.
var margins = []rule{serin, {"Strict margins", judged(func(bool) evidence.Settings {
	return evidence.Settings{Preset: evidence.Strict, Alpha: 0.05}
})}}

// broken are healthy canaries whose rollout breaks what the judge assumes: that the arms are read
// at the same time, and that nothing but the version makes one arm worse.
var broken = []scenario{
	{name: "arms read at other moments, 5 s of 80 % each minute in both, 10 rps in all", share: 0.2, rps: 2, errors: misread},
	{name: "the same, 100 rps in all", share: 0.2, rps: 20, errors: misread},
	{name: "both private cv.3/min p=.5%", share: 0.05, rps: 1000, errors: bothPrivate(0.005, 0.3, perMinute)},
	{name: "both private cv.6/min p=.5%", share: 0.05, rps: 100, errors: bothPrivate(0.005, 0.6, perMinute)},
	{name: "private cv.3/5min p=.5%", share: 0.05, rps: 1000, errors: private(0.005, 1, 0.3, 5*perMinute)},
	{name: "private cv.3/min p=.5%", share: 0.5, rps: 1000, errors: private(0.005, 1, 0.3, perMinute)},
	{name: "private cv1/min p=.5%", share: 0.05, rps: 100, errors: private(0.005, 1, 1, perMinute)},
	{name: "one canary look of 100 % each 15 min", share: 0.05, rps: 10, errors: then(30, constant(0.001, 0.001), flapping(1, 1, 60))},
	{name: "cold canary, +2 % in 2 looks", share: 0.2, rps: 100, errors: then(0, constant(0.001, 0.001), flapping(0.021, 2, never))},
	{name: "cold canary, +2 % in 4 looks", share: 0.2, rps: 100, errors: then(0, constant(0.001, 0.001), flapping(0.021, 4, never))},
}

// bothPrivate has gamma noise of each arm by itself.
func bothPrivate(rate, cv float64, looks int) func(*rand.Rand) func(int) moment {
	one := private(rate, 1, cv, looks)
	return func(r *rand.Rand) func(int) moment {
		canary, baseline := one(r), one(r)
		return func(look int) moment { return moment{canary(look).canary, baseline(look).canary} }
	}
}

// misread has 0.1 % errors in both arms, and 80 % for five seconds somewhere in each minute. The
// looks of each arm are late by up to a look of its own.
func misread(r *rand.Rand) func(int) moment {
	const burst, minute = 5, 60
	late := arms{perLook * r.Float64(), perLook * r.Float64()}
	begins := make([]float64, hour/perMinute+1)
	for i := range begins {
		begins[i] = minute*float64(i) + (minute-burst)*r.Float64()
	}
	rate := func(from float64) float64 {
		seconds := 0.0
		for _, at := range begins {
			seconds += max(0, min(from+perLook, at+burst)-max(from, at))
		}
		return 0.001 + (0.8-0.001)*seconds/perLook
	}
	return func(look int) moment {
		from := float64(look * perLook)
		return moment{rate(from + late.canary), rate(from + late.baseline)}
	}
}
