package canary

import (
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// verifies reports whether what the mesh does is looked at, and not only waited for.
func (t *turn) verifies() bool { return t.verify || t.o.Verifier }

// seen tells since when the mesh does the traffic of the State. If it was not seen to do
// that, the decision says what to do about it, and since is when it should have been, or
// zero before that.
func (t *turn) seen() (since time.Time, d *decision) {
	settled := t.s.Shifted.Add(t.settle)
	switch {
	case t.verifies() && !t.s.Verified.IsZero():
		return t.s.Verified, nil
	case t.before(settled):
		return since, t.stay(Reason{cause.Settling, t.s.Traffic.String(), settled})
	case !t.verifies(), t.s.Phase == phase.RestoringStable: // users are on a version that is turned back
		return settled, nil
	}
	a := t.o.Answers[askShown]
	switch {
	case a.Reply == unasked:
		return since, t.decide(decision{Ask: askShown, Traffic: t.s.Traffic})
	case a.Reply == Yes && t.o.Refused != "":
		return settled, nil // it cannot be noted, and is judged all the same
	case a.Reply == Yes:
		return since, t.verified(settled, a.Since)
	case !t.exposed() && t.o.Erred[askShown]:
		if d = t.unseen(a.Reason); t.promoted() && !d.Write { // users have the new version, and it is judged
			since = settled
		}
		return since, d
	case t.overdue(settled):
		return since, t.rollBack(fmt.Sprintf("not seen for %v: %s", t.pauseLimit(), a.Reason))
	}
	return settled, t.stay(Reason{Cause: cause.Verifying, Detail: a.Reason})
}

// overdue reports whether users have been left for the pause limit to a mesh that does something
// else.
func (t *turn) overdue(settled time.Time) bool {
	return t.s.Traffic.users() && !t.s.leadsBack() && !t.before(settled.Add(t.pauseLimit()))
}

// verified notes since when the mesh routes as written.
func (t *turn) verified(settled, at time.Time) *decision {
	t.s.Verified = t.o.Now
	if !at.IsZero() && at.Before(t.o.Now) {
		t.s.Verified = later(settled, at)
	}
	return t.write(t.o.Traffic, Reason{Cause: cause.Verifying, Detail: "the mesh routes as written: " + t.s.Traffic.String()})
}

// unseen bears for the error limit that nobody can tell whether the canary has no traffic.
// Then the rollout goes on without having seen it, and says so.
func (t *turn) unseen(why string) *decision {
	if t.s.Failing.IsZero() {
		t.s.Failing = t.o.Now
	}
	r := Reason{cause.Verifying, why, t.s.Failing.Add(t.errorLimit())}
	if t.before(r.Until) {
		return t.stay(r)
	}
	t.s.Verified, t.s.Failing = t.o.Now, time.Time{}
	const room = 80 // in the reason, for why it is where it is
	t.record(clip(t.s.Reason, room) + "; not seen quiet: " + why)
	return t.write(t.o.Traffic, Reason{Cause: cause.Verifying, Detail: t.s.Reason})
}

// quiet asks, before the first share, whether the canary has no traffic yet. It is nil if it
// has none, or if nobody can tell.
func (t *turn) quiet() *decision {
	if !t.verifies() || t.s.Phase != phase.Preparing || t.s.Traffic.HeaderRoutes {
		return nil
	}
	switch a := t.o.Answers[askShown]; {
	case a.Reply == unasked:
		return t.decide(decision{Ask: askShown})
	case a.Reply != Yes && !t.o.Erred[askShown]:
		return t.bounded(&t.steps[0], t.stay(Reason{Cause: cause.Verifying, Detail: "before the first share: " + a.Reason}))
	}
	return nil
}
