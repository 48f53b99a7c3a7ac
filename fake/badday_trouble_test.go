package fake_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
)

// badKind is one kind of trouble.
type badKind struct {
	name  string
	group string // of kinds that exclude each other in one rollout
	often int    // weight in the draw
	edge  bool   // the rollout needs a second VirtualService
	whole bool   // it concerns all traffic, not the share of the step
	harms bool   // it makes the canary worse than stable
	late  bool   // it is drawn for the second half
	// scarce: the rollout needs pods with a capacity; autoscaled: and autoscalers.
	scarce, autoscaled bool
	// pins reports whether the trouble keeps the rollout in its step while it lasts.
	pins func(*badTrouble) bool
	// begin starts the trouble. Its heal ends it; nil if it is over at once.
	begin func(w *badWorld, tr *badTrouble) (heal func())
	// allowed is how long the requests of the share may be harmed, at most.
	allowed func(badExposure) time.Duration
}

var badKinds = slices.Concat(versionTroubles, storeTroubles, apiTroubles, objectTroubles, driverTroubles, scarceTroubles)

// badTrouble is one trouble of a rollout.
type badTrouble struct {
	kind  *badKind
	at    time.Duration // since the beginning
	lasts time.Duration // 0 is for good
	arg   uint64        // decides what the kind leaves open

	began bool
	since time.Time   // when it did
	phase phase.Phase // in which it began
	here  float64     // share of the requests that are on the canary
	share float64     // of the requests, that may be on the canary before it is noticed
	last  bool        // stable may be updated before it is noticed
	// recalled: the State was restored from memory, so stable may be under promotion already.
	recalled bool
	// stateless: somebody removed the State as well, so Sweep can only tell of the traffic.
	stateless bool
	// again: the step is entered once more, after a Retreat for want of pods, and judged anew.
	again bool
	pods  string // what Deployments alone are: "unread" or "unwritten"
	// start is how long new pods take to become ready from now on; 0 is badStart.
	start  time.Duration
	lacks  bool    // new pods do not come while it lasts
	thins  bool    // stable lacks pods that it had when the rollout began
	grows  float64 // by that part the load does
	left   int     // so many steps may follow
	few    bool    // the canary loses pods, and not all
	detail string
	// stays reports whether what somebody changed is still there; nil if nothing has to be.
	stays func(*badWorld, badScenario) bool
}

// drawTrouble draws a trouble at a time. One in three lasts for good, and the others last
// from ten seconds to forty minutes. A trouble that comes soon after another one is most often
// one of the canary, so that it shows what the other one hides.
func drawTrouble(dice *rand.Rand, at time.Duration, before []*badTrouble, soon bool) *badTrouble {
	var all []*badKind
	for i := range badKinds {
		k := &badKinds[i]
		if *badKindName != "" && k.name != *badKindName {
			continue
		}
		if slices.ContainsFunc(before, func(b *badTrouble) bool { return b.kind.group == k.group }) && *badKindName == "" {
			continue
		}
		often := k.often
		if soon && k.harms {
			often *= 12
		}
		for range often {
			all = append(all, k)
		}
	}
	tr := &badTrouble{kind: all[dice.IntN(len(all))], at: at, arg: dice.Uint64()}
	if dice.IntN(3) > 0 {
		tr.lasts = time.Duration(10 * math.Pow(240, dice.Float64()) * float64(time.Second))
	}
	return tr
}

// choose returns one of several choices by arg, and takes it out of arg.
func choose[T any](tr *badTrouble, of ...T) T {
	n := uint64(len(of))
	i := tr.arg % n
	tr.arg /= n
	return of[i]
}

// note finds out what the trouble meets. What is noticed late in a step is noticed in the
// next one, so its share counts, unless the trouble pins the rollout.
func (tr *badTrouble) note(s canary.State, p canary.Plan) {
	tr.began, tr.since, tr.phase = true, time.Now(), s.Phase
	tr.here, tr.share = float64(s.Traffic.Canary)/float64(canary.Full), 1
	next := s.Step
	switch s.Phase {
	case phase.Idle, phase.Preparing:
		next = 0
	case phase.Progressing, phase.Retreating:
		next++
	default:
		next = p.Len()
	}
	tr.left = max(0, p.Len()-next)
	tr.last, tr.recalled = next >= p.Len() || s.Recalled, s.Recalled
	for i, step := range p.Steps() {
		if i == next {
			tr.share = max(float64(step.Traffic.Canary)/float64(canary.Full), tr.here)
		}
	}
	if tr.kind.whole {
		tr.share = 1
	}
}

// pin corrects what was noted: if somebody else changes the traffic meanwhile, all of it may be
// on the canary, and otherwise some troubles keep the rollout in its step.
func (tr *badTrouble) pin(all []*badTrouble) {
	for _, o := range all {
		o.stateless = o.stateless || tr.kind.name == "State is removed"
		o.again = o.again || tr.kind.name == "canary dies" && tr.lasts > 0
	}
	switch {
	case slices.ContainsFunc(all, func(o *badTrouble) bool { return o.kind.group == "edit" || o.kind.group == "object" }):
		tr.share = 1
	case tr.phase == phase.Progressing && tr.kind.pins != nil && tr.kind.pins(tr):
		tr.share, tr.last = tr.here, tr.recalled
	}
}

// rest is how long it lasts, if nobody looks any more after some time.
func (tr *badTrouble) rest(looks time.Duration) time.Duration {
	if tr.lasts > 0 {
		return min(tr.lasts, looks)
	}
	return looks
}

// allowed is how many requests it may harm. What x says of all troubles is there already.
func (tr *badTrouble) allowed(x badExposure, rate float64) float64 {
	x.last, x.pods, x.share = tr.last, tr.pods, tr.share
	x.promoted = tr.phase == phase.Returning || tr.phase == phase.Baking
	x.mixed = tr.phase == phase.PromotingStable
	x.stateless, x.again, x.grows = tr.stateless, tr.again, tr.grows
	x.left, x.few = tr.left, tr.few
	x.refuses = tr.kind.name == "canary refuses"
	if tr.kind.edge {
		rate *= badEdgeRate / (badRate + badEdgeRate) // the other part does as always
	}
	return rate * tr.share * tr.kind.allowed(x).Seconds()
}

func (tr *badTrouble) String() string {
	lasts := "for good"
	if tr.lasts > 0 {
		lasts = "for " + tr.lasts.Round(time.Second).String()
	}
	text := fmt.Sprintf("%s at %v %s", tr.kind.name, tr.at.Round(time.Second), lasts)
	if tr.began {
		text += fmt.Sprintf(" (%s in %v, %.0f %%)", tr.detail, tr.phase, 100*tr.share)
	}
	return text
}
