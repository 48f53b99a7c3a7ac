package evidence_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

func TestTheZeroValueOfSettingsIsTheDefault(t *testing.T) {
	s, err := evidence.Settings{}.For(evidence.Errors)
	require.NoError(t, err)
	require.Equal(t, evidence.Settings{
		Alpha: 0.05, Beta: 0.05,
		Fail: evidence.Margin{Factor: 1.05}, Pass: evidence.Margin{Factor: 1.5, Extra: 0.005}, Alone: evidence.Margin{Factor: 3, Extra: 0.005},
		FailGrid: evidence.Grid{1.2, 1.5, 2, 3, 5, 10, 30, 200}, PassGrid: evidence.Grid{.05, .2, .4, .6, .75, .9},
		EventsPerCause: 1, Noise: 0.15, Block: 4, Blocks: 60, FirstShare: 0.8, LookCap: math.Log(20) / 2,
	}, s)
	require.Equal(t, better, s.PassGrid.Multipliers())
	slow, err := evidence.Settings{}.For(evidence.Latency)
	require.NoError(t, err)
	require.NotZero(t, slow.FailWeights)
	slow, err = evidence.Settings{FailGrid: evidence.Grid{2, 3}}.For(evidence.Latency)
	require.NoError(t, err)
	require.Zero(t, slow.FailWeights, "a grid of one's own has equal weights")
	again, err := s.For(evidence.Errors)
	require.NoError(t, err)
	require.Equal(t, s, again)
}

func TestTheStrictPresetDemandsMore(t *testing.T) {
	s, err := evidence.Settings{Preset: evidence.Strict}.For(evidence.Latency)
	require.NoError(t, err)
	require.Equal(t, 0.01, s.Alpha)
	require.Equal(t, evidence.Margin{Factor: 1.1, Extra: 0.001}, s.Fail)
	require.InDelta(t, math.Log(100)/3, s.LookCap, 1e-12)
	s, err = evidence.Settings{Preset: evidence.Strict, Alpha: 0.1}.For(evidence.Traffic)
	require.NoError(t, err)
	require.Equal(t, 0.1, s.Alpha, "what is given stays")
	require.True(t, math.IsInf(s.LookCap, 1))
}

func TestEveryMistakeIsNamedWithWhatWouldBeRight(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	err := evidence.Settings{
		Alpha: 1, Beta: nan,
		Fail: evidence.Margin{Factor: 2, Extra: 0.5}, Pass: evidence.Margin{Factor: 1.2, Extra: 0.1},
		FailGrid: evidence.Grid{0.5}, PassGrid: evidence.Grid{-1, 2},
		FailWeights: evidence.Grid{1, 2}, PassWeights: evidence.Grid{1, -3},
		EventsPerCause: 0.5, Noise: nan, Block: -1, Blocks: -2, FirstShare: 1.5, LookCap: -1,
	}.Validate(evidence.Errors)
	require.Equal(t, strings.Join([]string{
		"alpha is 1: use a probability above 0 and below 0.5, such as 0.05",
		"beta is NaN: use a probability above 0 and below 0.5, such as 0.05",
		"the Factor of the Fail margin is 2, above the 1.2 of the Pass margin: lower it to 1.2 or less",
		"the Extra of the Fail margin is 0.5, above the 0.1 of the Pass margin: lower it to 0.1 or less",
		"EventsPerCause is 0.5: use the largest number of events with one cause, 1 or more, and 1e9 at most",
		"Noise is NaN: use a relative noise such as 0.15, at most 10, or None",
		"the fail grid has 0.5: use multipliers above 1",
		"the pass grid has -1: use multipliers above 0 and below 1",
		"the pass grid has 2: use multipliers above 0 and below 1",
		"the grid has 1 multipliers: use as many weights, or none",
		"a multiplier has weight -3: use weights above 0",
		"Block is -1 looks: use 1 or more",
		"Blocks is -2: use 1 or more",
		"FirstShare is 1.5: use more than 0, and at most 1, which is all at the first look",
		"LookCap is -1: use more than 0, or +Inf for none",
	}, "\n"), err.Error())

	err = evidence.Settings{Fail: evidence.Margin{Factor: 0.5}, Pass: evidence.Margin{Factor: inf, Extra: 1}}.Validate(evidence.SLO)
	require.EqualError(t, err, "the Factor of the Fail margin is 0.5: use 1 (an absolute margin) or more, and 1000000 at most\n"+
		"the Factor of the Pass margin is +Inf: use 1 (an absolute margin) or more, and 1000000 at most\n"+
		"the Extra of the Pass margin is 1: use a share of requests from 0 to below 1")
	require.ErrorContains(t, evidence.Settings{Pass: evidence.Margin{Factor: 1.2, Extra: 0.1}}.Validate(evidence.Gauge), "use 0")
	require.ErrorContains(t, evidence.Settings{}.Validate(99), "kind 99")
	require.NoError(t, evidence.Settings{Blocks: 1, Noise: evidence.None}.Validate(evidence.Errors))
}

func TestNoTestIsMadeOfWrongSettings(t *testing.T) {
	s := evidence.Settings{Alpha: 2}
	var errs [6]error
	_, errs[0] = evidence.NewErrorTest(s)
	_, errs[1] = evidence.NewSLOTest(0.99, s)
	_, errs[2] = evidence.NewQuantileTest(0.99, s)
	_, errs[3] = evidence.NewLatencyTest(make([]evidence.Count, 9), s)
	_, errs[4] = evidence.NewGaugeTest(s)
	_, errs[5] = evidence.NewTrafficTest(s)
	for _, err := range errs {
		require.ErrorContains(t, err, "alpha is 2")
	}
	require.ErrorContains(t, errs[3], "9 bounds: use 1 to 8")
	_, err := evidence.NewSLOTest(99.9, evidence.Settings{})
	require.ErrorContains(t, err, "objective is 99.9")
}
