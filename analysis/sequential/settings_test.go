package sequential_test

import (
	"math"
	"strings"
	"testing"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/stretchr/testify/require"
)

func TestTheZeroValueOfSettingsIsTheDefault(t *testing.T) {
	s, err := sequential.Settings{}.For(sequential.Errors)
	require.NoError(t, err)
	require.Equal(t, sequential.Settings{
		Alpha: 0.05, Beta: 0.05,
		Fail: sequential.Margin{Rho: 1.05}, Pass: sequential.Margin{Rho: 1.5, Delta: 0.0005},
		FailGrid: sequential.Grid{1.2, 1.5, 2, 3, 5, 10, 30, 200}, PassGrid: sequential.Grid{.05, .2, .4, .6, .75, .9},
		Phi: 1, Tau: 0.15, Block: 4, Blocks: 60, Share: 0.8, Cap: math.Log(20) / 2,
	}, s)
	require.Equal(t, better, s.PassGrid.Multipliers())
	slow, err := sequential.Settings{}.For(sequential.Latency)
	require.NoError(t, err)
	require.NotZero(t, slow.FailWeights)
	slow, err = sequential.Settings{FailGrid: sequential.Grid{2, 3}}.For(sequential.Latency)
	require.NoError(t, err)
	require.Zero(t, slow.FailWeights, "a grid of one's own has equal weights")
	again, err := s.For(sequential.Errors)
	require.NoError(t, err)
	require.Equal(t, s, again)
}

func TestTheStrictPresetDemandsMore(t *testing.T) {
	s, err := sequential.Settings{Preset: sequential.Strict}.For(sequential.Latency)
	require.NoError(t, err)
	require.Equal(t, 0.01, s.Alpha)
	require.Equal(t, sequential.Margin{Rho: 1.1, Delta: 0.001}, s.Fail)
	require.InDelta(t, math.Log(100)/3, s.Cap, 1e-12)
	s, err = sequential.Settings{Preset: sequential.Strict, Alpha: 0.1}.For(sequential.Traffic)
	require.NoError(t, err)
	require.Equal(t, 0.1, s.Alpha, "what is given stays")
	require.True(t, math.IsInf(s.Cap, 1))
}

func TestEveryMistakeIsNamedWithWhatWouldBeRight(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	err := sequential.Settings{
		Alpha: 1, Beta: nan,
		Fail: sequential.Margin{Rho: 2, Delta: 0.5}, Pass: sequential.Margin{Rho: 1.2, Delta: 0.1},
		FailGrid: sequential.Grid{0.5}, PassGrid: sequential.Grid{-1, 2},
		FailWeights: sequential.Grid{1, 2}, PassWeights: sequential.Grid{1, -3},
		Phi: 0.5, Tau: nan, Block: -1, Blocks: -2, Share: 1.5, Cap: -1,
	}.Validate(sequential.Errors)
	require.Equal(t, strings.Join([]string{
		"sequential: alpha is 1: use a probability above 0 and below 0.5, such as 0.05",
		"sequential: beta is NaN: use a probability above 0 and below 0.5, such as 0.05",
		"sequential: rho of the fail margin is 2, above the 1.2 of the pass margin: lower it to 1.2 or less",
		"sequential: delta of the fail margin is 0.5, above the 0.1 of the pass margin: lower it to 0.1 or less",
		"sequential: phi is 0.5: use the largest number of events with one cause, 1 or more",
		"sequential: tau is NaN: use a relative noise such as 0.15, at most 10, or None",
		"sequential: the fail grid has 0.5: use multipliers above 1",
		"sequential: the pass grid has -1: use multipliers above 0 and below 1",
		"sequential: the pass grid has 2: use multipliers above 0 and below 1",
		"sequential: the grid has 1 multipliers: use as many weights, or none",
		"sequential: a multiplier has weight -3: use weights above 0",
		"sequential: a block has -1 looks: use 1 or more",
		"sequential: -2 blocks are planned: use 1 or more",
		"sequential: share is 1.5: use more than 0, and at most 1, which is all at the first look",
		"sequential: cap is -1: use more than 0, or +Inf for none",
	}, "\n"), err.Error())

	err = sequential.Settings{Fail: sequential.Margin{Rho: 0.5}, Pass: sequential.Margin{Rho: inf, Delta: 1}}.Validate(sequential.SLO)
	require.EqualError(t, err, "sequential: rho of the fail margin is 0.5: use 1 (an absolute margin) or more\n"+
		"sequential: rho of the pass margin is +Inf: use 1 (an absolute margin) or more\n"+
		"sequential: delta of the pass margin is 1: use a share of requests from 0 to below 1")
	require.ErrorContains(t, sequential.Settings{Pass: sequential.Margin{Rho: 1.2, Delta: 0.1}}.Validate(sequential.Gauge), "use 0")
	require.ErrorContains(t, sequential.Settings{}.Validate(99), "kind 99")
	require.NoError(t, sequential.Settings{Blocks: 1, Tau: sequential.None}.Validate(sequential.Errors))
}

func TestNoTestIsMadeOfWrongSettings(t *testing.T) {
	s := sequential.Settings{Alpha: 2}
	var errs [6]error
	_, errs[0] = sequential.NewErrorTest(s)
	_, errs[1] = sequential.NewSLOTest(0.99, s)
	_, errs[2] = sequential.NewQuantileTest(0.99, s)
	_, errs[3] = sequential.NewLatencyTest(make([]sequential.Count, 9), s)
	_, errs[4] = sequential.NewGaugeTest(s)
	_, errs[5] = sequential.NewTrafficTest(s)
	for _, err := range errs {
		require.ErrorContains(t, err, "alpha is 2")
	}
	require.ErrorContains(t, errs[3], "9 bounds: use 1 to 8")
	_, err := sequential.NewSLOTest(99.9, sequential.Settings{})
	require.ErrorContains(t, err, "objective is 99.9")
}
