package canary_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// driver is another process that has another plan.
func (s *stage) driver(plan canary.Plan) *canary.Runner {
	r, err := canary.NewRunner(canary.Config{
		Plan: plan, Router: s.router, Analyzer: s.judge, Workload: s.workload, Observers: []canary.Observer{s.observe},
	})
	require.NoError(s.t, err)
	return r
}

// E12: the driver of v2 is gone, that of v3 is there.
func TestAnyDriverOfTheOwnerObeysAnAbort(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		next := s.driver(mustBuild(t, s2()).For("v3"))
		_, err := next.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		require.ErrorContains(t, err, "order an abort")

		s.send(canary.Command{Order: order.Abort, By: "ann", Why: "v2 is bad"})
		e, err := next.Turn(t.Context())
		require.NoError(t, err)
		require.Zero(t, s.read().Traffic, "in one turn")
		require.Equal(t, phase.RollingBack, e.After.Phase)
		require.Empty(t, e.After.Revision, "it is the rollout of v2 that is turned back")
		state, err := next.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Promoted, state.Phase)
		require.Equal(t, "v3", state.Revision)
		s.heard("RolledBack: over: abort by ann: v2 is bad")
	})
}

func TestAnAbortIsForItsOwnersDriversUnlessAPersonWritesItOnTheObject(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		stranger := s.driver(mustBuild(t, s2().Owner("stranger")))
		s.send(canary.Command{Order: order.Abort})
		_, err := stranger.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherOwner)
		s.router.Abort("the tool that drives it is broken")
		e, err := stranger.Turn(t.Context())
		require.NoError(t, err)
		require.Zero(t, s.read().Traffic)
		require.Equal(t, "stranger", e.After.Owner, "it goes on with what it has begun")
		require.Equal(t, "abort by annotation: the tool that drives it is broken", e.After.Reason)
		require.Empty(t, s.read().Abort, "it is obeyed once")
	})
}

// Every way to order an Abort, in every phase, for every kind of State.
func TestAnAbortIsObeyedWhateverTheStateIs(t *testing.T) {
	ruins := map[string]string{
		"readable": "", "garbage": "{", "of a newer format": `{"version":2,"wings":1}`, "gone": "-",
		"impossible": `{"version":1,"serial":1,"rollout":{"plan":"PLAN","owner":"suite","end":"promote stable","began":"2000-01-01T00:00:00Z"},` +
			`"place":{"phase":"Progressing","step":99},"clock":{"entered":"2000-01-01T00:00:00Z","shifted":"2000-01-01T00:00:00Z"}}`,
	}
	orders := map[string]func(*stage) error{
		"annotated": func(s *stage) error { s.router.Abort("help"); return nil },
		"sent": func(s *stage) error {
			return canary.Send(s.t.Context(), s.router, canary.Command{Order: order.Abort, Why: "help"})
		},
	}
	for kind, ruin := range ruins {
		for way, order := range orders {
			for _, minutes := range []int{0, 1, 3, 6, 7} {
				t.Run(fmt.Sprint(kind, way, minutes), func(t *testing.T) {
					if kind == "gone" && way == "sent" {
						t.Log("no rollout that could be told")
						return
					}
					story(t, s2().Bake(time.Hour), func(t *testing.T, s *stage) {
						s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2"), {Reply: canary.Yes}}
						s.turns(time.Duration(minutes)*time.Minute + 30*time.Second)
						switch {
						case ruin == "-":
							s.router.Corrupt("")
						case ruin != "":
							s.router.Corrupt(string(strings.ReplaceAll(ruin, "PLAN", mustBuild(t, s2().Bake(time.Hour)).Digest())))
						}
						require.NoError(t, order(s))
						// Nobody remembers anything: the driver is a new process.
						state, err := s.driver(mustBuild(t, s2().Bake(time.Hour))).Run(t.Context())
						require.ErrorIs(t, err, canary.ErrRolledBack)
						require.ErrorContains(t, err, "help")
						require.Equal(t, phase.RolledBack, state.Phase)
						require.Equal(t, canary.Reading{State: state, Version: s.read().Version}, s.read())
						if kind == "readable" {
							require.False(t, s.workload.Promoted(), "stable is what it was")
						}
					})
				})
			}
		}
	}
}

func TestAnAbortThatComesTooLateIsTakenAway(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.NoError(t, err)
		s.router.Abort("no")
		s.promotes()
		require.Equal(t, canary.Full, s.read().Traffic.Canary, "it was the end that was wanted")
		require.Empty(t, s.read().Abort)
		s.heard("an abort came too late, the rollout is over: no")
	})
}

// E26: the object has no room for the State of a roll back.
func TestARollBackIsWrittenWithTheSmallestState(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(4 * time.Minute)
		full := s.encoded(s.read().State) - 200
		s.router.Room = full
		s.send(canary.Command{Order: order.Abort, By: "a", Why: "b"})
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Zero(t, s.read().Traffic)
		require.Less(t, s.encoded(s.read().State), full)
	})
}

// E6: what refuses, while users are on the canary, ends no Run.
func TestNoRefusalEndsARunWhileUsersAreOnTheCanary(t *testing.T) {
	for name, refusal := range map[string]error{"ambiguous rule": canary.ErrRefused, "forbidden": canary.ErrForbidden, "unreadable": canary.ErrBadState} {
		t.Run(name, func(t *testing.T) {
			story(t, s2(), func(t *testing.T, s *stage) {
				s.turns(90 * time.Second)
				var mended atomic.Bool
				s.router.BeforeRead = func() error {
					if !mended.Load() {
						return fmt.Errorf("rule b: %w", refusal)
					}
					return nil
				}
				time.AfterFunc(3*time.Hour, func() { mended.Store(true) })
				s.promotes()
				s.heard("error: rule b")
			})
			story(t, s2(), func(t *testing.T, s *stage) {
				s.router.BeforeRead = func() error { return refusal }
				_, err := s.run()
				require.ErrorIs(t, err, refusal, "nobody is on the canary")
			})
		})
	}
}

// encoded is how much room a State takes.
func (s *stage) encoded(state canary.State) int {
	data, err := state.MarshalJSON()
	require.NoError(s.t, err)
	return len(data)
}

// Nobody sends traffic to a stable that may be between two versions.
func TestADriverWithoutAWorkloadRestoresNoStable(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		state := s.turns(8 * time.Minute)
		require.Equal(t, phase.PromotingStable, state.Phase)
		bare, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, twoSteps().Owner("suite")), Router: s.router, Analyzer: s.judge})
		require.NoError(t, err)
		s.router.Abort("help")
		_, err = bare.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		require.ErrorContains(t, err, "may have changed stable; only a driver with a Workload can roll it back")
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
		_, err = s.run()
		require.ErrorContains(t, err, "help", "one that has a Workload obeys")
	})
}

// E34: a State that came with a backup, or from another cluster, is not obeyed.
func TestAStateOfAnotherObjectIsBadUnlessItIsOver(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.router.UID = "first"
		state := s.turns(90 * time.Second)
		require.Equal(t, "first", state.Object)
		s.router.UID = "second"
		e, err := s.driver(mustBuild(t, s2())).Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrBadState)
		require.ErrorContains(t, err, `it belongs to the object with the UID "first", and this object has "second"`)
		require.False(t, e.Wrote)
		s.router.Abort("what is this?")
		state, err = s.driver(mustBuild(t, s2())).Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, "second", state.Object)
		require.Zero(t, s.read().Traffic)

		s.router.UID = "third"
		state, err = s.driver(mustBuild(t, s2())).Run(t.Context())
		require.NoError(t, err, "what is over keeps nothing from beginning")
		require.Equal(t, "third", state.Object)
	})
}

// backup is what a VirtualService of then has.
type backup struct {
	traffic canary.Traffic
	state   string
}

func (s *stage) backup() backup {
	r := s.read()
	text, err := r.State.MarshalJSON()
	require.NoError(s.t, err)
	return backup{r.Traffic, string(text)}
}

func (s *stage) restore(b backup) {
	s.router.Corrupt(b.state)
	s.router.Meddle(b.traffic)
}

// E34: an older VirtualService is put back, by a backup or by Git. Who remembers a
// later serial resumes nothing: what was, is put back, and what is over stays over.
func TestAnOlderStateIsNotResumed(t *testing.T) {
	twenty := time.Minute + 30*time.Second // in the first step
	for name, c := range map[string]struct {
		put    time.Duration // when it is put back
		phase  phase.Phase   // then
		ends   phase.Phase
		script []canarytest.Ruling
	}{
		"in mid-rollout":        {3 * time.Minute, phase.Progressing, phase.Promoted, nil},
		"after it was promoted": {24 * time.Hour, phase.Promoted, phase.Promoted, nil},
		"after it was rolled back": {24 * time.Hour, phase.RolledBack, phase.RolledBack,
			append(slices.Repeat([]canarytest.Ruling{{Verdict: analysis.Pass}}, 12), canarytest.Ruling{Verdict: analysis.Fail})},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, s2(), func(t *testing.T, s *stage) {
				s.judge.Script = c.script
				s.turnsFor(twenty)
				old := s.backup()
				require.NotZero(t, old.traffic.Canary+old.traffic.Mirror)
				s.turnsFor(c.put - twenty)
				before := s.read()
				require.Equal(t, c.phase, before.State.Phase)
				promoted := s.workload.Promoted()
				s.restore(old)
				asked := len(s.judge.Asked())
				s.turnsFor(2 * time.Minute)
				now := s.read()
				require.Greater(t, now.State.Serial, before.State.Serial)
				s.heard("somebody replaced the State by an older one")
				if c.phase.Final() {
					require.Equal(t, before.State.Phase, now.State.Phase)
					require.Equal(t, before.Traffic, now.Traffic)
					require.Equal(t, promoted, s.workload.Promoted())
					require.Len(t, s.judge.Asked(), asked, "nobody is judged by what is over")
				} else {
					require.GreaterOrEqual(t, now.State.Step, before.State.Step)
				}
				s.turnsFor(time.Hour)
				require.Equal(t, c.ends, s.read().State.Phase)
			})
		})
	}
}

// turnsFor takes turns for as long as d, however it ends.
func (s *stage) turnsFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	for ctx.Err() == nil {
		e, _ := s.runner.Turn(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(max(e.Wait, time.Second)):
		}
	}
}

// A reading that is a write or two behind is none of that.
func TestAReadingThatIsBehindIsWaitedFor(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turnsFor(90 * time.Second)
		old := s.backup()
		s.turnsFor(40 * time.Second)
		now := s.backup()
		require.NotEqual(t, old.state, now.state)
		writes := s.router.Writes()
		s.restore(old)
		s.turnsFor(4 * time.Second)
		require.Equal(t, writes, s.router.Writes(), "nothing is written on what may be old")
		s.restore(now)
		_, err := s.run()
		require.NoError(t, err)
		require.Zero(t, s.read().State.Drifts)
	})
}

// Who puts an older object back again and again gives no users to the canary for
// long; if the end gave it everything, a person is called.
func TestAnOlderStateThatComesBackAgainAndAgain(t *testing.T) {
	again := func(s *stage, old backup) (err error) {
		for range 10 {
			s.restore(old)
			s.turnsFor(2 * time.Minute)
			_, err = s.runner.Turn(s.t.Context())
		}
		return err
	}
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turnsFor(90 * time.Second)
		old := s.backup()
		_, err := s.run()
		require.NoError(t, err)
		require.NoError(t, again(s, old))
		require.Zero(t, s.read().Traffic)
		require.Equal(t, phase.Promoted, s.read().State.Phase)
	})
	stay := canary.NewPlan("p").Weights(canary.List(20*percent, canary.Full), canary.Step{Hold: time.Minute})
	story(t, stay, func(t *testing.T, s *stage) {
		s.turnsFor(30 * time.Second)
		old := s.backup()
		_, err := s.run()
		require.NoError(t, err)
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3")}
		s.restore(old)
		s.turnsFor(2 * time.Minute)
		require.Equal(t, 20*percent, s.read().Traffic.Canary, "nothing is ready for more")
		s.heard("the rollout ended as Promoted, with canary 100%, and this traffic has to wait: 0 of 3")
		s.workload.ReadyScript = nil
		s.turnsFor(2 * time.Minute)
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
		require.ErrorIs(t, again(s, old), canary.ErrBadState)
	})
}

// An abort that somebody wrote into the older State is one.
func TestAnAbortIntoAnOlderStateIsObeyed(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turnsFor(90 * time.Second)
		old := s.backup()
		s.turnsFor(3 * time.Minute)
		s.restore(old)
		s.send(canary.Command{Order: order.Abort, By: "anna"})
		_, err := s.run()
		require.ErrorContains(t, err, "abort by anna")
		require.Zero(t, s.read().Traffic)
	})
}

// An object that is made anew, without a State, goes on as one whose State was
// removed.
func TestAnObjectThatIsMadeAnewInMidRolloutGoesOn(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.router.UID = "first"
		s.turnsFor(90 * time.Second)
		s.router.UID = "second"
		s.restore(backup{})
		state := s.promotes()
		require.Equal(t, "second", state.Object)
	})
}

// The attacks of a reader: somebody gives the canary more, or takes something from
// it, when it has no ready pod; what is found is judged, the limit counts, and
// commands are obeyed.
func TestDriftNeverKeepsARolloutFromBeingJudged(t *testing.T) {
	long := canary.NewPlan("p").Settle(time.Second).ScrapeLag(time.Second).
		Weights(canary.List(20*percent, 60*percent), canary.Step{Hold: time.Hour}).End(canary.End{Kind: canary.PromoteStable, Deadline: 5 * time.Minute})
	dead := []canary.Answer{canary.Wait.Because("0 of 3 replicas available")}
	for name, traffic := range map[string]canary.Traffic{"more": {Canary: canary.Full}, "less": {Canary: 5 * percent}, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			story(t, long, func(t *testing.T, s *stage) {
				s.turnsFor(90 * time.Second)
				s.judge.Script, s.workload.ReadyScript = rulings(analysis.Fail), dead
				s.router.Meddle(traffic)
				s.turnsFor(2 * time.Minute)
				require.Zero(t, s.read().Traffic)
				require.Equal(t, 1, s.read().State.Drifts)
			})
			story(t, long, func(t *testing.T, s *stage) {
				s.turnsFor(90 * time.Second)
				s.workload.ReadyScript = dead
				s.router.Meddle(traffic)
				s.turnsFor(2 * time.Minute)
				s.send(canary.Command{Order: order.Pause})
				s.turnsFor(2 * time.Minute)
				require.False(t, s.read().State.Paused.IsZero(), "commands are obeyed")
				s.send(canary.Command{Order: order.Resume})
				s.workload.ReadyScript = nil
				s.turnsFor(2 * time.Minute)
				require.Equal(t, 20*percent, s.read().Traffic.Canary, "it is put back when all is ready")
			})
		})
	}
	// A promotion goes on, within its deadline.
	for _, reply := range []canary.Answer{canary.Wait.Because("0 of 3"), canary.No.Because("no such image")} {
		story(t, long, func(t *testing.T, s *stage) {
			s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
			s.turnsFor(2*time.Hour + 2*time.Minute)
			require.Equal(t, phase.PromotingStable, s.read().State.Phase)
			s.workload.ReadyScript = []canary.Answer{reply}
			s.router.Meddle(canary.Traffic{Canary: 50 * percent})
			s.turnsFor(10 * time.Minute)
			require.Equal(t, phase.RolledBack, s.read().State.Phase)
		})
	}
}

// An Abort beats whatever became of the State, and gives nobody to the canary.
func TestAnAbortIsObeyedAtOnceWhateverBecameOfTheState(t *testing.T) {
	for name, replaced := range map[string]bool{"removed": false, "replaced": true} {
		for how, order := range map[string]func(*stage){
			"annotation": func(s *stage) { s.router.Abort("orders are lost") },
			"command":    func(s *stage) { s.send(canary.Command{Order: order.Abort, Why: "orders are lost"}) },
		} {
			if !replaced && how == "command" {
				continue // there is nothing to send it to
			}
			for _, dead := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", how, " ", dead), func(t *testing.T) {
					story(t, s2(), func(t *testing.T, s *stage) {
						s.turnsFor(90 * time.Second)
						old := s.backup()
						s.turnsFor(3 * time.Minute)
						if dead {
							s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3")}
						}
						if old.traffic = (canary.Traffic{}); !replaced {
							old.state = ""
						}
						s.restore(old)
						order(s)
						most := canary.Weight(0)
						s.router.AfterWrite = func() error {
							most = max(most, s.read().Traffic.Canary)
							return nil
						}
						s.turnsFor(time.Minute)
						require.Equal(t, phase.RolledBack, s.read().State.Phase)
						require.Zero(t, most)
					})
				})
			}
		}
	}
}

// What a standby remembers of two days ago is not given to users.
func TestAnOldMemoryGivesNobodyToTheCanary(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turnsFor(4 * time.Minute)
		other := s.driver(mustBuild(t, s2()))
		s.send(canary.Command{Order: order.Abort})
		_, err := other.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		<-time.After(48 * time.Hour) // of the bubble
		s.restore(backup{})
		_, err = s.runner.Run(t.Context())
		require.ErrorContains(t, err, "the State that this driver remembers is 48h0m")
		require.Zero(t, s.read().Traffic)
	})
}

// Who had a rollout that another one took the place of does not begin it anew when
// that one is reset.
func TestAResetOfTheNextRolloutIsNotTheLastOnes(t *testing.T) {
	plan := mustBuild(t, s2())
	story(t, s2(), func(t *testing.T, s *stage) {
		v2, v3 := s.driver(plan.For("v2")), s.driver(plan.For("v3"))
		s.judge.Script = append(rulings(analysis.Fail), rulings(analysis.Pass)...)
		_, err := v2.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		_, err = v3.Turn(t.Context())
		require.NoError(t, err)
		require.NoError(t, v3.Reset(t.Context()))
		_, err = v2.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		_, err = v3.Run(t.Context())
		require.NoError(t, err)
	})
}

// A rollout that began on an object made anew is no older State of what is
// remembered of the one before, whatever the clock of its driver says.
func TestARolloutOfAnotherObjectIsNoOlderOne(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.router.UID = "first"
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		s.router.UID = "second"
		s.restore(backup{})
		v3 := s.driver(mustBuild(t, s2()).For("v3"))
		_, err = v3.Turn(t.Context())
		require.NoError(t, err)
		early := s.read().State
		early.Serial -= 600_000 // by a clock that is ten minutes behind
		text, err := early.MarshalJSON()
		require.NoError(t, err)
		s.restore(backup{canary.Traffic{}, string(text)})
		s.turnsFor(2 * time.Minute)
		_, err = s.runner.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		require.Equal(t, early.Serial, s.read().State.Serial)
	})
}

// What gives the canary more than somebody left it has to be ready for that.
func TestTheCanaryIsGivenBackNothingThatItCannotTake(t *testing.T) {
	long := canary.NewPlan("p").Settle(time.Second).ScrapeLag(time.Second).
		Weights(canary.List(20*percent, canary.Full), canary.Step{Hold: time.Hour})
	story(t, long, func(t *testing.T, s *stage) {
		s.turnsFor(90 * time.Second)
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3")}
		s.router.Meddle(canary.Traffic{})
		s.turnsFor(10 * time.Minute)
		require.Zero(t, s.read().Traffic)
		s.heard("it is put back when that is possible: 0 of 3")
		s.workload.ReadyScript = []canary.Answer{canary.No.Because("no such image")}
		_, err := s.run()
		require.ErrorContains(t, err, "the step's traffic cannot be restored: no such image")
	})
}
