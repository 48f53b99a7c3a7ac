package evidence_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/internal/evidence"
)

func count(t *rapid.T, most float64, name string) float64 {
	return math.Floor(rapid.Float64Range(0, most).Draw(t, name))
}

func drawLook(t *rapid.T) evidence.Look {
	scale := rapid.SampledFrom([]float64{3, 200, 1e5}).Draw(t, "scale")
	l := evidence.Look{Step: rapid.IntRange(0, 9).Draw(t, "step") == 0}
	for _, c := range []*evidence.Count{&l.Canary, &l.Baseline} {
		c.Total = count(t, scale, "total")
		c.Bad = count(t, c.Total, "bad")
	}
	return l
}

func drawMargin(t *rapid.T) evidence.Margin {
	return evidence.Margin{
		Factor: rapid.Float64Range(1, 3).Draw(t, "rho"),
		Extra:  rapid.SampledFrom([]float64{0, 0.0005, 0.05}).Draw(t, "delta"),
	}
}

func drawMultiplier(t *rapid.T) float64 {
	return rapid.SampledFrom(append(worse, better...)).Draw(t, "g")
}

func near(t require.TestingT, want, got float64, words string) {
	require.InDelta(t, want, got, 1e-9*(1+math.Abs(want)), words)
}

func TestMoreTrafficWithTheSameEventsIsTheSameEvidenceForAFactor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, g, k := drawLook(t), drawMultiplier(t), rapid.Float64Range(1, 1000).Draw(t, "k")
		margin := evidence.Margin{Factor: drawMargin(t).Factor}
		more := l
		more.Canary.Total *= k
		more.Baseline.Total *= k
		near(t, evidence.LogSplit(l, margin, g), evidence.LogSplit(more, margin, g), "scaled")
		l.Canary.Bad, l.Baseline.Bad = 0, 0
		require.Zero(t, evidence.LogSplit(l, margin, g), "without events")
	})
}

func TestTwoLooksOfTheSameSplitMultiplyToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, margin, g := drawLook(t), drawMargin(t), drawMultiplier(t)
		b := a
		k := rapid.Float64Range(0.1, 10).Draw(t, "k")
		b.Canary.Total *= k
		b.Baseline.Total *= k
		b.Canary.Bad = min(count(t, 1000, "x"), b.Canary.Total)
		b.Baseline.Bad = min(count(t, 1000, "y"), b.Baseline.Total)
		both := evidence.Look{
			Canary:   evidence.Count{Bad: a.Canary.Bad + b.Canary.Bad, Total: a.Canary.Total + b.Canary.Total},
			Baseline: evidence.Count{Bad: a.Baseline.Bad + b.Baseline.Bad, Total: a.Baseline.Total + b.Baseline.Total},
		}
		near(t, evidence.LogSplit(a, margin, g)+evidence.LogSplit(b, margin, g), evidence.LogSplit(both, margin, g), "split")
		tc := min(g*0.1, 0.9)
		near(t, evidence.LogProjection(a, margin, tc, 0.1)+evidence.LogProjection(b, margin, tc, 0.1),
			evidence.LogProjection(both, margin, tc, 0.1), "projection")
	})
}

func TestMoreBadRequestsOfTheCanaryAreMoreEvidenceForAFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, margin := drawLook(t), drawMargin(t)
		g := rapid.SampledFrom(worse).Draw(t, "g")
		l.Canary.Total++
		l.Baseline.Total++
		canary, baseline := l, l
		canary.Canary.Bad++
		baseline.Baseline.Bad++
		const slack = 1e-9
		here := evidence.LogSplit(l, margin, g)
		require.GreaterOrEqual(t, evidence.LogSplit(canary, margin, g), here-slack)
		require.LessOrEqual(t, evidence.LogSplit(baseline, margin, g), here+slack)
		q := margin.Factor*0.1 + margin.Extra
		tc := g * q / (1 - q + g*q)
		here = evidence.LogProjection(l, margin, tc, 0.1)
		require.GreaterOrEqual(t, evidence.LogProjection(canary, margin, tc, 0.1), here-slack)
		require.LessOrEqual(t, evidence.LogProjection(baseline, margin, tc, 0.1), here+slack)
	})
}

func TestTheProjectionLiesOnTheMarginAndSolvesItsEquation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.Float64Range(1, 1e6).Draw(t, "n"), rapid.Float64Range(1, 1e6).Draw(t, "m")
		margin := drawMargin(t)
		tc, tb := rapid.Float64Range(1e-4, 0.999).Draw(t, "tc"), rapid.Float64Range(1e-4, 0.999).Draw(t, "tb")
		c0, b0, ok := evidence.Project(n, m, margin, tc, tb)
		if !ok {
			return
		}
		near(t, margin.Factor*b0+margin.Extra, c0, "on the margin")
		up, down := n*margin.Factor*(tc-c0)/(c0*(1-c0)), m*(tb-b0)/(b0*(1-b0))
		slope := n*margin.Factor*margin.Factor/(c0*(1-c0)) + m/(b0*(1-b0))
		require.LessOrEqual(t, math.Abs(up+down), 1e-6*(slope*b0+math.Abs(up)+math.Abs(down)))
	})
}

// tests is one of each kind, fed with the same looks.
type tests struct {
	errors   evidence.ErrorTest
	slo      evidence.SLOTest
	quantile evidence.QuantileTest
	latency  evidence.LatencyTest
	gauge    evidence.GaugeTest
	traffic  evidence.TrafficTest
	judge    evidence.Judge
	verdict  evidence.Verdict
}

func newTests(t require.TestingT, s evidence.Settings) tests {
	var all tests
	var errs [6]error
	all.errors, errs[0] = evidence.NewErrorTest(s)
	all.slo, errs[1] = evidence.NewSLOTest(0.99, s)
	all.quantile, errs[2] = evidence.NewQuantileTest(0.95, s)
	all.latency, errs[3] = evidence.NewLatencyTest([]evidence.Count{{Bad: 300, Total: 1000}, {}}, s)
	all.gauge, errs[4] = evidence.NewGaugeTest(s)
	all.traffic, errs[5] = evidence.NewTrafficTest(s)
	for _, err := range errs {
		require.NoError(t, err)
	}
	return all
}

func (a *tests) update(l evidence.Look) {
	a.errors.Update(l)
	a.slo.Update(l)
	a.quantile.Update(evidence.QuantileLook{Total: l.Canary.Total, AboveLow: l.Canary.Bad, AboveHigh: l.Canary.Bad / 2, Step: l.Step})
	s := slow(l)
	s.Canary.Over[1], s.Baseline.Over[1] = l.Canary.Bad/3, l.Baseline.Bad/3
	a.latency.Update(s)
	a.gauge.Update(evidence.GaugeLook{Canary: l.Canary.Total, Baseline: l.Baseline.Total, Step: l.Step})
	a.traffic.Update(evidence.TrafficLook{Share: 0.05, Canary: l.Canary.Total, Others: l.Baseline.Total, Step: l.Step})
	e := a.evidence()
	a.verdict = a.judge.Update([]evidence.Metric{{Evidence: e[0]}, {Evidence: e[3], Weight: 2}}, a.traffic.LogE(), true)
}

func (a *tests) evidence() [6]evidence.Evidence {
	return [...]evidence.Evidence{
		a.errors.Evidence(), a.slo.Evidence(), a.quantile.Evidence(), a.latency.Evidence(),
		a.gauge.Evidence(), {Fail: a.traffic.LogE()},
	}
}

func TestStateIsAFunctionOfTheLooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := rapid.SliceOfN(rapid.Custom(drawLook), 1, 300).Draw(t, "looks")
		s := evidence.Settings{Block: rapid.IntRange(1, 5).Draw(t, "block"), Blocks: rapid.IntRange(1, 60).Draw(t, "blocks")}
		whole := newTests(t, s)
		carried := newTests(t, s)
		for i, l := range looks {
			whole.update(l)
			switch rapid.IntRange(0, 40).Draw(t, "restart") {
			case 0: // from nothing
				carried = newTests(t, s)
				for _, past := range looks[:i] {
					carried.update(past)
				}
			case 1: // a copy goes on, and what becomes of the other one is no matter
				other := carried
				other.update(evidence.Look{Canary: evidence.Count{Bad: 1, Total: 1}})
			}
			carried.update(l)
		}
		require.True(t, whole == carried, "the same value, bit for bit")
	})
}

func TestNothingOverflows(t *testing.T) {
	huge := []float64{0, 1, 0.5, 1e9, 1e15, math.MaxFloat64, math.NaN(), math.Inf(1), -1}
	for _, s := range []evidence.Settings{{}, {Preset: evidence.Strict}, {Noise: evidence.None, FirstShare: 1, LookCap: math.Inf(1)}} {
		all := newTests(t, s)
		for range 3 {
			for _, n := range huge {
				for _, m := range huge {
					for _, x := range []float64{0, 1, n, n / 2, m} {
						for _, y := range []float64{0, m} {
							all.update(evidence.Look{
								Canary: evidence.Count{Bad: x, Total: n}, Baseline: evidence.Count{Bad: y, Total: m},
							})
							for i, e := range all.evidence() {
								require.False(t, math.IsNaN(e.Fail+e.Pass) || math.IsInf(e.Fail+e.Pass, 0), "test %d at x=%v n=%v y=%v m=%v: %+v", i, x, n, y, m, e)
							}
						}
					}
				}
			}
		}
	}
}

func TestMultipliersNearCertaintyAreLeftOut(t *testing.T) {
	for _, objective := range []float64{1e-9, 0.2, 0.5, 0.995, 1 - 1e-15} {
		test, err := evidence.NewSLOTest(objective, evidence.Settings{Noise: evidence.None, LookCap: math.Inf(1)})
		require.NoError(t, err)
		for _, bad := range []float64{0, 1e9, 5e8} {
			test.Update(evidence.Look{Canary: evidence.Count{Bad: bad, Total: 1e9}})
			e := test.Evidence()
			require.False(t, math.IsNaN(e.Fail+e.Pass) || math.IsInf(e.Fail+e.Pass, 0), "%v: %+v", objective, e)
		}
	}
}

func TestTheZeroValuesLearnNothing(t *testing.T) {
	var all tests
	for range 20 {
		all.update(look(5, 10, 0, 100))
	}
	require.Equal(t, [6]evidence.Evidence{}, all.evidence())
	require.Equal(t, evidence.Continue, all.verdict)
}

func TestAnUpdateAllocatesNothing(t *testing.T) {
	all := newTests(t, evidence.Settings{})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		all.update(look(1, 150, 3, 2850))
	}))
}

// A test that lost its evidence starts with later looks what it would have started: E is what was
// left, and an outage takes three looks after that as well.
func TestATestGoesOnAfterLooksThatAreLost(t *testing.T) {
	for _, lost := range []int{0, 1, 240, 5760, 1e6} {
		test, err := evidence.NewErrorTest(evidence.Settings{})
		require.NoError(t, err)
		test.Resume(lost)
		whole, err := evidence.NewErrorTest(evidence.Settings{})
		require.NoError(t, err)
		for range min(lost, 6000) {
			whole.Update(evidence.Look{})
		}
		require.LessOrEqual(t, test.Evidence().Fail, whole.Evidence().Fail+1e-12)
		looks := 0
		for test.Evidence().Fail < math.Log(20) {
			test.Update(evidence.Look{Canary: evidence.Count{Bad: 1000, Total: 1000}, Baseline: evidence.Count{Bad: 2, Total: 1000}})
			looks++
		}
		require.LessOrEqual(t, looks, 4, lost)
	}
}
