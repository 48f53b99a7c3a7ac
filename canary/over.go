package canary

import (
	"cmp"
	"fmt"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
)

// over says that nothing is left to do, unless a retry was ordered.
func (t *turn) over() *decision {
	c := t.s.Command
	if c.Order == order.Retry && c.suits(&t.s) == "" {
		return t.begin("retry" + c.credit())
	}
	if t.s.Restart && t.o.Loss == lossless && t.o.Traffic == t.s.Traffic {
		d := t.begin("begun again: " + t.s.Reason)
		d.After = t.interval // if it changes again and again
		return d
	}
	if t.o.Loss == removed && t.o.Traffic != t.s.Traffic {
		return t.unexplained()
	}
	if t.o.Loss != lossless {
		return t.restoreEnd()
	}
	r := Reason{Cause: cause.Over, Detail: t.s.Reason}
	if t.o.Traffic != t.s.Traffic {
		r.Detail = "it ended with " + t.s.Traffic.String() + "; since then somebody changed that to " + t.o.Traffic.String()
	}
	return t.decide(decision{Done: true, Reason: r})
}

// restoreEnd puts back how the rollout ended. After some times an end that gives
// stable everything still goes back, if not at once; for another one a person is
// needed.
func (t *turn) restoreEnd() *decision {
	often := t.s.Drifts >= t.spec.drift.Limit
	more := t.s.Traffic.exceeds(t.o.Traffic)
	a := t.o.Answers[askReady]
	switch {
	case often && t.o.Traffic == t.s.Traffic:
		return t.decide(decision{Done: true, Reason: Reason{Cause: cause.Over, Detail: t.s.Reason}})
	case more && !often && a.Reply == unasked:
		return t.decide(decision{Ask: askReady, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case more && (often || a.Reply != Yes):
		return t.decide(decision{Err: fmt.Errorf("canary: %w: %w: somebody restored an older State of %q, with %v; the rollout ended as %v, with %v, and this traffic has to wait: %s",
			ErrRefused, ErrBadState, t.name, t.o.Traffic, t.s.Phase, t.s.Traffic, cmp.Or(a.Reason, "it was restored too often"))})
	}
	t.s.Drifts = min(t.s.Drifts+1, maxCount)
	t.s.Serial = t.firstSerial()
	d := t.write(t.s.Traffic, Reason{Cause: cause.Over, Detail: "somebody " + t.o.Loss.String() + "; the State of the rollout is restored"})
	if often {
		d.After = t.interval
	}
	return d
}
