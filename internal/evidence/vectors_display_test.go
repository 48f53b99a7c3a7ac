package evidence_test

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/internal/evidence"
)

// displayKinds are the formulas behind what is shown beside a verdict, and their
// relatives of the literature.
var displayKinds = map[string]compute{
	"ratio_cs":                 ratioCS,
	"cs_beta_binomial":         betaBinomialCS,
	"need_more":                needMore,
	"histogram_quantile":       histogramQuantile,
	"quantile_bracket":         quantileBracket,
	"dkw_fixed":                dkw,
	"dkw_lil_closed":           dkw,
	"dkw_lil":                  dkw,
	"asymptotic_cs":            asymptoticCS,
	"betting_capital":          bettingCapital,
	"normal_mixture":           mixture,
	"normal_mixture_one_sided": mixture,
	"gamma_poisson_mixture":    mixture,
	"beta_binomial_mixture":    mixture,
	"cs_bernoulli_howard":      bernoulliCS,
}

func ratioCS(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Counts [][4]float64
		Grid   []float64
		Alpha  float64
	}](t, v)
	var looks []evidence.Look
	for _, c := range in.Counts {
		looks = append(looks, evidence.Look{
			Canary:   evidence.Count{Bad: c[0], Total: c[1]},
			Baseline: evidence.Count{Bad: c[2], Total: c[3]},
		})
	}
	is, ok := evidence.Ratio(slices.Values(looks), in.Grid, in.Alpha)
	require.True(t, ok)
	return map[string]any{"mle": is.Estimate, "lower": is.Lower, "upper": is.Upper}
}

func betaBinomialCS(t *testing.T, v vector) map[string]any {
	in := input[struct{ X, N, A, B, Alpha float64 }](t, v)
	is, ok := evidence.RateWithPrior(evidence.Count{Bad: in.X, Total: in.N}, in.A, in.B, in.Alpha)
	require.True(t, ok)
	return map[string]any{"lower": is.Lower, "upper": is.Upper}
}

func needMore(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Canary   float64 `json:"p_c"`
		Baseline float64 `json:"p_b"`
		Target   float64 `json:"target_e"`
		LogE     float64 `json:"log_e_now"`

		Ratio, Rho, Delta, Overhead float64

		Grid []float64
	}](t, v)
	require.InDelta(t, 1, in.Overhead, 0, "the price of the grid")
	rates := evidence.Rates{Canary: in.Canary, Baseline: in.Baseline, Ratio: in.Ratio}
	growth := evidence.SplitGrowth(rates, evidence.Margin{Factor: in.Rho, Extra: in.Delta}, in.Grid)
	need := evidence.Forecast(growth, evidence.Missing(1/in.Target, 1, in.LogE))
	return map[string]any{"growth_per_canary_request": growth, "need": need.Requests}
}

// bounds are buckets as [bound, count], where a bound may be "+Inf".
type bounds [][2]json.RawMessage

func (b bounds) buckets(t *testing.T) []evidence.Bucket {
	var all []evidence.Bucket
	for _, pair := range b {
		var both [2]float64
		for i, text := range pair {
			var s string
			if json.Unmarshal(text, &s) != nil {
				s = string(text)
			}
			number, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			both[i] = number
		}
		all = append(all, evidence.Bucket{Le: both[0], Count: both[1]})
	}
	return all
}

func histogramQuantile(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Q       json.RawMessage
		Buckets bounds
	}](t, v)
	q := bounds{{in.Q, json.RawMessage("0")}}.buckets(t)[0].Le
	is := evidence.Quantile(q, in.Buckets.buckets(t))
	return map[string]any{"value": is}
}

func quantileBracket(t *testing.T, v vector) map[string]any {
	in := input[struct {
		Target  float64
		Buckets bounds
	}](t, v)
	b, err := evidence.Around(in.Target, in.Buckets.buckets(t))
	require.NoError(t, err)
	return map[string]any{
		"fail_bound": b.High, "fail_exceed": b.AboveHigh,
		"pass_bound": b.Low, "pass_exceed": b.AboveLow, "n": b.Total,
	}
}

func dkw(t *testing.T, v vector) map[string]any {
	in := input[struct {
		N, T, Alpha, A float64
		TMin           float64 `json:"t_min"`
	}](t, v)
	switch v.Kind {
	case "dkw_fixed":
		return map[string]any{"half_width": fixedDKW(in.N, in.Alpha)}
	case "dkw_lil_closed":
		return map[string]any{"half_width": closedDKW(in.T, in.Alpha)}
	}
	width, c := tunedDKW(in.T, in.TMin, in.Alpha, in.A)
	return map[string]any{"half_width": width, "C": c}
}

func asymptoticCS(t *testing.T, v vector) map[string]any {
	in := input[struct {
		N, SD, Alpha float64
		TStar        float64 `json:"t_star"`
	}](t, v)
	width := peers.AsymptoticCS(in.N, in.SD, in.TStar, in.Alpha)
	return map[string]any{"half_width": width, "rho": 1 / math.Sqrt(normalRho(in.TStar, in.Alpha))}
}

func bettingCapital(t *testing.T, v vector) map[string]any {
	in := input[struct {
		X               []float64
		M, Alpha, Trunc float64
	}](t, v)
	return map[string]any{"capital": bets(in.X, in.M, in.Alpha, in.Trunc)}
}

func mixture(t *testing.T, v vector) map[string]any {
	in := input[struct {
		S, V, C, G, H, Alpha float64
		VOpt                 float64 `json:"v_opt"`
		AlphaOpt             float64 `json:"alpha_opt"`
		OneSided             bool    `json:"one_sided"`
	}](t, v)
	switch v.Kind {
	case "gamma_poisson_mixture":
		return map[string]any{"log_e": gammaPoissonMixture(in.S, in.V, in.VOpt, in.C, in.AlphaOpt)}
	case "beta_binomial_mixture":
		log := betaBinomialMixture(in.S, in.V, in.VOpt, in.G, in.H, in.AlphaOpt, in.OneSided)
		return map[string]any{"log_e": log}
	case "normal_mixture_one_sided":
		rho := normalRho(in.VOpt, 2*in.AlphaOpt)
		return map[string]any{"rho": rho, "log_e": oneSidedNormalMixture(in.S, in.V, rho)}
	}
	rho := normalRho(in.VOpt, in.AlphaOpt)
	return map[string]any{
		"rho": rho, "log_e": normalMixture(in.S, in.V, rho),
		"bound": normalBound(in.V, rho, in.Alpha),
	}
}

func bernoulliCS(t *testing.T, v vector) map[string]any {
	in := input[struct {
		X, N, Alpha float64
		TOpt        float64 `json:"t_opt"`
	}](t, v)
	lower, upper := howardCS(in.X, in.N, in.Alpha, in.TOpt)
	return map[string]any{"lower": lower, "upper": upper}
}
