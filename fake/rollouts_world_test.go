package fake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// wholeService is what a whole rollout is of.
type wholeService struct {
	plan      string
	build     canary.Builder
	perSecond float64 // requests
	usual     float64 // share of them that both versions fail
}

func (s wholeService) String() string {
	return fmt.Sprintf("%-11s %4g/s, %g %% errors", s.plan, s.perSecond, 100*s.usual)
}

// interval is how often a driver looks. A rollout with few requests takes days.
func (s wholeService) interval() time.Duration {
	switch {
	case s.perSecond < 1:
		return 5 * time.Minute
	case s.perSecond < 10:
		return time.Minute
	}
	return 10 * time.Second
}

// slow reports whether the simulation is.
func (s wholeService) slow() bool { return s.perSecond < 10 && s.plan == "Recommended" }

// scenario is a rollout of the service.
func (s wholeService) scenario(t *testing.T, seed uint64) badScenario {
	plan, err := s.build.Interval(s.interval()).Build()
	require.NoError(t, err)
	return badScenario{
		seed: seed, name: s.plan, plan: plan.For("v2"), perSecond: s.perSecond, judged: true,
		usual: fake.Behaviour{ErrorRate: s.usual, Median: 80 * time.Millisecond, Sigma: 0.6},
	}
}

// wholeHarm is what becomes of the new version.
type wholeHarm struct {
	name   string
	bad    func(usual float64) float64 // share of its requests
	status int
	both   bool // the old one fails as many, while the new one has users
	great  bool // the judge has to find it
	// begins says when, by what a healthy version goes through.
	begins func(*rand.Rand, *wholeOutcome) time.Duration
}

func times(n float64) func(float64) float64 {
	return func(usual float64) float64 { return min(1, n*usual) }
}

func share(of float64) func(float64) float64 { return func(float64) float64 { return of } }

var wholeHarms = []wholeHarm{
	{name: "twice the errors", bad: times(2), begins: sometime},
	{name: "ten times the errors", bad: times(10), begins: sometime},
	{name: "30 % errors", bad: share(0.3), great: true, begins: sometime},
	{name: "100 % errors", bad: share(1), great: true, begins: sometime},
	{name: "30 % of live requests", bad: share(0.3), great: true, begins: sinceUsers},
	{name: "30 % when it has all", bad: share(0.3), great: true, begins: sinceAll},
	{name: "30 % of both versions", bad: share(0.3), both: true, great: true, begins: beside},
	{name: "403 for all", bad: share(1), status: 403, great: true, begins: sometime},
}

// begin lets the harm begin.
func (h *wholeHarm) begin(w *badWorld) {
	if h.both {
		w.hurting(true)
		return
	}
	w.ledger.change(func() { w.ledger.failing = true })
	w.behave(func() { w.canary.ErrorRate, w.canary.Status = h.bad(w.usual.ErrorRate), h.status })
}

// wholeSpell is a time without a change of the traffic.
type wholeSpell struct {
	from    time.Duration // since the driver was started
	phase   phase.Phase
	step    int
	traffic canary.Traffic
}

// wholeOutcome is what came of a rollout. Times are since the driver was started.
type wholeOutcome struct {
	service wholeService
	harm    *wholeHarm    // nil if the version is healthy
	began   time.Duration // the harm
	plan    canary.Plan

	mu sync.Mutex
	badLog
	spells []wholeSpell
	end    phase.Phase // the last one, if the rollout has not ended
	lasted time.Duration
	why    string
	back   time.Duration // when the users were off the version that does harm
	bad    float64       // requests that it has harmed
	// expected is the forecast: of a promotion, or of finding the harm, if all goes on as without it.
	// chance is that of finding it in what the rollout went through.
	expected, chance float64
	seed, number     uint64
}

// wholePatience is for how long a rollout is watched.
const wholePatience = 100 * time.Hour

// wholePause is for how long a rollout that waits for people is watched.
const wholePause = 3 * time.Hour

// whole runs a rollout, with a harm that begins at a time; nil is none.
func (s wholeService) whole(t *testing.T, seed uint64, harm *wholeHarm, at time.Duration) *wholeOutcome {
	o := &wholeOutcome{service: s, harm: harm, began: at}
	synctest.Test(t, func(t *testing.T) {
		w := newBadWorld(t, s.scenario(t, seed))
		o.plan = w.plan
		nap(t.Context(), time.Hour) // stable's past
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		began, done := time.Now(), make(chan struct{})
		runner := w.runner(0, func(_ context.Context, e canary.Event) {
			if o.observe(e, e.At.Sub(began)) {
				stop()
			}
		})
		go func() {
			defer close(done)
			_, _ = runner.Run(ctx) // the State tells how it ended
		}()
		if harm != nil {
			nap(ctx, at)
			harm.begin(w)
		}
		nap(ctx, time.Until(began.Add(wholePatience)))
		stop()
		<-done
		synctest.Wait()
		w.ledger.change(func() {})
		o.bad = w.ledger.harm
		if harm == nil {
			o.expected = s.promoted(t, w.plan)
		}
	})
	return o
}

// observe notes a turn, and reports whether nothing more will happen without people.
func (o *wholeOutcome) observe(e canary.Event, at time.Duration) (over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.note(e)
	now := wholeSpell{at, e.After.Phase, e.After.Step, e.After.Traffic}
	last := now
	if n := len(o.spells); n > 0 {
		last = o.spells[n-1]
	}
	if last.from = at; last != now || o.spells == nil {
		o.spells = append(o.spells, now)
	}
	o.end, o.lasted, o.why = now.phase, at, fmt.Sprint(e.Reason)
	if now.phase.Final() && e.After.Reason != "" {
		o.why = e.After.Reason
	}
	if o.harm != nil && o.back == 0 && at > o.began && (now.phase == phase.Retreating || now.phase == phase.RollingBack) && now.traffic.Canary == 0 {
		o.back = at
	}
	waits := now.phase == phase.Retreating || e.Reason.Cause == cause.Paused
	since := max(o.began, o.spells[len(o.spells)-1].from)
	return now.phase.Final() || waits && (o.harm == nil || at-since > wholePause) // a bad version goes back in a pause as well
}

// sometime is a moment of a step, or of what follows the last one.
func sometime(dice *rand.Rand, healthy *wholeOutcome) time.Duration {
	var from []time.Duration // the steps, what follows, and the end
	for _, s := range healthy.spells {
		switch {
		case s.phase == phase.Progressing && s.step == len(from), len(from) == healthy.plan.Len() && s.phase > phase.Retreating:
			from = append(from, s.from)
		}
	}
	from = append(from, healthy.lasted)
	i := dice.IntN(len(from) - 1)
	return between(dice, from[i], from[i+1])
}

// beside is a moment with live requests to both versions.
func beside(dice *rand.Rand, healthy *wholeOutcome) time.Duration {
	return between(dice, sinceUsers(dice, healthy), sinceAll(dice, healthy))
}

// sinceUsers is the first moment with live requests.
func sinceUsers(_ *rand.Rand, healthy *wholeOutcome) time.Duration {
	return healthy.first(func(s wholeSpell) bool { return s.traffic.Canary > 0 })
}

// sinceAll is the first moment with all requests.
func sinceAll(_ *rand.Rand, healthy *wholeOutcome) time.Duration {
	return healthy.first(func(s wholeSpell) bool { return s.traffic.Canary == canary.Full })
}

func (o *wholeOutcome) first(is func(wholeSpell) bool) time.Duration {
	for _, s := range o.spells {
		if is(s) {
			return s.from
		}
	}
	return o.lasted
}
