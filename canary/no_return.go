package canary

import (
	"strings"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// noReturn reports whether a rollout at a step has come to a point of no return.
func (sp *spec) noReturn(p phase.Phase, step int) bool {
	if p == phase.Preparing {
		return false
	}
	for i := range min(step+1, len(sp.steps)) {
		if sp.steps[i].NoReturn {
			return true
		}
	}
	return false
}

// mustStay reports whether nothing but an order takes traffic from the canary.
func (p *Place) mustStay() bool { return p.NoReturn && !p.leadsBack() && !p.Phase.Final() }

// behind begins the reason of a rollout that would have turned back.
const behind = "behind the point of no return: "

// callPeople stays, in place of a way back that only a person may begin. The State says so
// once, for whoever does not hear the Events.
func (t *turn) callPeople(why string) *decision {
	r := Reason{Cause: cause.NoReturn, Detail: behind + why + "; repair it, or order an abort all the same"}
	if t.o.Refused != "" || t.o.Loss == lossless && strings.HasPrefix(t.s.Reason, behind) {
		return t.stay(r)
	}
	t.record(behind + why)
	return t.note(r)
}
