package canary

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// maxReturnSteps bounds the shares of a return in steps.
const maxReturnSteps = 100

// returnSteps are the shares by which traffic returns to a promoted stable, each held for so
// long. Everything follows the last one. The zero value is everything at once.
type returnSteps struct {
	Hold   time.Duration
	Stable []Weight
}

// ReturnInSteps lets traffic return to the promoted stable by the given shares of the live
// traffic, which rise, and then completely: after ReturnInSteps(5*time.Minute, 10*Percent,
// 50*Percent) stable has 10 % for five minutes, 50 % for five minutes, and then everything.
// Only a plan that ends with PromoteStable may have it. Without shares, the zero value, stable
// gets everything at once, as far as its ready pods carry it.
//
// Stable gets its next share when the mesh was seen to do the last one, the hold is over, the
// judge was asked and does not fail the step, and stable's ready pods carry the share. If they
// do not, stable gets what they carry, and the rest within five minutes. A judge without
// readings holds the share, and after the error limit stable is restored. A canary without a
// ready pod gives everything at once.
//
// order.Skip ends the hold of a share. After an order.Promote, also one in a step of the plan,
// stable gets everything at once. A newer revision waits for the return, for an hour at most.
func (b Builder) ReturnInSteps(hold time.Duration, stable ...Weight) Builder {
	b.spec.returns = returnSteps{hold, append([]Weight(nil), stable...)}
	return b
}

// ReturnInSteps returns the shares by which traffic returns to a promoted stable, and how long
// each is held. None means everything at once.
func (p Plan) ReturnInSteps() (hold time.Duration, stable []Weight) {
	r := p.settings().returns
	return r.Hold, slices.Clone(r.Stable)
}

// problems returns every mistake in r, which is that of a plan with such an end.
func (r *returnSteps) problems(end EndKind) mistakes {
	var all mistakes
	all.checkTime("hold", r.Hold)
	switch n := len(r.Stable); {
	case n == 0 && r.Hold != 0:
		all.add("stable", "", "want at least one share to hold")
	case n > maxReturnSteps:
		all.add("stable", "", "%d entries, at most %d are allowed", n, maxReturnSteps)
		return all
	case n > 0 && end != PromoteStable:
		all.add("", "", "only a plan that ends with %q returns in steps", PromoteStable)
	}
	for i, w := range r.Stable {
		at := place{"stable", numbered(i+1, "")}
		switch {
		case w <= 0 || w >= Full:
			all = append(all, mistake{place: at, text: fmt.Sprintf("%v; want more than 0%% and less than 100%%, which follows by itself", w)})
		case w <= 100*perMillion:
			all = append(all, mistake{place: at, text: fmt.Sprintf("%d parts per million; did you mean %d*canary.Percent?", w, w)})
		case i > 0 && w <= r.Stable[i-1]:
			all = append(all, mistake{place: at, text: fmt.Sprintf("%v is not more than the %v before it", w, r.Stable[i-1])})
		}
	}
	return all
}

// shown is r in words; "" for the zero value.
func (r *returnSteps) shown() string {
	if len(r.Stable) == 0 {
		return ""
	}
	shares := make([]string, len(r.Stable))
	for i, w := range r.Stable {
		shares[i] = w.String()
	}
	return join(", ", "return by "+join(", ", shares...), lasting("hold", r.Hold))
}

// after is the share that follows what stable has.
func (r *returnSteps) after(has Weight) Weight {
	for _, w := range r.Stable {
		if w > has {
			return w
		}
	}
	return Full
}

// inSteps reports whether stable gets its traffic by the shares of the plan in a phase.
func (t *turn) inSteps(p phase.Phase) bool {
	return p == phase.Returning && len(t.returns.Stable) > 0 && !t.s.PromoteNow && t.o.Inspection.Dead == ""
}

// planned is what the plan leaves to the canary when stable gets its next share in a phase.
func (t *turn) planned(p phase.Phase) Weight {
	if !t.inSteps(p) {
		return 0
	}
	return Full - t.returns.after(Full-t.s.Traffic.Canary)
}

// arrived reports whether stable has a share of the plan. What it gets for want of pods lies
// between two of them.
func (t *turn) arrived() bool {
	return t.inSteps(t.s.Phase) && slices.Contains(t.returns.Stable, Full-t.s.Traffic.Canary)
}

// holdShare waits for the end of the hold of the share that stable has. It is nil if stable may
// get more.
func (t *turn) holdShare(seen time.Time) *decision {
	if !t.inSteps(t.s.Phase) {
		return nil
	}
	t.answers()
	until := seen.Add(t.returns.Hold)
	switch {
	case t.o.Trouble != "" || t.o.Refused != "":
		return t.outOfReach()
	case t.s.Giving.IsZero() && !t.s.Skipped && t.before(until):
		return t.stay(Reason{cause.Hold, t.nextShare(), until})
	}
	return nil
}

// nextShare tells what stable has, and what it gets next.
func (t *turn) nextShare() string {
	return fmt.Sprintf("stable has %v; it gets %v", Full-t.s.Traffic.Canary, Full-t.planned(t.s.Phase))
}

// partWaits is waits while traffic returns to stable in parts.
func (t *turn) partWaits(now time.Time) (what string, until time.Time) {
	s := &t.s
	switch {
	case !s.Giving.IsZero():
		return "waits for pods of stable: " + s.Reason, s.Giving.Add(giving)
	case !t.inSteps(s.Phase):
		return "stable gets all traffic: " + s.Reason, until
	}
	until = later(s.Shifted.Add(t.settle), s.Verified).Add(t.returns.Hold)
	if s.Skipped || !now.Before(until) {
		until = time.Time{}
	}
	return t.nextShare(), until
}

// pointless reports whether an order could only speed up a return in steps, which the plan does
// not have.
func (sp *spec) pointless(s *State, o order.Order) bool {
	return s.Phase == phase.Returning && len(sp.returns.Stable) == 0 && (o == order.Promote || o == order.Skip)
}
