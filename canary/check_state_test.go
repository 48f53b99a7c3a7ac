package canary

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// Whoever forges or restores a State, by hand or by another tool, is told what of
// it cannot be, and nothing is done.
func TestAStateThatNoRolloutOfThePlanCouldHaveWrittenIsBad(t *testing.T) {
	stay, promote, discard := endsWith(t, Stay), endsWith(t, PromoteStable), endsWith(t, Discard)
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		plan  Plan
		place Place
		edit  func(*State)
		want  string
	}{
		"stable promoted in a plan that stays": {stay, Place{Phase: phase.PromotingStable, Traffic: everything, Outcome: phase.Promoted}, nil, `phase PromotingStable, and it ends with "stay"`},
		"stable restored in one that stays":    {stay, Place{Phase: phase.RestoringStable, Traffic: everything, Outcome: phase.RolledBack}, nil, `phase RestoringStable, and it ends with "stay"`},
		"returning in one that stays":          {stay, Place{Phase: phase.Returning, Outcome: phase.Promoted}, nil, `phase Returning, and it ends with "stay"`},
		"baked though it is discarded":         {discard, Place{Phase: phase.Baking, Outcome: phase.Discarded}, nil, `phase Baking, and it ends with "discard"`},
		"completed though it is discarded":     {discard, Place{Phase: phase.CompletingShift, Traffic: everything, Outcome: phase.Discarded}, nil, `phase CompletingShift, and it ends with "discard"`},
		"promoted though it is discarded":      {discard, Place{Phase: phase.Promoted, Outcome: phase.Promoted}, nil, `phase Promoted, and it ends with "discard"`},
		"discarded though it is promoted":      {promote, Place{Phase: phase.Discarded, Outcome: phase.Discarded}, nil, `phase Discarded, and it ends with "promote stable"`},
		"a step too far":                       {promote, Place{Phase: phase.Progressing, Step: 2}, nil, "step 3 of 2"},
		"a step too far in the end":            {promote, Place{Phase: phase.RolledBack, Step: 7, Outcome: phase.RolledBack}, nil, "step 8 of 2"},
		"promoting with nothing on the canary": {promote, Place{Phase: phase.PromotingStable, Outcome: phase.Promoted}, nil, "phase PromotingStable with stable only, not canary 100%"},
		"restoring with nothing on the canary": {promote, Place{Phase: phase.RestoringStable, Outcome: phase.RolledBack}, nil, "phase RestoringStable with stable only, not canary 100%"},
		"rolling back with a half":             {promote, Place{Phase: phase.RollingBack, Traffic: Traffic{Canary: Full / 2}, Outcome: phase.RolledBack}, nil, "phase RollingBack with canary 50%, not stable only"},
		"preparing with a half":                {promote, Place{Phase: phase.Preparing, Traffic: Traffic{Canary: Full / 2}}, nil, "phase Preparing with canary 50%, not stable only"},
		"promoted with the canary's traffic":   {promote, Place{Phase: phase.Promoted, Traffic: everything, Outcome: phase.Promoted}, nil, "phase Promoted with canary 100%, not stable only"},
		"promoted without the canary":          {stay, Place{Phase: phase.Promoted, Outcome: phase.Promoted}, nil, "phase Promoted with stable only, not canary 100%"},
		"a roll back that leads to promoted":   {promote, Place{Phase: phase.RollingBack, Outcome: phase.Promoted}, nil, "phase RollingBack leads to Promoted"},
		"an end that leads nowhere":            {promote, Place{Phase: phase.Returning}, nil, "phase Returning leads to Idle"},
		"a final phase that leads elsewhere":   {promote, Place{Phase: phase.Promoted, Outcome: phase.RolledBack}, nil, "phase Promoted leads to RolledBack"},
		"a step that leads to its end":         {promote, Place{Phase: phase.Progressing, Outcome: phase.Promoted}, nil, "phase Progressing leads to Promoted"},
		"cleaning up what stays":               {stay, Place{Phase: phase.CleaningUp, Traffic: Traffic{Canary: Full, HeaderRoutes: true}, Outcome: phase.Promoted}, nil, "phase CleaningUp with canary 100%, header routes, not canary 100%"},
		"paused while it rolls back":           {promote, Place{Phase: phase.RollingBack, Outcome: phase.RolledBack}, func(s *State) { s.Paused = at }, "paused in phase RollingBack"},
		"an open gate after the steps":         {promote, Place{Phase: phase.Returning, Outcome: phase.Promoted}, func(s *State) { s.Approved = []string{"g"} }, "an open gate in phase Returning"},
		"a half in a return at once":           {promote, Place{Phase: phase.Returning, Traffic: Traffic{Canary: Full / 2}, Outcome: phase.Promoted}, nil, "phase Returning with canary 50%, not stable only"},
		"a skipped hold on the way back":       {promote, Place{Phase: phase.RollingBack, Outcome: phase.RolledBack}, func(s *State) { s.Skipped = true }, "skipped hold in phase RollingBack"},
		"a retreat without a cause":            {promote, Place{Phase: phase.Retreating}, nil, `a retreat because of "none" in phase Retreating`},
		"the cause of no retreat":              {promote, Place{Phase: phase.Progressing, Retreat: retreat{Cause: cause.NoPods, Since: at}}, nil, `a retreat because of "no ready pod" in phase Progressing`},
		"another end":                          {promote, Place{Phase: phase.Progressing}, func(s *State) { s.End = Stay }, `its end is "stay", not "promote stable"`},
		"another owner":                        {promote, Place{Phase: phase.Progressing}, func(s *State) { s.Owner = "else" }, `its owner is "else", not ""`},
		"recalled where nothing is promoted":   {stay, Place{Phase: phase.Progressing}, func(s *State) { s.Recalled = true }, "stable may be under promotion"},
	} {
		t.Run(name, func(t *testing.T) {
			s := State{
				Serial: 7, Rollout: Rollout{Plan: c.plan.Digest(), Name: "p", End: c.plan.End().Kind, Began: at}, Place: c.place, clock: clock{Entered: at, Shifted: at},
			}
			if c.edit != nil {
				c.edit(&s)
			}
			err := c.plan.CheckState(s)
			require.ErrorIs(t, err, ErrBadState)
			require.ErrorContains(t, err, c.want)
			same, d := c.plan.next(s, observation{Now: at.Add(time.Hour), Traffic: s.Traffic})
			require.Equal(t, err, d.Err)
			require.Equal(t, s, same)
			require.False(t, d.Write)
		})
	}
	require.NoError(t, stay.CheckState(State{Rollout: Rollout{Plan: "another"}, Place: Place{Step: 99}}))
	require.NoError(t, stay.CheckState(State{}))
	require.NoError(t, Plan{}.CheckState(State{Place: Place{Step: 99}}))
}

func endsWith(t *testing.T, kind EndKind) Plan {
	b := NewPlan("p").Step(Step{Traffic: Traffic{Canary: 5 * Percent}, Requires: Nothing}, Step{Traffic: everything, Requires: Nothing})
	plan, err := b.End(End{Kind: kind}).Build()
	require.NoError(t, err)
	return plan
}
