package canary_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// previewed is half with header routes, which settle.
func previewed(end canary.EndKind) canary.Builder {
	return half(end).HeaderRoutes().Settle(10 * time.Second)
}

var preview = canary.Traffic{HeaderRoutes: true}

// course is the traffic that was written, each once in a row.
type course []string

func (c *course) observe(_ context.Context, e canary.Event) {
	if now := e.After.Traffic.String(); len(*c) == 0 || (*c)[len(*c)-1] != now {
		*c = append(*c, now)
	}
}

func (c *course) String() string { return strings.Join(*c, " | ") }

// watched is what has a stage write its course down.
func (c *course) watched(config *canary.Config) {
	config.Observers = append(config.Observers, c.observe)
}

// Whatever the end, header routes are written alone: before the first share is given,
// and when the mesh is known to do what the end says.
func TestHeaderRoutesComeFirstAndGoLast(t *testing.T) {
	const up = "stable only | canary 0%, header routes | "
	for end, want := range map[canary.EndKind]string{
		canary.Stay:          up + "canary 50%, header routes | canary 100%, header routes | canary 100%",
		canary.PromoteStable: up + "canary 50%, header routes | canary 100%, header routes | canary 0%, header routes | stable only",
		canary.Discard:       up + "canary 50%, header routes | canary 0%, header routes | stable only",
	} {
		t.Run(end.String(), func(t *testing.T) {
			plan := previewed(end)
			if end == canary.Stay {
				plan = plan.Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
			}
			c := new(course)
			story(t, plan, func(t *testing.T, s *stage) {
				began := time.Now()
				_, err := s.run()
				require.NoError(t, err)
				require.Equal(t, want, c.String())
				require.GreaterOrEqual(t, time.Since(began), time.Minute+4*10*time.Second, "each of them settles")
			}, c.watched)
			c = new(course)
			story(t, plan, func(t *testing.T, s *stage) {
				s.judge.Script = rulings(analysis.Fail)
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.Equal(t, up+"canary 50%, header routes | canary 0%, header routes | stable only", c.String())
			}, c.watched)
		})
	}
}

// They need the canary as the first step does, and are there while its gate is closed:
// somebody may want to look before that opens.
func TestHeaderRoutesStandBeforeTheFirstGate(t *testing.T) {
	plan := canary.NewPlan("p").HeaderRoutes().End(canary.End{Kind: canary.Discard}).
		Step(canary.Step{Traffic: canary.Traffic{Canary: percent}, EnterGates: []string{"seen by ann"}, Deadline: 2 * time.Hour})
	story(t, plan, func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 2 pods"), {Reply: canary.Yes}}
		s.turns(5 * time.Second)
		require.Zero(t, s.read().Traffic)
		state := s.turns(time.Hour)
		require.Equal(t, preview, s.read().Traffic)
		require.Equal(t, phase.Preparing, state.Phase)
		_, err := s.run()
		require.ErrorContains(t, err, "missed its deadline of 2h0m0s")
		require.Zero(t, s.read().Traffic)
	})
	story(t, previewed(canary.Discard).Settle(3*time.Hour), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.No.Because("the image is gone")}
		_, err := s.run()
		require.ErrorContains(t, err, "the image is gone")
		require.Zero(t, s.read().Traffic)
	})
}

// A preview is a step without any share.
func TestAStepMayBeNothingButAPreview(t *testing.T) {
	plan := canary.NewPlan("p").HeaderRoutes().End(canary.End{Kind: canary.Discard}).
		Step(canary.Step{Name: "preview", Requires: canary.Nothing, LeaveGates: []string{"seen by ann"}})
	story(t, plan, func(t *testing.T, s *stage) {
		state := s.turns(time.Hour)
		require.Equal(t, phase.Progressing, state.Phase)
		require.Equal(t, preview, s.read().Traffic)
		s.router.Meddle(canary.Traffic{})
		state = s.turns(time.Hour)
		require.Equal(t, preview, s.read().Traffic, "the step is put back")
		require.Zero(t, state.Drifts, "that is no other traffic")
		s.heard("the header routes differ from their rules, and are written again")
		s.send(canary.Command{Order: order.Approve, Gate: "seen by ann"})
		state, err := s.run()
		require.NoError(t, err)
		require.Equal(t, "Preparing Progressing Returning CleaningUp Discarded", phases(state))
	})
}

// Where stable has everything, header routes that somebody removed are no reason to
// wait for a canary: they come back with the traffic that needs them.
func TestHeaderRoutesThatSomebodyRemovedComeBackWithTraffic(t *testing.T) {
	story(t, previewed(canary.Discard), func(t *testing.T, s *stage) {
		s.turns(5 * time.Second)
		require.Equal(t, preview, s.read().Traffic)
		s.router.Meddle(canary.Traffic{})
		s.turns(15 * time.Second)
		require.Equal(t, preview, s.read().Traffic, "Preparing puts them up again")
		s.turns(20 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)

		s.send(canary.Command{Order: order.StepBack, Why: "lunch"})
		s.turns(20 * time.Second)
		require.Equal(t, preview, s.read().Traffic)
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 2 pods")}
		s.router.Meddle(canary.Traffic{})
		state := s.turns(time.Minute)
		require.Equal(t, phase.Retreating, state.Phase)
		require.Zero(t, s.read().Traffic)
		require.Equal(t, 2, state.Drifts)

		s.send(canary.Command{Order: order.Abort, Why: "enough"})
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, 2, state.Drifts)
	})
	plan := previewed(canary.Discard).DriftLimit(2)
	c := new(course)
	story(t, plan, func(t *testing.T, s *stage) {
		for _, d := range []time.Duration{5, 15, 15} { // until they are up, again
			s.turns(d * time.Second)
			require.Equal(t, preview, s.read().Traffic)
			s.router.Meddle(canary.Traffic{})
		}
		_, err := s.run()
		require.ErrorContains(t, err, "rolled back: drift: somebody changed the traffic from canary 0%, header routes to stable only (change 3 of at most 2)")
		require.Equal(t, "stable only | canary 0%, header routes | stable only | canary 0%, header routes | stable only | canary 0%, header routes | stable only", c.String())
	}, c.watched)
}

// Header routes that somebody left give nobody anything, so a rollout begins all the
// same, and puts its own up.
func TestHeaderRoutesThatAreLeftStopNobody(t *testing.T) {
	for name, plan := range map[string]canary.Builder{"with them": previewed(canary.Discard), "without": half(canary.Discard)} {
		t.Run(name, func(t *testing.T) {
			c := new(course)
			story(t, plan, func(t *testing.T, s *stage) {
				s.router.Meddle(preview)
				_, err := s.run()
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(c.String(), "stable only | canary "), c.String())
				require.Zero(t, s.read().Traffic)
			}, c.watched)
		})
	}
}

// While header routes are removed from a canary that stays, it can be turned back.
func TestAnAbortIsObeyedWhileTheCanaryThatStaysIsCleanedUp(t *testing.T) {
	plan := previewed(canary.Stay).Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.CleaningUp {
			s.turns(time.Second)
		}
		require.Equal(t, canary.Traffic{Canary: canary.Full}, s.read().Traffic)
		s.send(canary.Command{Order: order.Abort, Why: "orders are lost"})
		state, err := s.run()
		require.ErrorContains(t, err, "abort: orders are lost")
		require.True(t, strings.HasSuffix(phases(state), "CleaningUp RollingBack RolledBack"), phases(state))
		require.Zero(t, s.read().Traffic)
	})
}

// What the canary needs that stays is not taken down.
func TestAPrerequisiteOfACanaryThatStaysStands(t *testing.T) {
	plan := previewed(canary.Stay).Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	p := &standing{}
	story(t, plan, func(t *testing.T, s *stage) {
		_, err := s.run()
		require.NoError(t, err)
		require.NotZero(t, p.ensured)
		require.Zero(t, p.cleaned)
	}, func(c *canary.Config) { c.Prerequisites = []canary.Prerequisite{p} })
}

// standing counts how often it is asked.
type standing struct {
	ensured, cleaned int
	wait             bool
}

func (c *standing) Ensure(context.Context, canary.Question) (canary.Answer, error) {
	c.ensured++
	if c.wait {
		return canary.Wait.Because("it is not there yet"), nil
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

func (c *standing) Cleanup(context.Context, canary.Question) (canary.Answer, error) {
	c.cleaned++
	return canary.Answer{Reply: canary.Yes}, nil
}

func TestHeaderRoutesAreOfThePlan(t *testing.T) {
	_, err := half(canary.Discard).Step(canary.Step{Name: "one", Traffic: canary.Traffic{Canary: percent, HeaderRoutes: true}}).Build()
	require.ErrorContains(t, err, `steps 2 "one" headerRoutes: header routes stand for the whole rollout; say it of the plan`)

	plan := mustBuild(t, previewed(canary.Discard))
	for _, step := range plan.Steps() {
		require.True(t, step.Traffic.HeaderRoutes)
		require.Equal(t, "canary 50%", step.Name)
		// Steps of a plan are steps of another one.
		mustBuild(t, canary.NewPlan("q").HeaderRoutes().End(canary.End{Kind: canary.Discard}).Step(step))
	}
	require.NotEqual(t, plan.Digest(), mustBuild(t, half(canary.Discard).Settle(10*time.Second)).Digest())
	text, err := json.Marshal(plan)
	require.NoError(t, err)
	require.Contains(t, string(text), `"headerRoutes":true`)
	var back canary.Plan
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, plan.Digest(), back.Digest())
	for _, step := range back.Steps() {
		require.True(t, step.Traffic.HeaderRoutes)
	}
}

// refusing refuses to take header routes along when traffic goes back, and, if it is
// strict, to write any.
type refusing struct {
	*canarytest.Router
	strict  bool
	refused int
}

func (r *refusing) Write(ctx context.Context, reading canary.Reading, t canary.Traffic, s canary.State) error {
	if t.HeaderRoutes && (r.strict || t.Canary < reading.Traffic.Canary) {
		r.refused++
		return canary.ErrRefused
	}
	return r.Router.Write(ctx, reading, t, s)
}

// Whoever refuses them meanwhile keeps stable from nothing: the way back does without.
func TestTheWayBackDoesWithoutHeaderRoutesThatAreRefused(t *testing.T) {
	r := new(refusing)
	story(t, previewed(canary.Discard), func(t *testing.T, s *stage) {
		state, err := s.run()
		require.NoError(t, err)
		require.Equal(t, 1, r.refused)
		require.Equal(t, "Preparing Progressing Returning Discarded", phases(state))
		require.Zero(t, s.read().Traffic)
	}, func(c *canary.Config) { r.Router = c.Router.(*canarytest.Router); c.Router = r })
}

// What stays is decided when it is cleaned up: any driver of the owner does the rest,
// so that the next release can begin.
func TestAnyDriverCleansUpWhatStays(t *testing.T) {
	plan := previewed(canary.Stay).Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.CleaningUp {
			s.turns(time.Second)
		}
		next := mustBuild(t, half(canary.Discard))
		runner, err := canary.NewRunner(canary.Config{Plan: next, Router: s.router, Analyzer: s.judge})
		require.NoError(t, err)
		_, err = runner.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrUnexplained, "the traffic is the other version's now")
		require.Equal(t, phase.Promoted, s.read().State.Phase)
		require.Equal(t, canary.Traffic{Canary: canary.Full}, s.read().Traffic)
	})
}

// When stable is restored while the canary has everything, nothing waits for header
// routes that cannot be.
func TestStableIsRestoredWithoutHeaderRoutesThatAreRefused(t *testing.T) {
	r := new(refusing)
	story(t, previewed(canary.PromoteStable), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		for s.read().State.Phase != phase.PromotingStable {
			s.turns(time.Second)
		}
		s.router.Meddle(canary.Traffic{Canary: canary.Full})
		r.strict = true
		s.send(canary.Command{Order: order.Abort, Why: "orders are lost"})
		_, err := s.run()
		require.ErrorContains(t, err, "orders are lost")
		require.Zero(t, s.read().Traffic)
	}, func(c *canary.Config) { r.Router = c.Router.(*canarytest.Router); c.Router = r })
}
