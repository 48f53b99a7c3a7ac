package canary_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

var (
	undecided = canarytest.Ruling{Verdict: analysis.Inconclusive, Reason: "more requests are needed"}
	unread    = canarytest.Ruling{Err: errors.New("prometheus is down")}
	noPods    = []canary.Answer{canary.No.Because("no pod is ready")}
)

// holding is a stage that has been in its first step for half a minute.
func holding(t *testing.T, plan canary.Builder, f func(*testing.T, *stage)) {
	t.Helper()
	story(t, plan, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undecided}
		s.turns(30 * time.Second)
		f(t, s)
	})
}

// losesPods lets the canary have no pod for d.
func (s *stage) losesPods(d time.Duration) {
	s.workload.AliveScript = noPods
	s.turns(d)
	require.Zero(s.t, s.read().Traffic)
	s.workload.AliveScript = nil
}

// E37, E9: a canary without a ready pod loses its share in that very turn, and gets it back
// when its pods have been there for a while.
func TestACanaryWithoutPodsGivesItsShareBackAtOnce(t *testing.T) {
	gone := []canary.Answer{canary.No.Because("canary v2: no pod is ready, and stable v1 has 3")}
	waits := []canary.Answer{canary.Wait.Because("0 of 3 replicas available")}
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		s.workload.AliveScript, s.workload.ReadyScript = gone, waits
		at := time.Now()
		s.turns(10 * time.Second)
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.Retreating, read.State.Phase)
		require.LessOrEqual(t, read.State.Shifted.Sub(at), 10*time.Second)
		s.heard("no ready pod: canary v2: no pod is ready")

		s.turns(5 * time.Minute)
		s.workload.AliveScript, s.workload.ReadyScript = nil, nil
		s.turns(50 * time.Second)
		require.Zero(t, s.read().Traffic, "the pods may go again")
		s.turns(40 * time.Second)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		s.promotes()
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		s.workload.AliveScript, s.workload.ReadyScript = gone, waits
		at := time.Now()
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, "no ready pod for 10m0s: canary v2: no pod is ready")
		require.InDelta(t, 10*time.Minute, time.Since(at), float64(time.Minute))
	})
}

// A canary whose pods go every minute is given traffic three times, each time after a
// longer while, and then a person decides.
func TestACanaryWhosePodsComeAndGoWaitsForAPerson(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		var given []time.Time
		for range 12 * 60 {
			s.workload.AliveScript, s.workload.ReadyScript = nil, nil
			if s.read().Traffic.Canary > 0 {
				given = append(given, time.Now())
				s.workload.AliveScript = []canary.Answer{canary.No.Because("no pod is ready")}
			}
			s.turns(10 * time.Second)
		}
		require.Len(t, given, 4, "once, and three times again")
		require.GreaterOrEqual(t, given[2].Sub(given[1]), 2*time.Minute)
		require.GreaterOrEqual(t, given[3].Sub(given[2]), 4*time.Minute)
		s.heard("this has happened 4 times; order a resume, or an abort")
		s.workload.AliveScript = nil
		s.send(canary.Command{Order: order.Resume})
		s.promotes()
	})
}

// What a person has paused stays paused, and an API that does not answer is no canary
// without pods.
func TestARetreatKeepsAPause(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(10 * time.Second)
		s.send(canary.Command{Order: order.Pause, Why: "lunch"})
		s.workload.Before = func(method string) error {
			if method == "Inspect" {
				return errors.New("503")
			}
			return nil
		}
		s.turns(10 * time.Minute)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		s.heard("unreachable until 00:15:10: the pods cannot be looked at: no answer: 503")
		s.workload.Before = nil
		s.workload.AliveScript = []canary.Answer{canary.No.Because("no pod is ready")}
		s.turns(time.Minute)
		require.Zero(t, s.read().Traffic)
		s.workload.AliveScript = nil
		s.turns(time.Hour)
		require.Zero(t, s.read().Traffic)
		s.send(canary.Command{Order: order.Resume})
		s.turns(90 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
	})
}

// E38: users are not left on a canary that nobody can judge. Stable gets everything after
// the blind limit, and the step goes on when the readings are back.
func TestACanaryWithoutReadingsGivesItsShareBack(t *testing.T) {
	for name, missing := range map[string]canarytest.Ruling{
		"the store errs":        {Err: errors.New("prometheus is down")},
		"the store has nothing": {Blindness: analysis.NoReadings, Reason: "no requests to stable yet: the store knows no series"},
	} {
		for limit, within := range map[time.Duration]time.Duration{0: time.Minute, 5 * time.Second: 25 * time.Second} {
			t.Run(fmt.Sprint(name, limit), func(t *testing.T) {
				story(t, twoSteps().BlindLimit(limit), func(t *testing.T, s *stage) {
					s.turns(30 * time.Second)
					s.judge.Script = []canarytest.Ruling{missing}
					at := time.Now()
					s.turns(2 * time.Minute)
					read := s.read()
					require.Equal(t, phase.Retreating, read.State.Phase)
					require.Zero(t, read.Traffic)
					require.Less(t, read.State.Shifted.Sub(at), within)
					s.heard("no readings")
					s.turns(5 * time.Hour)
					require.Zero(t, s.read().Traffic)
					s.judge.Script = nil
					s.turns(90 * time.Second)
					require.Equal(t, 10*percent, s.read().Traffic.Canary)
					s.promotes()
				})
			})
		}
	}
}

// Few requests are no want of readings, a gap shorter than the limit is none either, and
// what the readings say when they are back may fail the canary.
func TestOnlyAWantOfReadingsIsARetreat(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Blindness: analysis.FewRequests, Reason: "no requests yet"}}
		s.turns(10 * time.Hour)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		s.judge.Script = []canarytest.Ruling{{Err: errors.New("503")}}
		s.turns(20 * time.Second)
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive}}
		s.turns(time.Hour)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		require.Zero(t, s.read().State.Blind)
		s.judge.Script = []canarytest.Ruling{{Err: errors.New("503")}}
		s.turns(2 * time.Minute)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Fail, Reason: "all failed"}}
		_, err := s.run()
		require.ErrorContains(t, err, "all failed")
	})
}

func TestAPersonsWordOutlivesARetreat(t *testing.T) {
	t.Run("a pause, longer than its cause", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			s.send(canary.Command{Order: order.Pause, By: "ann", Why: "weekend"})
			s.turns(10 * time.Second)
			s.losesPods(20 * time.Second)
			s.turns(23 * time.Hour)
			require.Zero(t, s.read().Traffic)
			require.NotZero(t, s.read().State.Paused)
			_, err := s.run()
			require.ErrorContains(t, err, "paused for 24h0m0s: ")
		})
	})
	t.Run("a pause, when it is swept", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			s.send(canary.Command{Order: order.Pause, By: "ann"})
			s.turns(20 * time.Second)
			<-time.After(12 * time.Minute)
			require.NoError(t, canary.Sweep(t.Context(), s.router))
			require.Equal(t, phase.Retreating, s.read().State.Phase)
			s.turns(time.Hour)
			require.Zero(t, s.read().Traffic)
		})
	})
	t.Run("an abort that no driver has read yet", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			<-time.After(11 * time.Minute)
			s.send(canary.Command{Order: order.Abort, By: "ann"})
			<-time.After(time.Minute)
			require.NoError(t, canary.Sweep(t.Context(), s.router))
			_, err := s.run()
			require.ErrorIs(t, err, canary.ErrRolledBack)
		})
	})
	t.Run("traffic that a person set, and that waits for an order", func(t *testing.T) {
		holding(t, twoSteps().OnDrift(canary.HoldAndAsk), func(t *testing.T, s *stage) {
			s.router.Meddle(canary.Traffic{})
			s.turns(30 * time.Second)
			require.True(t, s.read().State.Drifting)
			s.workload.AliveScript = noPods
			s.turns(30 * time.Second)
			s.workload.AliveScript = nil
			s.turns(10 * time.Minute)
			require.Zero(t, s.read().Traffic)
		})
	})
	t.Run("an approval", func(t *testing.T) {
		gated := canary.NewPlan("reviews").Step(
			canary.Step{Traffic: canary.Traffic{Canary: 10 * percent}, EnterGates: []string{"qa"}, Hold: time.Hour},
			canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
		story(t, gated, func(t *testing.T, s *stage) {
			s.turns(10 * time.Second)
			s.send(canary.Command{Order: order.Approve, Gate: "qa"})
			s.turns(30 * time.Second)
			require.NotZero(t, s.read().Traffic)
			s.losesPods(20 * time.Second)
			s.turns(30 * time.Minute)
			require.NotZero(t, s.read().Traffic)
		})
	})
	t.Run("a promotion without verdict", func(t *testing.T) {
		holding(t, twoSteps().End(canary.End{Kind: canary.PromoteStable}), func(t *testing.T, s *stage) {
			s.judge.Script = []canarytest.Ruling{unread}
			s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 30 pods")}
			s.send(canary.Command{Order: order.Promote, By: "ann"})
			s.turns(20 * time.Minute)
			require.Equal(t, phase.PromotingStable, s.read().State.Phase)
		})
	})
}

// The time without a pod counts, not the time in which the API does not answer.
func TestAnAPIThatErrsIsNoCanaryWithoutPods(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.losesPods(9*time.Minute + 30*time.Second)
		s.turns(40 * time.Second)
		s.workload.Before = func(string) error { return errors.New("503") }
		s.turns(15 * time.Second)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.workload.Before = nil
		s.turns(5 * time.Minute)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
	})
}

// A State that an earlier clock wrote in the future holds up nothing that helps users.
func TestTimesInTheFutureDelayNoLimit(t *testing.T) {
	later := func(s *stage, d time.Duration, times func(*canary.State) []*time.Time) {
		r := s.read()
		for _, at := range times(&r.State) {
			require.NotZero(s.t, *at)
			*at = at.Add(d)
		}
		r.State.Serial++
		require.NoError(s.t, s.router.Write(s.t.Context(), r, r.Traffic, r.State))
	}
	t.Run("blind", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			s.judge.Script = []canarytest.Ruling{unread}
			s.turns(20 * time.Second)
			later(s, 10*time.Hour, func(s *canary.State) []*time.Time {
				return []*time.Time{&s.Shifted, &s.Entered, &s.Blind, &s.LookBy}
			})
			s.turns(time.Hour)
			require.Zero(t, s.read().Traffic)
		})
	})
	t.Run("gone", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			s.losesPods(30 * time.Second)
			s.turns(15 * time.Second)
			later(s, 30*time.Hour, func(s *canary.State) []*time.Time {
				return []*time.Time{&s.Shifted, &s.Entered, &s.Retreat.Since, &s.Retreat.Gone}
			})
			s.turns(time.Hour)
			require.NotZero(t, s.read().Traffic)
		})
	})
	t.Run("look by", func(t *testing.T) {
		holding(t, twoSteps(), func(t *testing.T, s *stage) {
			later(s, 100*time.Hour, func(s *canary.State) []*time.Time { return []*time.Time{&s.LookBy} })
			s.turns(time.Minute)
			require.Less(t, time.Until(s.read().State.LookBy), 11*time.Minute)
		})
	})
}

// What changes with each look is written once in an interval, and not as fast as the API allows.
func TestWhatFlickersIsWrittenOnceInAnInterval(t *testing.T) {
	flicker := map[string]func(*stage){
		"the promotion": func(s *stage) {
			s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
			var n int
			s.workload.Before = func(method string) error {
				if method == "Promote" {
					if n++; n%2 == 0 {
						return errors.New("503")
					}
				}
				return nil
			}
			s.judge.Script = nil
			for s.read().State.Phase != phase.PromotingStable {
				s.turns(10 * time.Second)
			}
		},
		"the readings": func(s *stage) {
			for range 1000 {
				s.judge.Script = append(s.judge.Script, unread, undecided)
			}
		},
		"the pods": func(s *stage) {
			s.losesPods(10 * time.Second)
			for range 1000 {
				s.workload.AliveScript = append(s.workload.AliveScript, noPods[0], canary.Answer{Reply: canary.Yes})
			}
		},
	}
	for name, begin := range flicker {
		t.Run(name, func(t *testing.T) {
			holding(t, twoSteps().End(canary.End{Kind: canary.PromoteStable}), func(t *testing.T, s *stage) {
				begin(s)
				s.router.AfterWrite = func() error { <-time.After(50 * time.Millisecond); return nil }
				before := s.router.Writes()
				s.turns(2 * time.Minute)
				require.LessOrEqual(t, s.router.Writes()-before, 26)
			})
		})
	}
}

// A sweep leaves a rollout alone that sends no users to the canary.
func TestASweepLeavesAMirrorAlone(t *testing.T) {
	plan := canary.NewPlan("reviews").Step(
		canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: 2 * time.Hour, Requires: canary.NoFailure},
		canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	story(t, plan, func(t *testing.T, s *stage) {
		s.router.Meddle(canary.Traffic{Mirror: canary.Full})
		require.NoError(t, s.runner.AdoptAt(t.Context(), 0, canary.Command{By: "ann"}))
		s.turns(20 * time.Minute)
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		require.Equal(t, phase.Progressing, s.read().State.Phase)
	})
}
