package evidence_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/internal/evidence"
)

// metric has evidence of so many times.
func metric(fail, pass float64) evidence.Metric {
	return evidence.Metric{Evidence: evidence.Evidence{Fail: math.Log(fail), Pass: math.Log(pass)}}
}

func TestAVerdictAtALook(t *testing.T) {
	with := func(m evidence.Metric, weight float64) evidence.Metric { m.Weight = weight; return m }
	for _, c := range []struct {
		name    string
		metrics []evidence.Metric
		traffic float64
		early   bool
		want    evidence.Verdict
	}{
		{name: "nothing is judged", want: evidence.Continue},
		{name: "no evidence", metrics: []evidence.Metric{metric(1, 1)}, want: evidence.Continue},
		{name: "enough for a fail", metrics: []evidence.Metric{metric(20.001, 1)}, want: evidence.Fail},
		{name: "enough for a pass", metrics: []evidence.Metric{metric(1, 20.001)}, want: evidence.Pass},
		{name: "enough for a pass too early", metrics: []evidence.Metric{metric(1, 20.001)}, early: true, want: evidence.Continue},
		{name: "the mean of two is not enough", metrics: []evidence.Metric{metric(39, 1), metric(0.1, 1)}, want: evidence.Continue},
		{name: "the mean of two is enough", metrics: []evidence.Metric{metric(40, 1), metric(0.1, 1)}, want: evidence.Fail},
		{name: "a weight", metrics: []evidence.Metric{with(metric(30, 1), 3), metric(0.1, 1)}, want: evidence.Fail},
		{name: "a metric that cannot fail", metrics: []evidence.Metric{with(metric(1e9, 1), evidence.None), metric(19, 1)}, want: evidence.Continue},
		{name: "one of two passes", metrics: []evidence.Metric{metric(1, 1e9), metric(1, 19)}, want: evidence.Continue},
		{name: "what speaks for a fail holds a pass", metrics: []evidence.Metric{metric(1.4, 30)}, want: evidence.Continue},
		{name: "a wrong split holds a pass", metrics: []evidence.Metric{metric(1, 30)}, traffic: 1001, want: evidence.Invalid},
		{name: "a fail comes before a wrong split", metrics: []evidence.Metric{metric(30, 1)}, traffic: 1001, want: evidence.Fail},
		{name: "too many to remember", metrics: make([]evidence.Metric, 65), want: evidence.Continue},
	} {
		var judge evidence.Judge
		require.Equal(t, c.want, judge.Update(c.metrics, math.Log(max(c.traffic, 1)), !c.early), c.name)
	}
}

func TestAFailIsForGoodAndWhatPassedHasPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		judge, err := evidence.NewJudge(evidence.Levels{Beta: 0.1})
		require.NoError(t, err)
		failed, passed := false, [2]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "looks") {
			e := rapid.SampledFrom([]float64{0.01, 1, 15, 45})
			metrics := []evidence.Metric{
				metric(e.Draw(t, "fail"), e.Draw(t, "pass")), metric(e.Draw(t, "fail"), e.Draw(t, "pass")),
			}
			ripe := rapid.Bool().Draw(t, "ripe")
			for i, m := range metrics {
				passed[i] = passed[i] || m.Pass >= math.Log(10)
			}
			both := math.Exp(metrics[0].Fail) + math.Exp(metrics[1].Fail)
			failed = failed || both >= 40
			want, doubt := evidence.Continue, both > 2*math.Exp(0.25)
			if passed[0] && passed[1] && ripe && !doubt {
				want = evidence.Pass
			}
			if failed {
				want = evidence.Fail
			}
			require.Equal(t, want, judge.Update(metrics, 0, ripe))
		}
	})
}

func TestAnInvalidSplitHoldsWhileItsEvidenceLasts(t *testing.T) {
	var judge evidence.Judge
	good := []evidence.Metric{metric(1, 30)}
	require.Equal(t, evidence.Invalid, judge.Update(good, math.Log(2000), true))
	require.Equal(t, evidence.Pass, judge.Update(good, math.Log(500), true))
}

func TestCulpritsAreThoseThatTheOthersCannotExplain(t *testing.T) {
	const clear, suspect, culprit = evidence.Clear, evidence.Suspect, evidence.Culprit
	for _, c := range []struct {
		fail []float64
		want []evidence.Standing
	}{
		{nil, []evidence.Standing{}},
		{[]float64{1}, []evidence.Standing{clear}},
		{[]float64{21}, []evidence.Standing{culprit}},
		{[]float64{61, 1, 0.1}, []evidence.Standing{culprit, clear, clear}},
		{[]float64{59, 1, 21}, []evidence.Standing{suspect, clear, suspect}},
		{[]float64{61, 41, 21}, []evidence.Standing{culprit, culprit, culprit}}, // each step leaves fewer
		{[]float64{61, 39, 21}, []evidence.Standing{culprit, suspect, suspect}},
	} {
		metrics := make([]evidence.Metric, len(c.fail))
		for i, e := range c.fail {
			metrics[i] = metric(e, 1)
		}
		require.Equal(t, c.want, evidence.Standings(metrics, 0.05), "%v", c.fail)
	}
	heavy, silent := metric(30, 1), metric(1e9, 1)
	heavy.Weight, silent.Weight = 3, evidence.None
	require.Equal(t, []evidence.Standing{culprit, culprit, clear},
		evidence.Standings([]evidence.Metric{heavy, metric(21, 1), silent}, 0.05), "4/(0.05 3), then 1/0.05")
	require.Equal(t, "culprit", culprit.String())
}

func TestTheMeanOfNoneOrOfZeros(t *testing.T) {
	require.Zero(t, evidence.LogMean(nil, nil))
	require.Zero(t, evidence.LogMean([]float64{3}, []float64{0}))
	require.Equal(t, math.Inf(-1), evidence.LogMean([]float64{math.Inf(-1)}, nil))
	require.InDelta(t, math.Log(0.5), evidence.LogMean([]float64{math.Inf(-1), 0}, nil), 1e-12)
	require.InDelta(t, 1000-math.Log(2), evidence.LogMean([]float64{-1000, 1000}, nil), 1e-9)
	require.InDelta(t, 2.0, evidence.LogMean([]float64{2, 2, 2}, nil), 1e-12)
}

func TestLevelsAreProbabilities(t *testing.T) {
	_, err := evidence.NewJudge(evidence.Levels{Alpha: 5, Beta: -1, Split: 1e-6})
	require.EqualError(t, err, "alpha is 5: use a probability above 0 and below 0.5, such as 0.05\n"+
		"beta is -1: use a probability above 0 and below 0.5, such as 0.05")
}

func TestVerdictsHaveNames(t *testing.T) {
	require.Equal(t, "invalid", evidence.Invalid.String())
	require.Equal(t, "9", evidence.Verdict(9).String())
}

// Without any bad request nothing speaks against the canary, however often its shares of 1 were
// added up.
func TestACanaryWithoutErrorsPassesAtEveryAge(t *testing.T) {
	test, err := evidence.NewErrorTest(evidence.Settings{})
	require.NoError(t, err)
	var judge evidence.Judge
	for k := range 20_000 {
		test.Update(evidence.Look{Canary: evidence.Count{Total: 500}, Baseline: evidence.Count{Total: 500}})
		if verdict := judge.Update([]evidence.Metric{{Evidence: test.Evidence()}}, 0, true); k >= 10 {
			require.Equal(t, evidence.Pass, verdict, "look %d: evidence for a fail %v", k, test.Evidence().Fail)
		}
	}
}
