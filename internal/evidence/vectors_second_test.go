package evidence_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

// secondKinds are the formulas of testdata/judge2.json.
var secondKinds = map[string]compute{
	"split_recommended_2": splitMixture,
	"start_left":          startLeft,
	"noise_tau":           noiseTau,
	"error_test":          errorTest,
	"alone_allowed":       aloneAllowed,
	"sight":               sightOf,
	"forecast_pass":       forecastPass,
	"reach":               reach,
}

// startLeft is what a test has not bet after k looks: with looks that ruin every bet it is E.
func startLeft(t *testing.T, v vector) map[string]any {
	in := input[struct {
		K       int
		Share   float64
		Planned int
	}](t, v)
	test, err := evidence.NewErrorTest(evidence.Settings{Noise: evidence.None, Blocks: in.Planned / 4, FirstShare: in.Share})
	require.NoError(t, err)
	for range in.K {
		test.Update(evidence.Look{Canary: evidence.Count{Total: 1e6}, Baseline: evidence.Count{Bad: 1e6, Total: 1e6}})
	}
	return map[string]any{"left": math.Exp(test.Evidence().Fail)}
}

// noiseTau is the noise after each block of one look, which the next look closes.
func noiseTau(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Blocks           [][4]float64
		Rho, Tau0, Phi   float64
		Tau1, Memory, Of float64
	}](t, v)
	test, err := evidence.NewErrorTest(evidence.Settings{Fail: evidence.Margin{Factor: in.Rho}, EventsPerCause: in.Phi, Noise: in.Tau0, Block: 1})
	require.NoError(t, err)
	var all []float64
	for i, c := range append(in.Blocks, [4]float64{}) {
		test.Update(pair{X: c[0], N: c[1], Y: c[2], M: c[3]}.look())
		if i > 0 {
			all = append(all, test.Tau())
		}
	}
	return map[string]any{"tau": all}
}

func errorTest(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Looks             [][]any
		Steps             []int
		Fail, Pass, Alone [2]float64
		Tau, Share, Cap   float64
		Block, Planned    int
	}](t, v)
	margin := func(m [2]float64) evidence.Margin { return evidence.Margin{Factor: m[0], Extra: m[1]} }
	test, err := evidence.NewErrorTest(evidence.Settings{
		Fail: margin(in.Fail), Pass: margin(in.Pass), Alone: margin(in.Alone), Noise: in.Tau,
		FirstShare: in.Share, LookCap: in.Cap, Block: in.Block, Blocks: in.Planned / in.Block,
	})
	require.NoError(t, err)
	var fail, pass, tau []float64
	for i, c := range in.Looks {
		n := func(j int) float64 { return c[j].(float64) }
		l := pair{X: n(0), N: n(1), Y: n(2), M: n(3)}.look()
		l.Alone = c[4].(bool)
		for _, s := range in.Steps {
			l.Step = l.Step || s == i
		}
		test.Update(l)
		e := test.Evidence()
		fail, pass, tau = append(fail, e.Fail), append(pass, e.Pass), append(tau, test.Tau())
	}
	return map[string]any{"log_fail": fail, "log_pass": pass, "tau": tau}
}

func aloneAllowed(t *testing.T, v vector) map[string]any {
	in := input[struct{ Bad, Total, Rho, Delta, Most float64 }](t, v)
	p0, known := evidence.Allowed(evidence.Count{Bad: in.Bad, Total: in.Total}, evidence.Margin{Factor: in.Rho, Extra: in.Delta}, in.Most)
	require.True(t, known)
	return map[string]any{"p0": p0}
}

func sightOf(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Looks         [][3]float64
		Rho, Tau, Cap float64
		Block         int
		Grid          []float64
	}](t, v)
	s := evidence.Settings{Fail: evidence.Margin{Factor: in.Rho}, Noise: in.Tau, FixedNoise: true, LookCap: in.Cap, Block: in.Block}
	copy(s.FailGrid[:], in.Grid)
	test, err := evidence.NewErrorTest(s)
	require.NoError(t, err)
	var all []float64
	for _, c := range in.Looks {
		test.Update(pair{N: c[0], Y: c[1], M: c[2]}.look())
		all = append(all, test.Sight())
	}
	return map[string]any{"sight": all, "needed": evidence.Sighted(0.05, in.Cap, 1)}
}

func forecastPass(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Canary                                     float64 `json:"p_c"`
		Baseline                                   float64 `json:"p_b"`
		Requests                                   float64 `json:"canary_per_look"`
		Ratio, Rho, Delta, Looks, Tau, Beta, Share float64
		Block                                      int
		Grid                                       []float64
	}](t, v)
	s := evidence.Settings{Pass: evidence.Margin{Factor: in.Rho, Extra: in.Delta}, Noise: in.Tau, Block: in.Block}
	copy(s.PassGrid[:], in.Grid)
	s, err := s.For(evidence.Errors)
	require.NoError(t, err)
	r := evidence.Rates{Canary: in.Canary, Baseline: in.Baseline, Ratio: in.Ratio}
	p, nats := s.PassPace(r, in.Requests), evidence.Missing(in.Beta, in.Share, 0)
	got := map[string]any{
		"growth": evidence.SplitGrowth(r, s.Pass, in.Grid), "mean_look": p.Mean, "sd_look": p.Deviation, "nats": nats, "usual_looks": nats / p.Mean,
		"chance": evidence.Chance(nats, in.Looks*p.Mean, math.Sqrt(in.Looks)*p.Deviation),
	}
	if m, ok := v.Expect["multiplier"].(float64); ok { // the one that the growth is of
		require.InDelta(t, got["growth"], evidence.SplitGrowth(r, s.Pass, []float64{m}), 0)
		got["multiplier"] = m
	}
	return got
}

// reach is the test with its two processes.
func reach(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Looks                        [][3]float64
		Share, Tolerance, Start, Cap float64
		Before                       [2]float64
		Planned                      int
	}](t, v)
	test, err := evidence.NewReachTest(evidence.Count{Bad: in.Before[0], Total: in.Before[1]}, evidence.Settings{
		Fail: evidence.Margin{Factor: in.Tolerance}, LookCap: in.Cap, FirstShare: in.Start, Blocks: in.Planned / 4,
	})
	require.NoError(t, err)
	var p0 float64
	var few, unreached, fail []float64
	for _, c := range in.Looks {
		test.Update(evidence.ReachLook{Share: in.Share, Canary: c[0], Baseline: c[1], Unreached: c[2]})
		p, a, b := test.Parts(in.Share)
		p0, few, unreached, fail = p, append(few, a), append(unreached, b), append(fail, test.LogE())
	}
	return map[string]any{"p0": p0, "log_few": few, "log_unreached": unreached, "log_fail": fail}
}
