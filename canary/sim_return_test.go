package canary

import (
	"slices"

	"github.com/serin-go/serin/canary/phase"
)

// holdReturn holds that the share of a promoted stable never falls, and rises by the plan: no
// share is left out, and each that stable was given is held.
func (w *world) holdReturn(before, after State, t Traffic) {
	had, has := before.Traffic.Stable(), after.Traffic.Stable()
	plan := &w.sim.plan.spec.returns
	enters := before.Phase == phase.PromotingStable
	switch {
	case before.Phase != phase.Returning && !enters:
		return
	case has < had:
		w.broken("stable had %v, and gets %v in a return", had, has)
	case has == had || len(plan.Stable) == 0 || w.told || before.PromoteNow:
		return
	case w.traffic != before.Traffic: // somebody else has changed it
		return
	}
	most := Full
	if i := slices.IndexFunc(plan.Stable, func(share Weight) bool { return share > had }); i >= 0 {
		most = plan.Stable[i]
	}
	if has > most {
		w.broken("stable had %v, and gets %v, not at most %v", had, has, most)
	}
	if enters || before.Skipped || w.sim.clockSteps || !slices.Contains(plan.Stable, had) {
		return
	}
	since := w.divided.Add(simSettle - simSlack)
	if w.sim.plan.spec.verify && !w.sim.meddled {
		since = w.shown
	}
	if held := w.now.Add(2 * simSlack).Sub(since); held < plan.Hold {
		w.broken("stable had %v for %v, want %v", had, held, plan.Hold)
	}
}
