package analysis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

var errStore = errors.New("store is down")

// says returns an Analyzer with a fixed verdict.
func says(v analysis.Verdict) analysis.Analyzer {
	return analysis.AnalyzerFunc(func(context.Context, analysis.Request) (analysis.Result, error) {
		return analysis.Result{Verdict: v, Reason: "said " + v.String(), Values: []analysis.Value{{Name: v.String()}}}, nil
	})
}

// errs returns an Analyzer with an error, and a verdict that must not count.
func errs(v analysis.Verdict) analysis.Analyzer {
	return analysis.AnalyzerFunc(func(context.Context, analysis.Request) (analysis.Result, error) {
		return analysis.Result{Verdict: v}, errStore
	})
}

func TestCombinations(t *testing.T) {
	pass, fail, unsure, down := says(analysis.Pass), says(analysis.Fail), says(analysis.Inconclusive), errs(analysis.Pass)
	blind := says(analysis.Blind)
	type outcome struct {
		verdict analysis.Verdict
		reason  string
		err     error
	}
	failed := func(reason string) outcome { return outcome{analysis.Fail, reason, nil} }
	for name, c := range map[string]struct {
		analyzers []analysis.Analyzer
		all, any  outcome
	}{
		"nobody":  {nil, outcome{reason: "there is nothing to judge by"}, outcome{reason: "there is nothing to judge by"}},
		"one":     {[]analysis.Analyzer{pass}, outcome{analysis.Pass, "said pass", nil}, outcome{analysis.Pass, "said pass", nil}},
		"agreed":  {[]analysis.Analyzer{pass, pass}, outcome{analysis.Pass, "said pass", nil}, outcome{analysis.Pass, "said pass", nil}},
		"one bad": {[]analysis.Analyzer{pass, fail, unsure}, failed("said fail"), failed("said fail")},
		"one unsure": {[]analysis.Analyzer{pass, unsure},
			outcome{analysis.Inconclusive, "said inconclusive", nil}, outcome{analysis.Pass, "said pass", nil}},
		"one blind": {[]analysis.Analyzer{unsure, blind},
			outcome{reason: "said blind"}, outcome{analysis.Inconclusive, "said inconclusive", nil}},
		"one blind, one passes": {[]analysis.Analyzer{blind, pass},
			outcome{reason: "said blind"}, outcome{analysis.Pass, "said pass", nil}},
		"blind and without an answer": {[]analysis.Analyzer{blind, down}, outcome{err: errStore}, outcome{err: errStore}},
		"one without an answer": {[]analysis.Analyzer{pass, down},
			outcome{err: errStore}, outcome{analysis.Pass, "said pass (no answer from others: store is down)", nil}},
		"unsure and without an answer": {[]analysis.Analyzer{unsure, down}, outcome{err: errStore}, outcome{err: errStore}},
		"bad and without an answer": {[]analysis.Analyzer{down, fail},
			failed("said fail (no answer from others: store is down)"), failed("said fail (no answer from others: store is down)")},
		"bad, and two without an answer": {[]analysis.Analyzer{down, fail, down},
			failed("said fail (no answer from others: store is down; store is down)"),
			failed("said fail (no answer from others: store is down; store is down)")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, combined := range []struct {
				analysis.Analyzer
				want outcome
			}{{analysis.All(c.analyzers...), c.all}, {analysis.Any(c.analyzers...), c.any}} {
				result, err := combined.Analyze(t.Context(), minute)
				require.Equal(t, combined.want.verdict, result.Verdict)
				require.Equal(t, combined.want.reason, result.Reason)
				require.ErrorIs(t, err, combined.want.err)
			}
		})
	}
}

func TestCombinationsDoNotDependOnTheOrder(t *testing.T) {
	choices := []analysis.Analyzer{says(analysis.Pass), says(analysis.Fail), says(analysis.Inconclusive), errs(analysis.Fail), says(analysis.Blind)}
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOf(rapid.SampledFrom([]int{0, 1, 2, 3, 4})).Draw(t, "analyzers")
		var list []analysis.Analyzer
		for _, i := range drawn {
			list = append(list, choices[i])
		}
		turned := slices.Clone(list)
		slices.Reverse(turned)
		for _, combine := range []func(...analysis.Analyzer) analysis.Analyzer{analysis.All, analysis.Any} {
			a, errA := combine(list...).Analyze(t.Context(), minute)
			b, errB := combine(turned...).Analyze(t.Context(), minute)
			require.Equal(t, a.Verdict, b.Verdict)
			require.Equal(t, errA == nil, errB == nil)
			require.Len(t, b.Values, len(a.Values))
			if errA != nil {
				require.Equal(t, analysis.Blind, a.Verdict)
			}
			if slices.Contains(drawn, 1) {
				require.Equal(t, analysis.Fail, a.Verdict)
			}
			if a.Verdict == analysis.Pass {
				require.Contains(t, drawn, 0)
			}
		}
	})
}

func TestANilAnalyzerIsAnErrorAndNoPanic(t *testing.T) {
	_, err := analysis.All(says(analysis.Pass), nil).Analyze(t.Context(), minute)
	require.ErrorContains(t, err, "analyzer 2 is nil")
	_, err = analysis.Warmup(0, nil).Analyze(t.Context(), minute)
	require.Error(t, err)
}

func TestWarmupWaitsUntilTheWindowIsLongEnough(t *testing.T) {
	judge := analysis.Warmup(time.Minute, says(analysis.Fail))
	for _, c := range []struct {
		length time.Duration
		want   string
	}{
		{-10 * time.Second, "warming up: 0s of 1m0s"},
		{20 * time.Second, "warming up: 20s of 1m0s"},
		{time.Minute, "said fail"},
		{time.Hour, "said fail"},
	} {
		result, err := judge.Analyze(t.Context(), analysis.Request{Window: metrics.Window{From: noon, To: noon.Add(c.length)}})
		require.NoError(t, err)
		require.Equal(t, c.want, result.Reason)
		require.Equal(t, c.want == "said fail", result.Verdict == analysis.Fail)
	}
}

func TestVerdictsAndValuesPrintForAPerson(t *testing.T) {
	require.Equal(t, "blind inconclusive pass fail Verdict(9)", fmt.Sprint(analysis.Blind, " ", analysis.Inconclusive, " ", analysis.Pass, " ", analysis.Fail, " ", analysis.Verdict(9)))
	require.Equal(t, "canary 12/1530 (0.78%)", analysis.Value{Name: "server errors", Arm: "canary", Counts: of(12, 1530)}.String())
	require.Equal(t, "canary 0.31 cores", analysis.Value{Name: "CPU", Arm: "canary", Number: 0.31, Unit: "cores"}.String())
	require.Equal(t, "3", analysis.Value{Name: "replicas", Number: 3}.String())
}

func TestLastLooksAtTheEndOfTheWindowOnly(t *testing.T) {
	var seen metrics.Window
	a := analysis.AnalyzerFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
		seen = r.Window
		return analysis.Result{Verdict: analysis.Pass}, nil
	})
	long := metrics.Window{From: minute.Window.To.Add(-5 * time.Hour), To: minute.Window.To}
	_, err := analysis.Last(15*time.Minute, a).Analyze(t.Context(), analysis.Request{Window: long})
	require.NoError(t, err)
	require.Equal(t, 15*time.Minute, seen.Length())
	require.Equal(t, long.To, seen.To)
	_, err = analysis.Last(15*time.Minute, a).Analyze(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, minute.Window, seen, "a shorter window stays as it is")
	for _, wrong := range []analysis.Analyzer{analysis.Last(0, a), analysis.Last(time.Minute, nil)} {
		_, err = wrong.Analyze(t.Context(), minute)
		require.Error(t, err)
		require.EqualError(t, wrong.(interface{ Validate() error }).Validate(), err.Error())
	}
}

// knows is an Analyzer with all that may be known of one.
type knows struct {
	analysis.Result
	look time.Duration
	err  error
	got  *analysis.Request
}

func (k knows) Validate() error     { return k.err }
func (k knows) Look() time.Duration { return k.look }
func (k knows) Analyze(_ context.Context, r analysis.Request) (analysis.Result, error) {
	*k.got = r
	return k.Result, nil
}

func TestCombinationsHandOnWhatTheirsKnow(t *testing.T) {
	var first, second analysis.Request
	a := knows{analysis.Result{Verdict: analysis.Inconclusive, Doubt: true, Sight: 3, Needed: 4, Carry: []byte("a")}, time.Second, errStore, &first}
	b := knows{analysis.Result{Verdict: analysis.Inconclusive, Sight: 1, Needed: 4, StableWorse: true, Carry: []byte("second")}, time.Minute, nil, &second}
	for _, all := range []analysis.Analyzer{
		analysis.All(a, says(analysis.Pass), b), analysis.Last(time.Hour, analysis.All(a, says(analysis.Pass), b)),
		analysis.Warmup(time.Second, analysis.All(a, says(analysis.Pass), b)),
	} {
		require.Equal(t, time.Minute, all.(analysis.Looker).Look())
		require.ErrorIs(t, all.(interface{ Validate() error }).Validate(), errStore)
		r, err := all.Analyze(t.Context(), minute)
		require.NoError(t, err)
		require.True(t, r.Doubt && r.StableWorse)
		require.Equal(t, []float64{1, 4}, []float64{r.Sight, r.Needed}, "the least sighted")
		require.Nil(t, first.Carry)

		later := minute
		later.Carry, later.Frozen = r.Carry, r.Carry
		_, err = all.Analyze(t.Context(), later)
		require.NoError(t, err)
		require.Equal(t, "a second a second", fmt.Sprintf("%s %s %s %s", first.Carry, second.Carry, first.Frozen, second.Frozen))
	}
}

func TestACarryOfOthersIsNobodys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var first, second analysis.Request
		both := analysis.All(knows{got: &first}, knows{got: &second})
		r := minute
		r.Carry = rapid.SliceOf(rapid.Byte()).Draw(t, "carry")
		_, err := both.Analyze(context.Background(), r)
		require.NoError(t, err)
		require.LessOrEqual(t, len(first.Carry)+len(second.Carry), len(r.Carry))
		if len(r.Carry) > 0 && r.Carry[0] < 0x80 && int(r.Carry[0]) >= len(r.Carry) { // a length of one byte that is too long
			require.Nil(t, first.Carry)
			require.Nil(t, second.Carry)
		}
	})
}

func TestOneWithoutReadingsIsEnoughToBeWithoutThemIfAllAreNeeded(t *testing.T) {
	blind := func(b analysis.Blindness) analysis.Analyzer {
		return knows{Result: analysis.Result{Blindness: b}, got: new(analysis.Request)}
	}
	for _, c := range []struct {
		said     []analysis.Blindness
		all, any analysis.Blindness
	}{
		{[]analysis.Blindness{analysis.NoReadings, analysis.NoReadings}, analysis.NoReadings, analysis.NoReadings},
		{[]analysis.Blindness{analysis.NoReadings, analysis.FewRequests}, analysis.NoReadings, analysis.Unspecified},
		{[]analysis.Blindness{analysis.NoBaseline, analysis.FewRequests}, analysis.Unspecified, analysis.Unspecified},
		{[]analysis.Blindness{analysis.NoBaseline}, analysis.NoBaseline, analysis.NoBaseline},
	} {
		var judges []analysis.Analyzer
		for _, b := range c.said {
			judges = append(judges, blind(b))
		}
		all, err := analysis.All(judges...).Analyze(t.Context(), minute)
		require.NoError(t, err)
		any, err := analysis.Any(judges...).Analyze(t.Context(), minute)
		require.NoError(t, err)
		require.Equal(t, []analysis.Blindness{c.all, c.any}, []analysis.Blindness{all.Blindness, any.Blindness}, "%v", c.said)
	}
}

// What was learnt is not lost by an error, nor while another one warms up.
func TestNothingThatIsCarriedIsLost(t *testing.T) {
	var got analysis.Request
	learns := knows{Result: analysis.Result{Carry: []byte("learnt")}, got: &got}
	first, err := analysis.Any(learns, learns).Analyze(t.Context(), minute)
	require.NoError(t, err)
	r := minute
	r.Carry = first.Carry
	again, err := analysis.Any(learns, errs(analysis.Pass)).Analyze(t.Context(), r)
	require.ErrorIs(t, err, errStore)
	require.Nil(t, again.Carry, "an error is no look")
	again, err = analysis.Any(says(analysis.Pass), errs(analysis.Pass)).Analyze(t.Context(), r)
	require.NoError(t, err)
	r.Carry = again.Carry
	_, err = analysis.Any(says(analysis.Pass), learns).Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "learnt", string(got.Carry), "the error forgot nothing of it")

	r.Carry = []byte("known")
	warming, err := analysis.Warmup(time.Hour, learns).Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "known", string(warming.Carry))
}

func TestANilPointerWithinACombinationIsAMistakeAndNoPanic(t *testing.T) {
	var none *analysis.Threshold
	for name, a := range map[string]analysis.Analyzer{
		"all": analysis.All(none), "any": analysis.Any(says(analysis.Pass), none), "last": analysis.Last(time.Minute, none),
		"warmup": analysis.Warmup(0, analysis.AnalyzerFunc(nil)),
	} {
		require.Error(t, a.(interface{ Validate() error }).Validate(), name)
		require.Zero(t, a.(analysis.Looker).Look(), name)
		if name != "any" {
			_, err := a.Analyze(t.Context(), minute)
			require.Error(t, err, name)
		}
	}
}
