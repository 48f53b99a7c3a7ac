package evidence_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

var evidenceKinds = map[string]compute{
	"split_log_factor":     splitLogFactor,
	"split_expectation":    splitExpectation,
	"split_mixture":        splitMixture,
	"slo_mixture":          sloMixture,
	"bernoulli_projection": bernoulliProjection,
	"safe_2x2":             safe2x2,
	"beta_binomial_block":  betaBinomialBlock,
	"t_eprocess":           tProcess,
	"srm_dirichlet":        srmDirichlet,
	"combine_mean":         combineMean,
}

// pair is what many inputs have in common.
type pair struct{ X, N, Y, M, Rho, Delta, Tau, G float64 }

func (p pair) look() evidence.Look {
	return evidence.Look{
		Canary:   evidence.Count{Bad: p.X, Total: p.N},
		Baseline: evidence.Count{Bad: p.Y, Total: p.M},
	}
}

func logE(value any) map[string]any { return map[string]any{"log_e": value} }

func splitLogFactor(t *testing.T, v vector) map[string]any {
	in := input[pair](t, v)
	return logE(evidence.LogSplit(in.look(), evidence.Margin{Factor: in.Rho, Extra: in.Delta}, in.G))
}

// splitExpectation sums the factor over all outcomes of the canary, and for the
// baseline of n independent requests takes the closed form.
func splitExpectation(t *testing.T, v vector) map[string]any {
	in := input[struct {
		N, M, Rho, Delta, G float64
		Canary              float64 `json:"p_c"`
		Baseline            float64 `json:"p_b"`
	}](t, v)
	margin := evidence.Margin{Factor: in.Rho, Extra: in.Delta}
	sum := 0.0
	for x := 0.0; x <= in.N; x++ {
		none := evidence.LogSplit(pair{X: x, N: in.N, M: in.M}.look(), margin, in.G)
		one := evidence.LogSplit(pair{X: x, N: in.N, Y: 1, M: in.M}.look(), margin, in.G)
		rest := in.M * math.Log1p(in.Baseline*math.Expm1(one-none))
		sum += math.Exp(logBinomial(x, in.N, in.Canary) + none + rest)
	}
	return map[string]any{"expectation": sum}
}

func logBinomial(x, n, p float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(x + 1)
	c, _ := math.Lgamma(n - x + 1)
	return a - b - c + x*math.Log(p) + (n-x)*math.Log1p(-p)
}

// plain is a process without noise, cap, or shares for later blocks.
func plain(s evidence.Settings) evidence.Settings {
	s.Noise, s.FirstShare, s.LookCap = evidence.None, 1, math.Inf(1)
	return s
}

// splitMixture is a sequence of looks; what a plain mixture lacks is zero.
func splitMixture(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Counts [][4]float64
		Grid   []float64
		pair
		Phi, Cap, Share float64
		Block, Planned  int
	}](t, v)
	s := evidence.Settings{
		Fail: evidence.Margin{Factor: in.Rho, Extra: in.Delta}, Pass: evidence.Margin{Factor: 10, Extra: 0.5},
		EventsPerCause: in.Phi, Noise: in.Tau, FixedNoise: true, LookCap: in.Cap,
		FirstShare: in.Share, Block: in.Block, Blocks: in.Planned / max(1, in.Block),
	}
	if in.Share == 0 {
		s = plain(s)
	}
	copy(s.FailGrid[:], in.Grid)
	test, err := evidence.NewErrorTest(s)
	require.NoError(t, err)
	var all []float64
	for _, c := range in.Counts {
		test.Update(pair{X: c[0], N: c[1], Y: c[2], M: c[3]}.look())
		all = append(all, test.Evidence().Fail)
	}
	return logE(all)
}

func sloMixture(t *testing.T, v vector) map[string]any {
	in := input[struct {
		pair
		P0   float64
		Grid []float64
	}](t, v)
	var s evidence.Settings
	pass := in.Grid[0] < 1
	if pass {
		copy(s.PassGrid[:], in.Grid)
	} else {
		copy(s.FailGrid[:], in.Grid)
	}
	test, err := evidence.NewSLOTest(1-in.P0, plain(s))
	require.NoError(t, err)
	test.Update(in.look())
	if e := test.Evidence(); pass {
		return logE(e.Pass)
	}
	return logE(test.Evidence().Fail)
}

func bernoulliProjection(t *testing.T, v vector) map[string]any {
	in := input[struct {
		pair
		Canary   float64 `json:"theta_c"`
		Baseline float64 `json:"theta_b"`
	}](t, v)
	margin := evidence.Margin{Factor: in.Rho, Extra: in.Delta}
	c0, b0, ok := evidence.Project(in.N, in.M, margin, in.Canary, in.Baseline)
	require.True(t, ok)
	got := logE(evidence.LogProjection(in.look(), margin, in.Canary, in.Baseline))
	got["c0"], got["b0"] = c0, b0
	return got
}

// safe2x2 guesses each block's rates from the blocks before it.
func safe2x2(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Blocks [][4]float64
		Prior  float64
	}](t, v)
	var past pair
	var all []float64
	sum := 0.0
	for _, b := range in.Blocks {
		tc := (past.X + in.Prior) / (past.N + 2*in.Prior)
		tb := (past.Y + in.Prior) / (past.M + 2*in.Prior)
		look := pair{X: b[0], N: b[1], Y: b[2], M: b[3]}.look()
		sum += evidence.LogProjection(look, evidence.Margin{Factor: 1}, tc, tb)
		all = append(all, sum)
		past = pair{X: past.X + b[0], N: past.N + b[1], Y: past.Y + b[2], M: past.M + b[3]}
	}
	return logE(all)
}

func betaBinomialBlock(t *testing.T, v vector) map[string]any {
	in := input[pair](t, v)
	return logE(evidence.LogBlock(in.look(), in.Rho, in.Tau, in.G))
}

func tProcess(t *testing.T, v vector) map[string]any {
	in := input[struct{ T, N, G float64 }](t, v)
	return logE(evidence.LogT(in.T, in.N, in.G))
}

func srmDirichlet(t *testing.T, v vector) map[string]any {
	in := input[struct{ N, M, Share, Concentration float64 }](t, v)
	return logE(evidence.LogDirichlet(in.N, in.M, in.Share, in.Concentration))
}

func combineMean(t *testing.T, v vector) map[string]any {
	in := input[struct {
		LogE []float64 `json:"log_e"`
		W    []float64
	}](t, v)
	return logE(evidence.LogMean(in.LogE, in.W))
}
