package canary

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// older reports whether the rollout in the State is under way, and of a revision that came
// before that of this plan. The State remembers the revisions in the order in which they
// came, so that of two drivers that both live only one goes on.
func (t *turn) older() bool {
	s := &t.s
	switch {
	case s.Phase == phase.Idle || s.Phase.Final() || t.misplaced():
		return false
	case s.Name != t.name || s.Owner != t.owner || s.Revision == t.revision || s.Revision == "" || t.revision == "":
		return false
	}
	return !t.o.Had && !slices.Contains(s.Revisions, t.revision)
}

// settled reports whether a newer revision is to let the rollout end: it has changed stable
// already, or has come to a point of no return.
func (p *Place) settled() bool { return rowOf(p.Phase).moved || p.mustStay() }

// supersede orders an Abort of an older revision, unless that is settled, or nothing is left of it
// but what is cleaned up.
func (t *turn) supersede() {
	if t.older() && !t.s.settled() && !t.s.leadsBack() && t.s.Phase != phase.CleaningUp && t.homeward().check(&t.s) == nil {
		t.s.Command = Command{Order: order.Abort, By: "revision " + clip(t.revision, maxName/2), Why: "it supersedes " + clip(t.s.Revision, maxName/2)}
		t.s.Revisions = remember(t.s.Revisions, t.s.Revision)
	}
}

// remember appends a revision, and forgets the oldest where there are too many.
func remember(all []string, revision string) []string {
	all = slices.DeleteFunc(slices.Clone(all), func(r string) bool { return r == revision })
	all = append(all, revision)
	return all[max(0, len(all)-maxRevisions):]
}

// revisions are those that a rollout beginning now has superseded.
func (t *turn) revisions() []string {
	s := &t.s
	if s.Name != t.name {
		return nil
	}
	all := s.Revisions
	if s.Revision != "" {
		all = remember(all, s.Revision)
	}
	return slices.DeleteFunc(slices.Clone(all), func(r string) bool { return r == t.revision })
}

// handover is how long a newer revision waits for one that is settled.
const handover = time.Hour

// awaits waits for an older revision that is settled. It is nil if there is none, or if that
// takes too long.
func (t *turn) awaits() *decision {
	until := t.s.Entered.Add(handover)
	if !t.older() || !t.s.settled() || !t.before(until) {
		return nil
	}
	t.bystander = true
	why := cause.Promoting
	if t.s.mustStay() {
		why = cause.NoReturn
	}
	return t.stay(Reason{why, fmt.Sprintf("revision %s is %v; this one begins when that is over", t.s.Revision, t.s.Phase), until})
}
