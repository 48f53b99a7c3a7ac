package canary

import (
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// aborted reports whether an Abort is ordered, by Send or by annotation.
func (t *turn) aborted() bool {
	if t.o.Abort != "" {
		t.s.Command = Command{Order: order.Abort, By: "annotation", Why: clip(t.o.Abort, maxReason)}
	}
	return t.s.Command.Order == order.Abort
}

// tooLate takes an order away that came when the rollout was over.
func (t *turn) tooLate() *decision {
	t.s.Command = Command{}
	return t.write(t.o.Traffic, Reason{Cause: cause.Over, Detail: "an abort came too late, the rollout is over: " + t.o.Abort})
}

// leadsHome reports whether the rollout is one of another plan that is to be
// turned back, or is turning back: any driver of its owner does that, and any
// driver at all if a person orders it by annotation.
func (t *turn) leadsHome(aborted bool) bool {
	s := &t.s
	if s.Phase == phase.Idle || s.Phase.Final() || s.Plan == t.digest || t.misplaced() || t.lacksWorkload() || t.homeward().check(s) != nil {
		return false
	}
	return t.o.Abort != "" || s.Owner == t.owner && (aborted || rowOf(s.Phase).back)
}

// misplaced reports whether the State is one of another object.
func (t *turn) misplaced() bool {
	return t.s.Object != "" && t.o.Object != "" && t.s.Object != t.o.Object
}

// lacksWorkload reports whether stable has to be restored on the way back, and the
// driver cannot.
func (t *turn) lacksWorkload() bool {
	r := rowOf(t.s.Phase)
	return !t.o.Workload && t.s.End == PromoteStable && (r.moved || r.asks == askRestored)
}

// senseless reports whether the State tells nothing of a rollout that has the
// traffic: there is none, it is over, or none could have come to it.
func (t *turn) senseless() bool {
	s, sp := &t.s, t.spec
	own := s.Plan == t.digest
	if !own {
		sp = t.homeward()
	}
	switch {
	case s.Phase == phase.Idle, t.misplaced(), sp.check(s) != nil:
		return true
	case s.Phase.Final():
		return t.o.Traffic != s.Traffic || !own && t.o.Traffic != Traffic{}
	}
	return false
}

// homeward is a plan without steps, for the way back of a rollout whose plan is
// not known.
func (t *turn) homeward() *spec {
	return &spec{
		name: t.s.Name, revision: t.s.Revision, owner: t.s.Owner, digest: t.s.Plan, end: End{Kind: t.s.End},
		settle: t.settle, interval: t.interval, drift: drift{Limit: maxCount},
	}
}

// abandon turns back what no State explains. Stable may be between two versions,
// if the plan is one that promotes it.
func (t *turn) abandon() *decision {
	why := order.Abort.String() + t.s.Command.credit()
	t.fresh()
	t.s.Recalled = t.end.Kind == PromoteStable
	t.s.Traffic.HeaderRoutes = t.o.Traffic.HeaderRoutes
	return t.turnBack(why)
}

// smallest is s without what its rollout can do without on the way back.
func (s State) smallest() State {
	s.Approved, s.Revisions, s.Trace, s.evidence = nil, nil, nil, evidence{}
	s.Retreat.Resumed = nil
	s.Reason = clip(s.Reason, 60)
	return s
}
