package canary

import (
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// gated reports whether gates may still be ahead.
func gated(p phase.Phase) bool {
	return p == phase.Preparing || p == phase.Progressing || p == phase.Retreating
}

// share is whose the live traffic is in a phase.
type share uint8

const (
	ofStep    share = iota // as the step says
	ofStable               // all is stable's
	ofCanary               // all is the canary's
	ofOutcome              // as the outcome says
)

// ends is a set of EndKinds.
type ends uint8

const (
	endsStay    ends = 1 << Stay
	endsPromote ends = 1 << PromoteStable
	endsDiscard ends = 1 << Discard
	endsAll          = endsStay | endsPromote | endsDiscard
)

// row is what a phase is: who gets the traffic, what is asked, which phase
// follows a yes, and what a command or a failure may do in it.
type row struct {
	ends    ends        // of the plans that know it
	traffic share       //
	final   bool        //
	asks    ask         // whose yes it waits for once its traffic is seen
	waits   cause.Cause // why it stays until then
	judged  bool        // a failing canary turns it back
	// then is what follows, by the plan's end. Nothing is a phase to be worked
	// out: the outcome.
	then [3]phase.Phase
	// moved: stable may run another version than before the rollout.
	moved bool
	// back: it leads back already.
	back bool
	// pausable: it can be kept from being left.
	pausable bool
	// bare: header routes that stood are gone.
	bare bool
}

// phases are the rows of the table.
var phases = [...]row{
	phase.Idle:            {ends: endsAll, bare: true},
	phase.Preparing:       {ends: endsAll, traffic: ofStable, pausable: true},
	phase.Progressing:     {ends: endsAll, traffic: ofStep, judged: true, pausable: true},
	phase.Retreating:      {ends: endsAll, traffic: ofStable, pausable: true},
	phase.CompletingShift: {ends: endsStay | endsPromote, traffic: ofCanary, judged: true, pausable: true, then: [3]phase.Phase{Stay: phase.Baking, PromoteStable: phase.PromotingStable}},
	phase.PromotingStable: {ends: endsPromote, traffic: ofCanary, asks: askPromoted, waits: cause.Promoting, judged: true, moved: true, pausable: true, then: [3]phase.Phase{PromoteStable: phase.Returning}},
	phase.Returning:       {ends: endsPromote | endsDiscard, traffic: ofStable, judged: true, moved: true, then: [3]phase.Phase{PromoteStable: phase.Baking, Discard: phase.CleaningUp}},
	phase.Baking:          {ends: endsStay | endsPromote, traffic: ofOutcome, judged: true, moved: true, then: [3]phase.Phase{Stay: phase.CleaningUp, PromoteStable: phase.CleaningUp}},
	phase.RestoringStable: {ends: endsPromote, traffic: ofCanary, asks: askRestored, waits: cause.Restoring, back: true, then: [3]phase.Phase{PromoteStable: phase.RollingBack}},
	phase.RollingBack:     {ends: endsAll, traffic: ofStable, back: true, then: [3]phase.Phase{Stay: phase.CleaningUp, PromoteStable: phase.CleaningUp, Discard: phase.CleaningUp}},
	phase.CleaningUp:      {ends: endsAll, traffic: ofOutcome, asks: askRemoved, waits: cause.CleaningUp, back: true, bare: true},
	phase.Promoted:        {ends: endsStay | endsPromote, traffic: ofOutcome, final: true, bare: true},
	phase.Discarded:       {ends: endsDiscard, traffic: ofStable, final: true, bare: true},
	phase.RolledBack:      {ends: endsAll, traffic: ofStable, final: true, bare: true},
}

// rowOf returns what p is; an unknown phase is nothing.
func rowOf(p phase.Phase) *row {
	if int(p) >= len(phases) {
		return &phases[phase.Idle]
	}
	return &phases[p]
}
