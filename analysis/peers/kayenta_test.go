package peers_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/metrics"
)

// The minutes of the tests: ten ordinary ones, ten with more bad requests.
var (
	calm  = hundreds(1, 0, 2, 1, 3, 0, 1, 2, 2, 1)
	rough = hundreds(7, 5, 6, 9, 8, 6, 7, 5, 6, 8)
)

// ten returns Kayenta's judge of ten minutes with one group of metrics.
func ten(p metrics.Provider, m ...peers.KayentaMetric) peers.Kayenta {
	return peers.Kayenta{Provider: p, Canary: v2, Baseline: v1, Every: time.Minute, Lifetime: 10 * time.Minute,
		Groups: []peers.KayentaGroup{{Metrics: m}}}
}

func TestKayentaJudgesAMetric(t *testing.T) {
	silent := hundreds(slices.Repeat([]int{-1}, 10)...)
	four := slices.Concat(rough[:4], silent[:6])
	type metric = peers.KayentaMetric
	for name, c := range map[string]struct {
		canary, baseline []metrics.Counts
		metric           metric
		want             analysis.Verdict
		reason           string
	}{
		"alike":                     {calm, calm, metric{}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"never anything":            {hundreds(make([]int, 10)...), hundreds(make([]int, 10)...), metric{}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"high":                      {rough, calm, metric{}, analysis.Fail, "score 0 of 100, 95 to pass: server errors high"},
		"high is minded":            {rough, calm, metric{Direction: peers.Increase}, analysis.Fail, "score 0 of 100, 95 to pass: server errors high"},
		"high is not minded":        {rough, calm, metric{Direction: peers.Decrease}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"low":                       {calm, rough, metric{}, analysis.Fail, "score 0 of 100, 95 to pass: server errors low"},
		"low is not minded":         {calm, rough, metric{Direction: peers.Increase}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"high, but allowed":         {rough, calm, metric{Effect: peers.EffectSize{AllowedIncrease: 6}}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"low, but allowed":          {calm, rough, metric{Effect: peers.EffectSize{AllowedDecrease: 0.1}}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"high in most pairs":        {rough, calm, metric{Effect: peers.EffectSize{CLES: true, AllowedIncrease: 0.9}}, analysis.Fail, "score 0 of 100, 95 to pass: server errors high"},
		"no ratio to nothing":       {rough, hundreds(make([]int, 10)...), metric{Effect: peers.EffectSize{AllowedIncrease: 99}}, analysis.Fail, "score 0 of 100, 95 to pass: server errors high"},
		"a canary without requests": {silent, calm, metric{}, analysis.Blind, "too little data for a score: server errors without data"},
		"a baseline without any":    {calm, nil, metric{}, analysis.Blind, "too little data for a score: server errors without data"},
		"four against four":         {four, slices.Concat(calm[:4], silent[:6]), metric{}, analysis.Blind, "too little data for a score: server errors without data"},
		"four against ten":          {four, calm, metric{}, analysis.Fail, "score 0 of 100, 95 to pass: server errors high"},
		"silence as zeros":          {four, calm, metric{Missing: peers.ZeroMissing}, analysis.Pass, "score 100 of 100, 95 to pass"},
		"fewer requests":            {silent, calm, metric{Measure: peers.Requests}, analysis.Fail, "score 0 of 100, 95 to pass: requests low"},
		"requests never read":       {nil, calm, metric{Measure: peers.Requests}, analysis.Blind, "too little data for a score: requests without data"},
		"never read as zeros": {nil, calm, metric{Measure: peers.Requests, Missing: peers.ZeroMissing},
			analysis.Fail, "score 0 of 100, 95 to pass: requests low"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := ten(minutes{v2: c.canary, v1: c.baseline}, c.metric).Analyze(t.Context(), after(10*time.Minute))
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
		})
	}
}

// bySignal is a Provider with minutes for each signal.
type bySignal map[metrics.Signal]minutes

func (b bySignal) Counts(ctx context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	return b[q.Signal].Counts(ctx, q, w)
}

func TestKayentaScoresGroups(t *testing.T) {
	worse, same := metrics.ServerErrors(), metrics.SlowerThan(time.Second)
	silent := metrics.GRPCErrors()
	p := bySignal{worse: {v2: rough, v1: calm}, same: {v2: calm, v1: calm}}
	group := func(weight float64, signals ...metrics.Signal) peers.KayentaGroup {
		g := peers.KayentaGroup{Weight: weight}
		for _, s := range signals {
			g.Metrics = append(g.Metrics, peers.KayentaMetric{Signal: s})
		}
		return g
	}
	critical := func(e peers.EffectSize, s metrics.Signal) peers.KayentaGroup {
		return peers.KayentaGroup{Metrics: []peers.KayentaMetric{{Signal: s, Critical: true, Effect: e}}}
	}
	const high = ": server errors high"
	for name, c := range map[string]struct {
		groups []peers.KayentaGroup
		want   analysis.Verdict
		reason string
	}{
		"one of three, in one group":     {[]peers.KayentaGroup{group(0, worse, same, same)}, analysis.Fail, "score 66.67 of 100, 95 to pass" + high},
		"one of three, of little weight": {[]peers.KayentaGroup{group(5, worse), group(0, same), group(0, same)}, analysis.Pass, "score 95 of 100, 95 to pass" + high},
		"one of four is marginal": {[]peers.KayentaGroup{group(0, worse), group(0, same), group(0, same), group(25, same)}, analysis.Inconclusive,
			"score 75 of 100, 95 to pass, marginal from 75: a person must decide" + high},
		"a silent metric of three is left out": {[]peers.KayentaGroup{group(0, silent, same, same)}, analysis.Pass,
			"score 100 of 100, 95 to pass: gRPC errors without data"},
		"a silent group scores full": {[]peers.KayentaGroup{group(60, silent), group(40, same, same, same, worse)}, analysis.Inconclusive,
			"score 90 of 100, 95 to pass, marginal from 75: a person must decide: gRPC errors without data, server errors high"},
		"half of the metrics silent": {[]peers.KayentaGroup{group(0, silent, same)}, analysis.Blind, "too little data for a score: gRPC errors without data"},
		"a critical one is silent": {[]peers.KayentaGroup{group(0, same, same), critical(peers.EffectSize{}, silent)}, analysis.Blind,
			"too little data for a score: gRPC errors without data"},
		"a critical one is high": {[]peers.KayentaGroup{group(99, same, same), critical(peers.EffectSize{}, worse)}, analysis.Fail,
			"score 0 of 100, 95 to pass: server errors high (critical)"},
		"a critical one is high, but not critically": {[]peers.KayentaGroup{group(99, same, same), critical(peers.EffectSize{CriticalIncrease: 9}, worse)}, analysis.Pass,
			"score 99 of 100, 95 to pass" + high},
		"a critical one is alike": {[]peers.KayentaGroup{critical(peers.EffectSize{}, same)}, analysis.Pass, "score 100 of 100, 95 to pass"},
	} {
		t.Run(name, func(t *testing.T) {
			judge := ten(p)
			judge.Groups = c.groups
			result, err := judge.Analyze(t.Context(), after(10*time.Minute))
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
		})
	}
}

func TestKayentaLooksWhenItIsTime(t *testing.T) {
	late := slices.Concat(calm[:5], rough, rough)
	p := minutes{v2: late, v1: slices.Concat(calm, calm, calm)}
	for _, c := range []struct {
		after, judgeEvery time.Duration
		want              analysis.Verdict
		reason            string
	}{
		{5 * time.Minute, 0, analysis.Blind, "judged in 5m0s"},
		{-time.Minute, 0, analysis.Blind, "judged in 10m0s"},
		{9 * time.Minute, 5 * time.Minute, analysis.Inconclusive, "judged in 1m0s; so far score 100 of 100, 95 to pass"},
		{10 * time.Minute, 0, analysis.Pass, "score 100 of 100, 95 to pass"}, // five of ten is not enough
		{time.Hour, 0, analysis.Pass, "score 100 of 100, 95 to pass"},        // nor does it look at what came later
		{time.Hour, time.Minute, analysis.Pass, "score 100 of 100, 95 to pass"},
	} {
		judge := ten(p, peers.KayentaMetric{})
		judge.JudgeEvery = c.judgeEvery
		result, err := judge.Analyze(t.Context(), after(c.after))
		require.NoError(t, err)
		require.Equal(t, c.want, result.Verdict, "%v", c)
		require.Equal(t, c.reason, result.Reason)
	}

	judge := ten(minutes{v2: slices.Concat(rough, calm, calm), v1: slices.Concat(calm, calm, calm)}, peers.KayentaMetric{})
	judge.Lifetime, judge.JudgeEvery = 30*time.Minute, time.Minute
	for _, look := range []time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour} {
		result, err := judge.Analyze(t.Context(), after(look))
		require.NoError(t, err)
		require.Equal(t, analysis.Fail, result.Verdict, "the first look of five values stands, at %v", look)
		require.Equal(t, of(35, 500), result.Values[0].Counts)
	}
}

func TestKayentaReportsEveryMistakeAtOnce(t *testing.T) {
	group := func(weight float64, m peers.KayentaMetric) peers.KayentaGroup {
		return peers.KayentaGroup{Name: "errors", Weight: weight, Metrics: []peers.KayentaMetric{m}}
	}
	groups := func(g ...peers.KayentaGroup) peers.Kayenta { return peers.Kayenta{Groups: g} }
	ok := peers.KayentaMetric{}
	for name, c := range map[string]struct {
		judge peers.Kayenta
		want  []string
	}{
		"zero": {peers.Kayenta{}, []string{"Every is 0s", "no Groups; want at least one", "the Canary and the Baseline are the same arm", "no Provider"}},
		"times": {peers.Kayenta{Every: time.Minute, Lifetime: 4 * time.Minute, JudgeEvery: time.Second},
			[]string{"Lifetime is 4m0s; want at least 5 values", "JudgeEvery is 1s"}},
		"scores":               {peers.Kayenta{PassScore: 50, MarginalScore: 60}, []string{"PassScore is 50 and MarginalScore is 60"}},
		"no score":             {peers.Kayenta{PassScore: math.NaN()}, []string{"PassScore is NaN"}},
		"an empty group":       {groups(peers.KayentaGroup{}), []string{"group 1 has no metrics"}},
		"weights too small":    {groups(group(40, ok), group(40, ok)), []string{"the weights of the groups add up to 80; want 100"}},
		"weights leave naught": {groups(group(100, ok), group(0, ok)), []string{"the weights of the groups add up to 100"}},
		"weights below zero":   {groups(group(-1, ok)), []string{"errors: the weight is -1"}},
		"a metric":             {groups(group(0, peers.KayentaMetric{Measure: 7})), []string{"unknown Measure 7", "the arm needs"}},
		"an effect":            {groups(group(0, peers.KayentaMetric{Effect: peers.EffectSize{AllowedIncrease: -1}})), []string{"want each above zero"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.judge.Analyze(t.Context(), minute)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func ExampleKayenta() {
	judge := peers.Kayenta{
		Provider: minutes{v2: rough, v1: calm}, Canary: v2, Baseline: v1, Every: time.Minute, Lifetime: 10 * time.Minute,
		Groups: []peers.KayentaGroup{
			{Name: "errors", Weight: 60, Metrics: []peers.KayentaMetric{{Direction: peers.Increase, Critical: true}}},
			{Name: "traffic", Weight: 40, Metrics: []peers.KayentaMetric{{Measure: peers.Requests}}},
		},
	}
	result, err := judge.Analyze(context.Background(), after(10*time.Minute))
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	for _, v := range result.Values {
		fmt.Println(v.Name+":", v)
	}
	// Output:
	// fail <nil>
	// score 0 of 100, 95 to pass: server errors high (critical)
	// server errors: canary 67/1000 (6.70%)
	// server errors: baseline 13/1000 (1.30%)
	// requests: canary 67/1000 (6.70%)
	// requests: baseline 13/1000 (1.30%)
	// score: 0 of 100
}
