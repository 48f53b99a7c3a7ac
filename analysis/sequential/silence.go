package sequential

import (
	"fmt"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/internal/judging"
)

// divided tells how the requests of the present block were divided.
func divided(all []look, requests []evidence.Look) string {
	block := all[len(all)-1].block
	var canary, baseline float64
	for k, l := range requests[:len(all)] {
		if all[k].block == block {
			canary, baseline = canary+l.Canary.Total, baseline+l.Baseline.Total
		}
	}
	return fmt.Sprintf("the requests are not divided as planned (%s to the canary at present, and %s planned), ",
		judging.Percent(canary/max(canary+baseline, 1)), judging.Percent(block.Canary))
}

// fewer reports whether the canary has had less than half of what was planned for it, in the last looks.
func fewer(all []look, requests []evidence.Look) bool {
	canary, whole := 0.0, 0.0
	for k := last(all); k < min(len(all), len(requests)); k++ {
		canary, whole = canary+requests[k].Canary.Total, whole+requests[k].Canary.Total+requests[k].Baseline.Total
	}
	planned := whole * all[len(all)-1].block.Canary
	return planned >= 20 && canary < planned/2
}

// stopped is in how many looks of the step under way, up to now, one of the arms had no request,
// although it must have been sent some, and what that means. Otherwise it is 0. Who hangs answers
// nothing, and nothing is counted.
func stopped(all []look, requests []evidence.Look) (looks int, why analysis.Blindness) {
	last := &all[len(all)-1]
	var canary, baseline float64
	for k := min(len(all), len(requests)) - 1; k >= 0 && all[k].now; k-- {
		c, b := canary+requests[k].Canary.Total, baseline+requests[k].Baseline.Total
		if c > 0 && b > 0 {
			break
		}
		looks, canary, baseline = looks+1, c, b
	}
	why = last.block.Blindness(canary, baseline)
	if looks < mostOpen || last.alone || last.merged || why != analysis.NoCanaryReadings && why != analysis.NoReadings {
		return 0, analysis.Unspecified
	}
	return looks, why
}

// silent reports whether a new version that has everything has had no request in the last looks,
// although the looks before them had so many that there must have been some.
func silent(all []look, requests []evidence.Look) bool {
	n := min(len(all), len(requests))
	if n <= mostOpen || !all[n-1].alone {
		return false
	}
	before, looks := 0.0, 0.0
	for k := n - 1; k >= 0 && looks < lastLooks; k-- {
		total := requests[k].Canary.Total + requests[k].Baseline.Total
		if k >= n-mostOpen && total > 0 {
			return false
		}
		if total > 0 {
			before, looks = before+total, looks+1
		}
	}
	return looks == lastLooks && before*mostOpen/lastLooks >= 20
}
