package sequential_test

import (
	"math"
	"testing"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// metric has evidence of so many times.
func metric(fail, pass float64) sequential.Metric {
	return sequential.Metric{Evidence: sequential.Evidence{Fail: math.Log(fail), Pass: math.Log(pass)}}
}

func TestAVerdictAtALook(t *testing.T) {
	with := func(m sequential.Metric, weight float64) sequential.Metric { m.Weight = weight; return m }
	for _, c := range []struct {
		name    string
		metrics []sequential.Metric
		traffic float64
		early   bool
		want    sequential.Verdict
	}{
		{name: "nothing is judged", want: sequential.Continue},
		{name: "no evidence", metrics: []sequential.Metric{metric(1, 1)}, want: sequential.Continue},
		{name: "enough for a fail", metrics: []sequential.Metric{metric(20.001, 1)}, want: sequential.Fail},
		{name: "enough for a pass", metrics: []sequential.Metric{metric(1, 20.001)}, want: sequential.Pass},
		{name: "enough for a pass too early", metrics: []sequential.Metric{metric(1, 20.001)}, early: true, want: sequential.Continue},
		{name: "the mean of two is not enough", metrics: []sequential.Metric{metric(39, 1), metric(0.1, 1)}, want: sequential.Continue},
		{name: "the mean of two is enough", metrics: []sequential.Metric{metric(40, 1), metric(0.1, 1)}, want: sequential.Fail},
		{name: "a weight", metrics: []sequential.Metric{with(metric(30, 1), 3), metric(0.1, 1)}, want: sequential.Fail},
		{name: "a metric that cannot fail", metrics: []sequential.Metric{with(metric(1e9, 1), sequential.None), metric(19, 1)}, want: sequential.Continue},
		{name: "one of two passes", metrics: []sequential.Metric{metric(1, 1e9), metric(1, 19)}, want: sequential.Continue},
		{name: "a wrong split holds a pass", metrics: []sequential.Metric{metric(1, 30)}, traffic: 1001, want: sequential.Invalid},
		{name: "a fail comes before a wrong split", metrics: []sequential.Metric{metric(30, 1)}, traffic: 1001, want: sequential.Fail},
		{name: "too many to remember", metrics: make([]sequential.Metric, 65), want: sequential.Continue},
	} {
		var judge sequential.Judge
		require.Equal(t, c.want, judge.Update(c.metrics, math.Log(max(c.traffic, 1)), !c.early), c.name)
	}
}

func TestAFailIsForGoodAndWhatPassedHasPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		judge, err := sequential.NewJudge(sequential.Levels{Beta: 0.1})
		require.NoError(t, err)
		failed, passed := false, [2]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			e := rapid.SampledFrom([]float64{0.01, 1, 15, 45})
			metrics := []sequential.Metric{
				metric(e.Draw(t, "fail"), e.Draw(t, "pass")), metric(e.Draw(t, "fail"), e.Draw(t, "pass")),
			}
			ripe := rapid.Bool().Draw(t, "ripe")
			for i, m := range metrics {
				passed[i] = passed[i] || m.Pass >= math.Log(10)
			}
			failed = failed || math.Exp(metrics[0].Fail)+math.Exp(metrics[1].Fail) >= 40
			want := sequential.Continue
			if passed[0] && passed[1] && ripe {
				want = sequential.Pass
			}
			if failed {
				want = sequential.Fail
			}
			require.Equal(t, want, judge.Update(metrics, 0, ripe))
		}
	})
}

func TestAnInvalidSplitHoldsWhileItsEvidenceLasts(t *testing.T) {
	var judge sequential.Judge
	good := []sequential.Metric{metric(1, 30)}
	require.Equal(t, sequential.Invalid, judge.Update(good, math.Log(2000), true))
	require.Equal(t, sequential.Pass, judge.Update(good, math.Log(500), true))
}

func TestCulpritsAreThoseThatTheOthersCannotExplain(t *testing.T) {
	const clear, suspect, culprit = sequential.Clear, sequential.Suspect, sequential.Culprit
	for _, c := range []struct {
		fail []float64
		want []sequential.Standing
	}{
		{nil, []sequential.Standing{}},
		{[]float64{1}, []sequential.Standing{clear}},
		{[]float64{21}, []sequential.Standing{culprit}},
		{[]float64{61, 1, 0.1}, []sequential.Standing{culprit, clear, clear}},
		{[]float64{59, 1, 21}, []sequential.Standing{suspect, clear, suspect}},
		{[]float64{61, 41, 21}, []sequential.Standing{culprit, culprit, culprit}}, // each step leaves fewer
		{[]float64{61, 39, 21}, []sequential.Standing{culprit, suspect, suspect}},
	} {
		metrics := make([]sequential.Metric, len(c.fail))
		for i, e := range c.fail {
			metrics[i] = metric(e, 1)
		}
		require.Equal(t, c.want, sequential.Standings(metrics, 0.05), "%v", c.fail)
	}
	heavy, silent := metric(30, 1), metric(1e9, 1)
	heavy.Weight, silent.Weight = 3, sequential.None
	require.Equal(t, []sequential.Standing{culprit, culprit, clear},
		sequential.Standings([]sequential.Metric{heavy, metric(21, 1), silent}, 0.05), "4/(0.05 3), then 1/0.05")
	require.Equal(t, "culprit", culprit.String())
}

func TestTheMeanOfNoneOrOfZeros(t *testing.T) {
	require.Zero(t, sequential.LogMean(nil, nil))
	require.Zero(t, sequential.LogMean([]float64{3}, []float64{0}))
	require.Equal(t, math.Inf(-1), sequential.LogMean([]float64{math.Inf(-1)}, nil))
	require.InDelta(t, math.Log(0.5), sequential.LogMean([]float64{math.Inf(-1), 0}, nil), 1e-12)
	require.InDelta(t, 1000-math.Log(2), sequential.LogMean([]float64{-1000, 1000}, nil), 1e-9)
	require.InDelta(t, 2.0, sequential.LogMean([]float64{2, 2, 2}, nil), 1e-12)
}

func TestLevelsAreProbabilities(t *testing.T) {
	_, err := sequential.NewJudge(sequential.Levels{Alpha: 5, Beta: -1, Split: 1e-6})
	require.EqualError(t, err, "sequential: alpha is 5: use a probability above 0 and below 0.5, such as 0.05\n"+
		"sequential: beta is -1: use a probability above 0 and below 0.5, such as 0.05")
}

func TestVerdictsHaveNames(t *testing.T) {
	require.Equal(t, "invalid", sequential.Invalid.String())
	require.Equal(t, "9", sequential.Verdict(9).String())
}
