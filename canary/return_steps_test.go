package canary_test

import (
	"context"
	"errors"
	"fmt"
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

// inSteps is a plan that gives the promoted stable 10 % for 20 minutes, and 50 % for 20 minutes.
func inSteps() canary.Builder {
	return smallPlan().ReturnInSteps(20*time.Minute, 10*percent, 50*percent)
}

// stepwise is a stage whose promoted stable has just got its first share.
func stepwise(t *testing.T, plan canary.Builder, f func(*testing.T, *stage), more ...func(*canary.Config)) {
	t.Helper()
	story(t, plan, func(t *testing.T, s *stage) {
		s.workload.Pinned = canary.Pin{Capacity: "10"}
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		f(t, s)
	}, more...)
}

// shares drives until stable has everything, and returns when it got which share.
func (s *stage) shares() (all string) {
	began, last := time.Now(), canary.Weight(-1)
	for range 2000 {
		read := s.read()
		now := canary.Full - read.Traffic.Canary
		if now != last {
			all += fmt.Sprintf("%v at %v, ", now, max(0, read.State.Shifted.Sub(began)).Round(time.Minute))
		}
		if last = now; now == canary.Full {
			return strings.TrimSuffix(all, ", ")
		}
		s.turns(10 * time.Second)
	}
	return all + "no end"
}

// S21. One minute is the settle time.
func TestTrafficReturnsToAPromotedStableInSteps(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		p := mustBuild(t, inSteps())
		state := s.read().State
		require.NoError(t, p.CheckState(state))
		status := p.Status(state, time.Now())
		require.Equal(t, "stable has 10%; it gets 50%", status.Waits)
		require.Equal(t, state.Shifted.Add(21*time.Minute), status.Until)
		require.Equal(t, []order.Order{order.Abort, order.Promote, order.Skip}, status.Orders)
		require.Equal(t, "10% at 0s, 50% at 21m0s, 100% at 42m0s", s.shares())
		s.heard("Returning: holding until 01:04:00: stable has 50%; it gets 100%")
		require.Equal(t, "stable is promoted", s.promotes().Reason)
	})
}

// What the schedule of a plan may be, and what its return then is.
func TestAReturnFollowsItsSchedule(t *testing.T) {
	for name, c := range map[string]struct {
		hold   time.Duration
		stable []canary.Weight
		want   string
	}{
		"at once":        {0, nil, "100% at 0s"},
		"one share":      {5 * time.Minute, canaries(1), "1% at 0s, 100% at 6m0s"},
		"without a hold": {0, canaries(10, 11, 12), "10% at 0s, 11% at 1m0s, 12% at 2m0s, 100% at [34]m0s"},
		"a fraction":     {time.Hour, []canary.Weight{percent / 2}, "0.5% at 0s, 100% at 1h1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			stepwise(t, smallPlan().ReturnInSteps(c.hold, c.stable...), func(t *testing.T, s *stage) {
				require.Regexp(t, "^"+c.want+"$", s.shares())
				s.promotes()
			})
		})
	}
}

func canaries(percents ...canary.Weight) (all []canary.Weight) {
	for _, p := range percents {
		all = append(all, p*percent)
	}
	return all
}

// Stable's pods carry less than its next share: it gets what they carry, without another hold, and
// the rest within five minutes.
func TestAShareWaitsForThePodsOfStable(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(19 * time.Minute)
		s.workload.Shortfall = 80 * percent // in mid-return
		s.turns(2*time.Minute + 30*time.Second)
		read := s.read()
		require.Greater(t, read.Traffic.Canary, 60*percent, "pods for a fifth, and not half of the traffic")
		require.Less(t, read.Traffic.Canary, 85*percent)
		require.NoError(t, mustBuild(t, inSteps()).CheckState(read.State))
		require.Contains(t, mustBuild(t, inSteps()).Status(read.State, time.Now()).Waits, "waits for pods of stable")
		s.workload.Shortfall = 55 * percent
		s.turns(80 * time.Second)
		require.InDelta(t, 52, int(s.read().Traffic.Canary/percent), 3)
		s.workload.Shortfall = 0
		s.turns(2 * time.Minute)
		require.Equal(t, 50*percent, s.read().Traffic.Canary, "and not more than its share")
		require.Regexp(t, "^50% at 0s, 100% at (18|19|20)m0s$", s.shares())
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.Shortfall = 95 * percent // which does not end
		require.Regexp(t, "^10% at 0s, 15% .*50% at 2[3-6]m0s, .*100% at [45][0-9]m0s$", s.shares())
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.Shortfall = canary.Full // no pod of stable is ready
		s.turns(2 * time.Hour)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		s.heard("stable has ready pods for 0% of the traffic")
	})
}

// The first share waits for the pods of stable too.
func TestTheFirstShareIsWhatStableCanCarry(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.workload.Shortfall = 96 * percent
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		require.GreaterOrEqual(t, s.read().Traffic.Canary, 90*percent)
	})
	story(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.Pinned, s.workload.Shortfall = canary.Pin{Capacity: "10"}, 96*percent
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		require.Equal(t, 96*percent, s.read().Traffic.Canary)
		s.workload.Shortfall = 0
		require.Equal(t, "4% at 0s, 10% at 1m0s, 50% at 22m0s, 100% at 43m0s", s.shares())
	})
}

// Nobody can look at the pods: as it is, and within five minutes the next share.
func TestAShareDoesNotWaitForEverForAnAnswer(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.Before = func(method string) error { return map[string]error{"Inspect": errors.New("403")}[method] }
		require.Regexp(t, "10% at 0s, .*50% at 2[3-6]m0s, .*100% at [45][0-9]m0s$", s.shares())
	})
}

// The canary loses its pods: stable gets everything, hold or not.
func TestACanaryThatDiesInAReturnGivesEverything(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Minute)
		s.workload.AliveScript = noPods
		s.turns(10 * time.Second)
		require.Zero(t, s.read().Traffic)
		s.promotes()
	})
	story(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		for s.read().State.Phase != phase.PromotingStable {
			s.turns(10 * time.Second)
		}
		s.workload.PromoteScript, s.workload.AliveScript = nil, noPods
		s.turns(20 * time.Second)
		require.Zero(t, s.read().Traffic, "before the first share")
	})
}

// A failing stable, and an Abort: the canary takes all traffic while stable is restored.
func TestAReturnInStepsTurnsBack(t *testing.T) {
	for name, turn := range map[string]func(*stage){
		"the judge fails it":                func(s *stage) { s.judge.Script = rulings(analysis.Fail) },
		"an abort":                          func(s *stage) { s.send(canary.Command{Order: order.Abort}) },
		"an annotation":                     func(s *stage) { s.router.Abort("orders are lost") },
		"somebody has undone the promotion": func(s *stage) { s.workload.StableChanged = "stable runs the old version" },
	} {
		t.Run(name, func(t *testing.T) {
			stepwise(t, inSteps(), func(t *testing.T, s *stage) {
				s.turns(5 * time.Minute)
				turn(s)
				s.workload.RestoreScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
				s.turns(20 * time.Second)
				read := s.read()
				require.Equal(t, phase.RestoringStable, read.State.Phase)
				require.Equal(t, canary.Full, read.Traffic.Canary)
				s.workload.RestoreScript = nil
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
			})
		})
	}
}

// The judge has no readings, or hangs: stable gets no more, and is restored after the error limit.
func TestAJudgeWithoutReadingsHoldsAReturn(t *testing.T) {
	for name, ruling := range map[string]canarytest.Ruling{"no readings": unread, "it errs": {Err: errors.New("503")}} {
		t.Run(name, func(t *testing.T) {
			stepwise(t, inSteps().ErrorLimit(30*time.Minute), func(t *testing.T, s *stage) {
				s.turns(15 * time.Minute)
				s.judge.Script = []canarytest.Ruling{ruling}
				s.turns(25 * time.Minute)
				require.Equal(t, 90*percent, s.read().Traffic.Canary, "its hold is over")
				_, err := s.run()
				require.ErrorContains(t, err, "no readings for 30m")
				s.heard("RestoringStable: turned back")
			})
			stepwise(t, inSteps(), func(t *testing.T, s *stage) {
				s.turns(15 * time.Minute)
				s.judge.Script = []canarytest.Ruling{ruling}
				s.turns(10 * time.Minute)
				s.workload.Shortfall = 90 * percent
				s.judge.Script = nil
				s.turns(time.Minute)
				require.Greater(t, s.read().Traffic.Canary, 70*percent, "the time for its pods begins when it may get more")
			})
		})
	}
}

// A judge that wants requests, and has seen no harm, holds nothing behind a promotion.
func TestAReturnDoesNotWaitForAPass(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests yet"}}
		require.Equal(t, "10% at 0s, 50% at 21m0s, 100% at 42m0s", s.shares())
	})
}

// A part of the Router is away: stable gets no more, and is restored after the error limit.
func TestAReturnGoesNoFurtherWhileAPartIsAway(t *testing.T) {
	var away error
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(19 * time.Minute)
		away = errors.New("the other cluster does not answer")
		s.turns(10 * time.Minute)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		away = nil
		s.turns(20 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
		s.turns(10 * time.Minute)
		away = errors.New("the other cluster does not answer")
		s.turns(14 * time.Minute)
		require.Equal(t, phase.Returning, s.read().State.Phase, "each outage has the whole limit")
		away = nil
		s.promotes()
	}, troubled(&away))
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		away = errors.New("the other cluster does not answer")
		s.turns(17 * time.Minute)
		s.heard("RestoringStable: turned back: unreachable for 15m0s: the other cluster does not answer")
		away = nil
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	}, troubled(&away))
}

// troubled gives each Reading a Trouble.
func troubled(trouble *error) func(*canary.Config) {
	return func(c *canary.Config) { c.Router = troubledRouter{c.Router, trouble} }
}

type troubledRouter struct {
	canary.Router
	trouble *error
}

func (r troubledRouter) Read(ctx context.Context) (canary.Reading, error) {
	reading, err := r.Router.Read(ctx)
	reading.Trouble = *r.trouble
	return reading, err
}
