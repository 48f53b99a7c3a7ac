package canary

import (
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// decide keeps the decision in t, so that it is not copied at each return.
func (t *turn) decide(d decision) *decision {
	t.d = d
	return &t.d
}

// stay waits, without changing anything.
func (t *turn) stay(r Reason) *decision {
	after := t.interval
	if left := r.Until.Sub(t.o.Now); left > 0 {
		after = min(after, left)
	}
	return t.decide(decision{Reason: r, After: after})
}

// write writes the State with the given traffic and looks again at once.
func (t *turn) write(traffic Traffic, r Reason) *decision {
	t.s.Serial = t.s.nextSerial()
	return t.decide(decision{Write: true, Traffic: traffic, Reason: r})
}

// note writes the State with the traffic as it is, and looks again after the interval: what
// changes with each look must not make a driver turn without a pause.
func (t *turn) note(r Reason) *decision {
	d := t.write(t.o.Traffic, r)
	d.After = t.interval
	return d
}

// shift writes new traffic within a step or phase.
func (t *turn) shift(traffic Traffic, r Reason) *decision {
	t.closeBlock()
	return t.move(traffic, r)
}

func (t *turn) move(traffic Traffic, r Reason) *decision {
	t.s.Traffic = traffic
	t.s.Shifted = t.o.Now
	t.s.Verified = time.Time{}
	t.s.Drifting, t.s.Drifted = false, time.Time{}
	if t.inSteps(t.s.Phase) { // another share, which is held anew
		t.s.Giving, t.s.Skipped = time.Time{}, false
	}
	d := t.write(traffic, r)
	d.After = min(t.settle, t.interval)
	return d
}

// enter moves to a phase and step with the given traffic. Traffic that the mesh
// does already need not be seen again, unless stable was restored meanwhile.
func (t *turn) enter(to phase.Phase, step int, traffic Traffic, why string) *decision {
	s := &t.s
	t.closeBlock()
	open := t.stillOpen(to, step)
	if step != s.Step {
		s.Retreat = retreat{}
	}
	restored := s.Phase == phase.RestoringStable // other pods: the proxies have to learn of them
	s.Phase, s.Step = to, step
	s.Entered = t.o.Now
	s.NoReturn = s.NoReturn && len(t.steps) == 0 || t.noReturn(to, step)
	s.Paused, s.PausedFor, s.Giving = time.Time{}, 0, time.Time{}
	s.Skipped, s.Approved = false, open
	s.Drifting, s.Drifted = false, time.Time{}
	s.Retreat = retreat{Resumed: s.Retreat.Resumed}
	s.Failing = time.Time{}
	if to != phase.Baking { // which goes on with what Returning began
		s.Blind = time.Time{}
	}
	s.Command = Command{}
	switch to {
	case phase.PromotingStable:
		s.Promotion, s.Frozen = t.o.Now, s.Carry
	case phase.Returning: // what stable runs is known now
		s.Recalled = false
	case phase.Baking:
		s.Baked = t.o.Now
	}
	t.record(why)

	r := Reason{Cause: cause.MovedOn, Detail: s.Reason}
	if to == phase.RollingBack || to == phase.RestoringStable {
		r.Cause = cause.TurnedBack
	}
	if traffic == s.Traffic && traffic == t.o.Traffic && !s.Shifted.IsZero() && !restored {
		return t.write(traffic, r)
	}
	return t.move(traffic, r)
}

// record notes in the State where it has come to, and why.
func (t *turn) record(why string) {
	s := &t.s
	s.Reason = clip(why, maxReason)
	move := Transition{At: t.o.Now, Phase: s.Phase, Step: s.Step, Reason: s.Reason}
	s.Trace = append(slices.Clip(s.Trace[max(0, len(s.Trace)-maxTrace+1):]), move)
}
