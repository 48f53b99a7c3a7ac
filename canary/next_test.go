package canary_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// inStep is a State in a step of the plan, entered at noon with its traffic.
func inStep(p canary.Plan, step int, t canary.Traffic) canary.State {
	s := canary.State{
		Serial: 7, Rollout: canary.Rollout{Plan: p.Digest(), Name: p.Name(), End: p.End().Kind, Began: noon},
		Place: canary.Place{Phase: phase.Progressing, Step: step, Traffic: t},
	}
	s.Entered, s.Shifted, s.LookBy = noon, noon, noon.Add(10*time.Minute)
	return s
}

func TestNextAsksOnlyWhatMatters(t *testing.T) {
	plan := mustBuild(t, twoSteps())
	first := canary.Traffic{Canary: 10 * percent}
	s := inStep(plan, 0, first)
	o := canary.Observation{Now: noon.Add(30 * time.Second), Traffic: first}

	same, d := plan.Next(s, o)
	require.Equal(t, canary.AskJudge, d.Ask)
	require.Equal(t, noon, d.Request.Window.From)
	require.Equal(t, s, same)

	o.Judged = canary.Judgement{Asked: true, Result: analysis.Result{Verdict: analysis.Pass}}
	_, d = plan.Next(s, o)
	require.Equal(t, canary.AskNothing, d.Ask, "nothing else matters before the hold is over")
	require.Equal(t, cause.Hold, d.Reason.Cause)
	require.Equal(t, 10*time.Second, d.After)
	require.Equal(t, "holding until 12:01:00", d.Reason.String())

	o.Now = noon.Add(time.Minute)
	_, d = plan.Next(s, o)
	require.Equal(t, canary.AskReady, d.Ask)
	require.Equal(t, canary.Full, d.Traffic.Canary)

	o.Answers[canary.AskReady] = canary.Answer{Reply: canary.Yes}
	next, d := plan.Next(s, o)
	require.True(t, d.Write)
	require.Equal(t, 1, next.Step)
	require.Equal(t, canary.Full, d.Traffic.Canary)
	require.Equal(t, 0, s.Step, "the State given is not changed")
	require.Empty(t, s.Trace)
}

func TestAStepIsMirroredOnlyWhenTheCanaryAnswersNobody(t *testing.T) {
	for _, c := range []struct {
		traffic  canary.Traffic
		mirrored bool
	}{
		{canary.Traffic{Mirror: canary.Full}, true},
		{canary.Traffic{Mirror: canary.Full, Canary: percent}, false},
		{canary.Traffic{Canary: percent}, false},
	} {
		plan := mustBuild(t, canary.NewPlan("p").Step(canary.Step{Traffic: c.traffic, Requires: canary.NoFailure}).End(canary.End{Kind: canary.Discard}))
		_, d := plan.Next(inStep(plan, 0, c.traffic), canary.Observation{Now: noon.Add(time.Second), Traffic: c.traffic})
		require.Equal(t, c.mirrored, d.Request.Mirrored, c.traffic)
	}
}

func TestTheWindowBeginsAfterTheChangeTheSettleTimeAndTheScrapeLag(t *testing.T) {
	plan := mustBuild(t, twoSteps().Settle(5*time.Second).ScrapeLag(15*time.Second))
	first := canary.Traffic{Canary: 10 * percent}
	s := inStep(plan, 0, first)
	at := func(d time.Duration) canary.Decision {
		_, decision := plan.Next(s, canary.Observation{Now: noon.Add(d), Traffic: first})
		return decision
	}
	require.Equal(t, cause.Settling, at(4*time.Second).Reason.Cause)
	require.Equal(t, time.Second, at(4*time.Second).After)
	require.Equal(t, cause.Hold, at(20*time.Second).Reason.Cause)
	d := at(21 * time.Second)
	require.Equal(t, canary.AskJudge, d.Ask)
	require.Equal(t, noon.Add(20*time.Second), d.Request.Window.From)
}

func TestAClockThatWasWrongCannotHoldARolloutForAsLong(t *testing.T) {
	plan := mustBuild(t, twoSteps())
	first := canary.Traffic{Canary: 10 * percent}
	s := inStep(plan, 0, first)
	s.Paused, s.Verified = noon, noon
	o := canary.Observation{Now: noon.Add(-30 * time.Second), Traffic: first}
	_, d := plan.Next(s, o)
	require.False(t, d.Write, "clocks of two drivers differ a little")
	o.Now = noon.Add(-time.Hour)
	next, d := plan.Next(s, o)
	require.True(t, d.Write)
	require.Equal(t, first, d.Traffic)
	for _, at := range []time.Time{next.Entered, next.Shifted, next.Verified, next.Paused} {
		require.Equal(t, o.Now, at)
	}
}

func TestAFenceIsPassedOnlyByWriting(t *testing.T) {
	plan := mustBuild(t, s2())
	s := inStep(plan, 5, canary.Traffic{Canary: canary.Full})
	s.Owner, s.Phase, s.Outcome = "suite", phase.PromotingStable, phase.Promoted
	next, d := plan.Next(s, canary.Observation{Now: noon.Add(time.Hour), Traffic: s.Traffic, Fence: 900})
	require.True(t, d.Write)
	require.EqualValues(t, 901, next.Serial)
	require.Equal(t, phase.PromotingStable, next.Phase)
	_, d = plan.Next(next, canary.Observation{Now: noon.Add(time.Hour), Traffic: s.Traffic, Fence: 901})
	require.True(t, d.Write, "the same serial may be that of another rollout")
}

func TestAFenceLetsTheLaterSerialAndItselfThrough(t *testing.T) {
	last := canary.Fence{Rollout: "a", Serial: 7}
	require.NoError(t, last.After(canary.Fence{}))
	require.NoError(t, last.After(last))
	require.NoError(t, canary.Fence{Rollout: "b", Serial: 8}.After(last))
	for _, late := range []canary.Fence{{}, {Rollout: "a", Serial: 6}, {Rollout: "b", Serial: 6}, {Rollout: "b", Serial: 7}} {
		err := late.After(last)
		require.ErrorIs(t, err, canary.ErrConflict)
		require.Equal(t, canary.FencedError{Serial: 7}, err)
		require.EqualError(t, err, "serial 7 was acted on already")
	}
}

func TestEveryDriverOfARolloutGivesTheSameFenceAndNoOtherRolloutHasIt(t *testing.T) {
	plan := mustBuild(t, twoSteps())
	o := canary.Observation{Now: noon.Add(time.Nanosecond)}
	begun, _ := plan.Next(canary.State{}, o)
	require.Equal(t, plan.Digest()+"@2026-05-04T12:00:00.000000001Z", begun.Fence().Rollout)
	data, err := json.Marshal(begun)
	require.NoError(t, err)
	var read canary.State
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, begun.Fence(), read.Fence())
	read.Began = read.Began.In(time.FixedZone("elsewhere", 3600))
	require.Equal(t, begun.Fence(), read.Fence())

	over := begun
	over.Phase, over.Outcome = phase.RolledBack, phase.RolledBack
	over.Command = canary.Command{Order: order.Retry}
	again, _ := plan.Next(over, o)
	require.Equal(t, phase.Preparing, again.Phase)
	require.NotEqual(t, begun.Fence().Rollout, again.Fence().Rollout, "though both begin in the same instant")
}

func TestAWorkloadThatIsAheadOfALostStateIsPassed(t *testing.T) {
	for name, ahead := range map[string]int64{"by a serial": 1, "by none, but for another rollout": 0} {
		t.Run(name, func(t *testing.T) {
			promoting := false
			story(t, s2(), func(t *testing.T, s *stage) {
				s.workload.Before = func(method string) error {
					if method != "Promote" || promoting {
						return nil
					}
					promoting = true
					_, err := s.workload.Promote(t.Context(), canary.Question{Fence: canary.Fence{Rollout: "lost", Serial: s.read().State.Serial + ahead}})
					return err
				}
				s.promotes()
				s.heard("a State was lost; its serial is passed now")
			})
		})
	}
}

func TestAStateThatIsLostAtFullTrafficIsRolledBackThroughARestore(t *testing.T) {
	plan := mustBuild(t, s2())
	full := canary.Traffic{Canary: canary.Full}
	remembered := inStep(plan, 4, canary.Traffic{Canary: 80 * percent})
	remembered.Owner = "suite"
	next, d := plan.Next(remembered, canary.Observation{Now: noon.Add(time.Hour), Traffic: full, Loss: canary.Removed})
	require.Equal(t, phase.RestoringStable, next.Phase, "stable may be under promotion already")
	require.Equal(t, full, d.Traffic)

	remembered = inStep(plan, 5, full)
	remembered.Owner = "suite"
	next, d = plan.Next(remembered, canary.Observation{Now: noon.Add(time.Hour), Traffic: full, Loss: canary.Removed})
	require.Equal(t, phase.Progressing, next.Phase)
	require.True(t, next.Recalled)
	require.Equal(t, full, d.Traffic)
}

func TestNoStateIsTakenOnTrust(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                       "unexpected end",
		`{}`:                      "it has no version",
		`{"version":2}`:           "it has version 2",
		`{"version":2,"wings":1}`: "it has version 2",
		`{"version":1,"wings":1}`: "wings: there is no such field; want one of version, serial, rollout,",
		`{"version":1,"place":{"phase":"Flying"}}`:                                 `phase "Flying" is not known`,
		`{"version":1,"place":{"step":-1}}`:                                        "step: -1 is not within 0 to 1000",
		`{"version":1,"place":{"phase":"Progressing"}}`:                            "without a plan or its times",
		`{"version":1,"place":{"traffic":{"canary":"60%","baseline":"60%"}}}`:      "more than 100% together",
		`{"version":1,"place":{"traffic":{"cohorts":"b,a"}}}`:                      "cohorts is \"b,a\"",
		`{"version":1,"place":{"outcome":"Baking"}}`:                               "Baking is not final",
		`{"version":1,"history":{"reason":"` + strings.Repeat("x", 20_000) + `"}}`: "at most 12288 are allowed",
		`{"version":1,"history":{"reason":"` + strings.Repeat("x", 201) + `"}}`:    "reason: more than 200 bytes",
		`{"version":1,"history":{"reason":"\u001b[31m"}}`:                          "or no plain text",
		`{"version":1,"serial":9223372036854775807}`:                               "serial: 9223372036854775807 is not within",
		`{"version":1,"rollout":{"began":"9999-12-31T00:00:00Z"}}`:                 "began: 9999-12-31T00:00:00Z is no time of a rollout",
		`{"version":1,"clock":{"shifted":"0001-01-02T00:00:00Z"}}`:                 "shifted: 0001-01-02",
		`{"version":1,"clock":{"pausedFor":9000000000000000000}}`:                  "pausedFor:",
		`{"version":1,"place":{"retreat":{"cause":"boredom"}}}`:                    `cause "boredom" is not known`,
	} {
		var s canary.State
		err := json.Unmarshal([]byte(text), &s)
		require.ErrorContains(t, err, want, text)
		require.Zero(t, s)
	}
	var s canary.State
	require.ErrorIs(t, s.UnmarshalJSON([]byte(`[]`)), canary.ErrBadState)
}

func FuzzStateJSON(f *testing.F) {
	f.Add([]byte(`{"version":1,"rollout":{"plan":"a","began":"2026-01-01T00:00:00Z"},"place":{"phase":"Progressing"},"clock":{"entered":"2026-01-01T00:00:00Z","shifted":"2026-01-01T00:00:00Z"}}`))
	plan := mustBuild(f, s2())
	f.Fuzz(func(t *testing.T, data []byte) {
		var s canary.State
		if s.UnmarshalJSON(data) != nil {
			return
		}
		again, err := json.Marshal(s)
		require.NoError(t, err)
		var back canary.State
		require.NoError(t, json.Unmarshal(again, &back))
		s.Plan = plan.Digest()
		plan.Next(s, canary.Observation{Now: noon, Traffic: s.Traffic}) // whatever it is, Next is total
	})
}

func TestTheStateStaysSmallHoweverLongARolloutIs(t *testing.T) {
	long := strings.Repeat("ü", 64)
	story(t, canary.NewPlan(long).Owner(long).Weights(canary.Linear(percent/10, percent/10, canary.Full), canary.Step{Name: strings.Repeat("n", 100)}),
		func(t *testing.T, s *stage) {
			s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}}
			largest := 0
			s.router.BeforeWrite = func() error {
				data, err := json.Marshal(s.read().State)
				largest = max(largest, len(data))
				return err
			}
			s.turns(time.Hour)
			s.send(canary.Command{Order: order.Abort, By: strings.Repeat("b", 500), Why: strings.Repeat("w", 5000)})
			_, err := s.run()
			require.ErrorIs(t, err, canary.ErrRolledBack)
			require.Less(t, largest, 4096)
			require.Greater(t, largest, 1500)
		})
}

func TestARunnerSaysAllThatIsMissing(t *testing.T) {
	c := canary.Config{Plan: mustBuild(t, s2()), Router: new(canarytest.Router), Workload: new(canarytest.Workload), Observers: []canary.Observer{nil}}
	c.Analyzer = analysis.Threshold{Max: 2}
	_, err := canary.NewRunner(c)
	require.ErrorContains(t, err, "Config.Observers: number 0 is nil")
	require.ErrorContains(t, err, "Max is 2")
	_, err = canary.NewRunner(canary.Config{Plan: mustBuild(t, twoSteps()), Router: (*canarytest.Router)(nil), Analyzer: (*analysis.Threshold)(nil)})
	require.ErrorContains(t, err, "Config.Router is a nil *canarytest.Router")
	require.ErrorContains(t, err, "Config.Analyzer is a nil *analysis.Threshold")
	_, err = canary.NewRunner(canary.Config{Plan: mustBuild(t, s2().Verify())})
	for _, want := range []string{`runner for plan "reviews"`, "Config.Router", `Config.Analyzer is missing: step "dark launch" requires a verdict`, "Config.Workload", "Config.Verifier"} {
		require.ErrorContains(t, err, want)
	}
}

func TestEveryQuestionIsAWord(t *testing.T) {
	require.Equal(t, "judge", canary.AskJudge.String())
	require.Equal(t, "ask(99)", canary.Ask(99).String())
	require.Equal(t, "promote stable", canary.PromoteStable.String())
	require.Equal(t, "hold", canary.HoldAndAsk.String())
	require.Equal(t, "canary 5%, baseline 5%, mirror 50%, cohorts staff",
		canary.Traffic{Canary: 5 * percent, Baseline: 5 * percent, Mirror: 50 * percent, Cohorts: "staff"}.String())
	require.Equal(t, 90*percent, canary.Traffic{Canary: 5 * percent, Baseline: 5 * percent}.Stable())
	_, err := phase.Phase(99).MarshalText()
	require.ErrorContains(t, err, "phase 99 has no name")
	_, err = canary.ParseWeight(strings.Repeat("9", 100))
	require.Less(t, len(err.Error()), 120)
}

// A clock that was ahead has written blocks of times that have not come yet: what
// they say is forgotten when the clock is right again, and nothing else.
func TestBlocksOfTheFutureAreForgotten(t *testing.T) {
	plan := mustBuild(t, s2())
	traffic := canary.Traffic{Canary: 20 * percent}
	s := inStep(plan, 1, traffic)
	s.Owner = "suite"
	past := canary.Block{From: noon.Add(-time.Hour), To: noon.Add(-time.Minute), Traffic: traffic}
	future := canary.Block{From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour), Traffic: traffic}
	s.Blocks = canary.Blocks{past, future}
	s.Entered, s.Shifted = noon.Add(2*time.Hour), noon.Add(2*time.Hour)
	next, d := plan.Next(s, canary.Observation{Now: noon, Traffic: traffic})
	require.True(t, d.Write)
	require.Contains(t, d.Reason.String(), "the clock was set back")
	require.Equal(t, canary.Blocks{past}, next.Blocks)
	require.Len(t, s.Blocks, 2, "the State that was given is as it was")
	require.Equal(t, noon, next.Entered)
}

// Whichever time of a State is ahead of the clock, it holds the rollout no longer
// than if it were now.
func TestEveryTimeThatIsAheadIsSetBack(t *testing.T) {
	plan := mustBuild(t, s2())
	ahead := noon.Add(time.Hour)
	for name, of := range map[string]func(*canary.State) *time.Time{
		"entered":   func(s *canary.State) *time.Time { return &s.Entered },
		"shifted":   func(s *canary.State) *time.Time { return &s.Shifted },
		"verified":  func(s *canary.State) *time.Time { return &s.Verified },
		"promotion": func(s *canary.State) *time.Time { return &s.Promotion },
		"baked":     func(s *canary.State) *time.Time { return &s.Baked },
		"retreat":   func(s *canary.State) *time.Time { return &s.Retreat.Since },
	} {
		s := inStep(plan, 1, canary.Traffic{Canary: 20 * percent})
		s.Owner, s.PausedFor = "suite", time.Minute
		if name == "retreat" {
			s.Phase, s.Traffic, s.Retreat.Cause = phase.Retreating, canary.Traffic{}, cause.SteppedBack
		}
		*of(&s) = ahead
		next, d := plan.Next(s, canary.Observation{Now: noon, Traffic: s.Traffic})
		require.True(t, d.Write, name)
		require.Equal(t, noon, *of(&next), name)
		require.Zero(t, next.PausedFor, "it is of times that mean nothing any more")
	}
}
