package sequential_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

func TestEachWayOfHavingNothingHasItsWords(t *testing.T) {
	none := errors.New("none")
	for _, c := range []struct {
		canary, stable error
		blind          analysis.Blindness
		says           string
	}{
		{metrics.ErrNoSeries, nil, analysis.NoCanaryReadings, "no requests to the canary: the store knows no series, so there were none yet, or their labels are others"},
		{metrics.ErrTooFewSamples, nil, analysis.NoCanaryReadings, "no requests to the canary: the store has not read them often enough yet"},
		{metrics.ErrNoTraffic, nil, analysis.NoCanaryReadings, "no requests to the canary yet"},
		{metrics.ErrNoSeries, metrics.ErrNoSeries, analysis.NoReadings, "no requests to the canary: the store knows no series, so there were none yet, or their labels are others"},
		{metrics.ErrNoTraffic, metrics.ErrNoTraffic, analysis.FewRequests, "no requests to the canary yet"},
		{nil, metrics.ErrNoTraffic, analysis.NoReadings, "canary has 0/285 (0.00%) server errors, stable no requests: no requests to stable to compare with yet"},
	} {
		s := &shop{
			arms: map[metrics.Arm]arm{shopV1: {requests: 19}, shopV2: {requests: 1}},
			err:  map[metrics.Arm]error{shopV1: c.stable, shopV2: c.canary},
		}
		r, err := judgeOf(s).Analyze(t.Context(), request(300))
		require.NoError(t, err)
		require.Equal(t, analysis.Blind, r.Verdict)
		require.Equal(t, c.blind, r.Blindness)
		require.Equal(t, c.says, r.Reason)
	}
	for _, err := range []error{metrics.ErrUnavailable, metrics.ErrPartial, metrics.ErrStale, metrics.ErrNotANumber, none} {
		for _, metric := range []sequential.Metric{sequential.Rate{}, sequential.Latency{}, sequential.Quantile{Quantile: 0.9, Target: time.Second}} {
			s := &shop{arms: map[metrics.Arm]arm{shopV1: {requests: 19}}, err: map[metrics.Arm]error{shopV2: err}}
			judge := judgeOf(s)
			judge.Metrics = []sequential.Metric{metric}
			r, got := judge.Analyze(t.Context(), request(300))
			require.ErrorIs(t, got, err)
			require.ErrorContains(t, got, "canary: ")
			require.Equal(t, analysis.Result{}, r, "no evidence, neither good nor bad")
		}
	}
}

func TestTheFirstLookIsAwaited(t *testing.T) {
	judge := judgeOf(newShop(arm{}, arm{}))
	for _, c := range []struct {
		burnIn, seconds int
		says            string
	}{
		{0, 5, "the first look is over in 15s"},
		{0, 18, "the first look is over in 2s"}, // its last readings are under way
		{2, 40, "the first look is over in 10s"},
	} {
		judge.Tuning.Warmup = c.burnIn
		r, err := judge.Analyze(t.Context(), request(c.seconds))
		require.NoError(t, err)
		require.Equal(t, analysis.Blind, r.Verdict)
		require.Equal(t, c.says, r.Reason)
	}
	judge.Tuning.Warmup = 0
	judge.Metrics = []sequential.Metric{sequential.Rate{}, sequential.Gauge{Provider: scales{"v1": 1, "v2": 1}, Name: "memory", Canary: "v2", Baseline: "v1"}}
	r, err := judge.Analyze(t.Context(), request(34))
	require.NoError(t, err)
	require.Equal(t, "the first look is over in 1s", r.Reason, "the end of a series is seen late")
	judge.Tuning.Lag, judge.Tuning.Look = time.Second, 10*time.Second
	r, err = judge.Analyze(t.Context(), request(11))
	require.NoError(t, err)
	require.Len(t, report(r).Trace.LogE, 1)
}

func TestTooManyBadAnswersToUsersFailWhateverTheBaselineDoes(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.1}, arm{bad: 0.1}))
	judge.Tuning.MaxBad = 100
	r := request(600)
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, result.Verdict)
	require.Regexp(t, `canary has answered \d+ live requests with server errors, more than the 100 accepted in a whole rollout`, result.Reason)

	r.Mirrored, r.Canary = true, 0 // nobody saw these answers
	result, err = judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)

	judge.Tuning.MaxBad = 10_000
	judge.Metrics = []sequential.Metric{sequential.Latency{}, sequential.Rate{}}
	result, err = judge.Analyze(t.Context(), request(600))
	require.NoError(t, err)
	require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)
}

// V12: the words name what it may be.
func TestRequestsThatAreNotDividedAsPlannedHoldTheStep(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.005}, arm{bad: 0.005})) // 5 %
	judge.Tuning.IgnoreSplit = false
	r := request(3600)
	r.Canary = 0.2
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Blind, result.Verdict)
	require.Equal(t, analysis.FewerThanPlanned, result.Blindness)
	require.Contains(t, result.Reason, "the requests are not divided as planned (5% to the canary at present, and 20% planned), so the arms cannot be compared: look for clients without a proxy")

	for _, share := range []float64{0.08, 0.01} { // not half of them are missing, or it has too many
		r.Canary = share
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, analysis.NotAsPlanned, result.Blindness, result.Reason)
	}

	for name, change := range map[string]func(*analysis.Request){
		"as planned":                    func(r *analysis.Request) { r.Canary = 0.05 },
		"copies":                        func(r *analysis.Request) { r.Mirrored = true },
		"beside a baseline of its size": func(r *analysis.Request) { r.Baseline = 0.2 },
	} {
		r := request(3600)
		r.Canary = 0.2
		change(&r)
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		want := analysis.Pass
		if r.Mirrored {
			want = analysis.Inconclusive
		}
		require.Equal(t, want, result.Verdict, "%s: %s", name, result.Reason)
	}
}

// Requests that nobody counts any more are a want of readings, as soon as they cannot be late.
func TestACanaryThatStopsAnsweringHasNoReadings(t *testing.T) {
	began, look := time.Unix(1e9, 0), 15*time.Second
	both := map[metrics.Arm]arm{shopV1: {50, 0.001, time.Millisecond}, shopV2: {50, 0.001, time.Millisecond}}
	for name, hang := range map[string]time.Time{"from the beginning": began, "after a pass": began.Add(5 * time.Minute)} {
		s := novel{drawn: draws{}, chapters: []chapter{{began, both}, {hang, map[metrics.Arm]arm{shopV1: both[shopV1]}}}}
		judge := judgeOf(nil)
		judge.Provider, judge.Tuning.IgnoreSplit = s, false
		for looks := 5; looks < 40; looks++ {
			to := hang.Add(time.Duration(looks)*look + look/3)
			result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 0.5, Window: metrics.Window{From: began, To: to}})
			require.NoError(t, err)
			require.Equal(t, analysis.NoCanaryReadings, result.Blindness, "%s, look %d: %s", name, looks, result.Reason)
			require.Contains(t, result.Reason, fmt.Sprintf("no requests to the canary in the last %v, and stable has its own", time.Duration(looks)*look))
		}
	}
}

func TestEveryMistakeOfAJudgeIsNamed(t *testing.T) {
	same := metrics.Arm{Namespace: "shop", Workload: "shop"}
	err := sequential.Judge{
		Canary: same, Baseline: same, Metrics: []sequential.Metric{nil},
		Tuning: sequential.Tuning{Look: -1, Lag: -1, Warmup: -1, MaxBad: -1, Alpha: 2},
	}.Validate()
	for _, says := range []string{
		"analysis: sequential: the canary is compared with itself, ", "there is no Provider", "looks of -1ns with a Lag of -1ns",
		"Warmup is -1", "MaxBad is -1", "alpha is 2", "metric 0 is nil",
	} {
		require.ErrorContains(t, err, says)
	}
	judge := judgeOf(newShop(arm{}, arm{}))
	judge.Metrics = []sequential.Metric{
		sequential.Rate{Objective: 2},
		sequential.Rate{Fail: sequential.Margin{Factor: 0.1}},
		sequential.Latency{Bounds: []time.Duration{2, 1}, Before: -1},
		sequential.Latency{Pass: sequential.Margin{Factor: 2, Extra: 2}},
		sequential.Quantile{Quantile: 2, Target: time.Second},
		sequential.Quantile{Quantile: 0.9, Target: 2 * time.Hour},
		sequential.Gauge{},
		sequential.Gauge{Pass: sequential.Margin{Factor: 2, Extra: 0.3}},
	}
	_, err = judge.Analyze(t.Context(), request(100))
	for _, says := range []string{
		"metric 0 (server errors): objective is 2", "metric 1 (server errors): the Factor of the Fail margin is 0.1",
		"metric 2 (latency): the bounds [2ns 1ns] do not increase", "the time Before the rollout is -1ns", "Extra of the Pass margin is 2",
		"metric 4 (p200 above 1s): objective is 2", "the target 2h0m0s is not between two bounds of the histogram",
		"metric 6 (): there is no Provider", "it has no Name", "the canary is compared with itself", "Extra of the Pass margin is 0.3: this test compares by a factor",
	} {
		require.ErrorContains(t, err, says)
	}
	judge.Metrics, judge.Tuning.EventsPerCause = []sequential.Metric{sequential.Rate{}}, 0.1
	require.ErrorContains(t, judge.Validate(), "EventsPerCause is 0.1")
	judge = judgeOf(newShop(arm{}, arm{}))
	judge.Canary = metrics.Arm{}
	require.ErrorIs(t, judge.Validate(), metrics.ErrBadQuery)
}

// What is left zero in a margin is the default, and the default Fail margin makes room for
// a narrow Pass margin.
func TestAMarginMayBeGivenInPart(t *testing.T) {
	judge := judgeOf(newShop(arm{}, arm{}))
	for _, pass := range []sequential.Margin{{Extra: 0.02}, {Factor: 1.02}, {Factor: 1}, {}} {
		judge.Metrics = []sequential.Metric{sequential.Rate{Pass: pass}, sequential.Latency{Pass: pass}}
		require.NoError(t, judge.Validate(), "%+v", pass)
	}
}

func TestStrictAsksForMoreEvidence(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.005}, arm{bad: 0.02}))
	usual, err := judge.Analyze(t.Context(), request(3600))
	require.NoError(t, err)
	judge.Tuning.Strict = true
	strict, err := judge.Analyze(t.Context(), request(3600))
	require.NoError(t, err)
	require.InDelta(t, math.Log(20), report(usual).Trace.FailAt, 1e-12)
	require.InDelta(t, math.Log(100), report(strict).Trace.FailAt, 1e-12)
	require.Greater(t, len(report(strict).Trace.LogE), len(report(usual).Trace.LogE))
}

func TestATraceIsALineOfTextAndAnImage(t *testing.T) {
	trace := sequential.Trace{LogE: []float64{-1, 0, 1, 2, math.NaN(), 3, 4}, FailAt: 3}
	require.Equal(t, "▁▁▃▅▁██", trace.String())
	require.Empty(t, sequential.Trace{}.String())
	long := sequential.Trace{LogE: make([]float64, 150), FailAt: 3}
	long.LogE[149] = 3
	require.Equal(t, 50, utf8.RuneCountInString(long.String()))
	require.True(t, strings.HasSuffix(long.String(), "▁█"))

	for _, trace := range []sequential.Trace{trace, long, {}, {LogE: []float64{1}, FailAt: 3}} {
		for _, size := range []int{-1, 100} {
			image := trace.SVG(size, size)
			require.NotContains(t, image, "NaN")
			for d := xml.NewDecoder(strings.NewReader(image)); ; {
				_, err := d.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err, image)
			}
		}
	}
	require.Contains(t, fmt.Sprint(trace.SVG(100, 50)), `points="2.0,48.0 18.0,48.0 34.0,32.7 50.0,17.3 66.0,48.0 82.0,2.0 98.0,2.0"`)
}

// wrong are Sequencers whose answers have another form than was asked for.
type wrong struct {
	*shop
	counts [][]metrics.Counts
}

func TestAnAnswerOfAnotherFormIsAnError(t *testing.T) {
	for _, c := range []struct {
		counts [][]metrics.Counts
		err    error
	}{
		{nil, metrics.ErrPartial},
		{[][]metrics.Counts{{}}, metrics.ErrPartial},
		{[][]metrics.Counts{{{Total: 1, Bad: 2}}}, metrics.ErrNotCounter},
	} {
		judge := judgeOf(nil)
		judge.Provider = wrong{newShop(arm{}, arm{}), c.counts}
		judge.Metrics = []sequential.Metric{sequential.Latency{Bounds: []time.Duration{time.Second}}}
		_, err := judge.Analyze(t.Context(), request(20))
		require.ErrorIs(t, err, c.err)
	}
	judge := judgeOf(newShop(arm{}, arm{}))
	judge.Metrics = []sequential.Metric{sequential.Gauge{Provider: none{}, Name: "memory", Canary: "v2", Baseline: "v1"}}
	_, err := judge.Analyze(t.Context(), request(35))
	require.ErrorIs(t, err, metrics.ErrPartial)
}

func (w wrong) SlowerThan(context.Context, metrics.Query, []time.Duration, []metrics.Window) ([][]metrics.Counts, error) {
	return w.counts, nil
}

// none is a Gauger that forgets to answer.
type none struct{}

func (none) Values(context.Context, string, []metrics.Window) ([]float64, error) { return nil, nil }

// Errors and latency of the canary are held against stable's, at 10 of 200
// requests a second.
func ExampleJudge() {
	counts := newShop(arm{bad: 0.005, mean: 80 * ms}, arm{bad: 0.015, mean: 80 * ms}) // metrics/prometheus on a cluster
	judge := sequential.Judge{
		Provider: counts,
		Canary:   metrics.Arm{Namespace: "shop", Workload: "shop-v2.x"},
		Baseline: metrics.Arm{Namespace: "shop", Workload: "shop-v1"},
		Metrics:  []sequential.Metric{sequential.Rate{}, sequential.Latency{}},
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, minutes := range []time.Duration{1, 2} { // a canary.Runner asks
		r, err := judge.Analyze(context.Background(), analysis.Request{
			Window: metrics.Window{From: begin, To: begin.Add(minutes * time.Minute)}, Canary: 0.05,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Verdict, report(r).Trace)
		fmt.Println(r.Reason)
	}
	// Output:
	// inconclusive ▁▁▄
	// canary has 9/450 (2.00%) server errors, stable 34/8550 (0.40%): 5.03 (1.31 to 14.7) times the rate: about 2820 more requests, 4m42s at the present traffic
	// fail ▁▁▄█
	// canary has 13/600 (2.17%) server errors, stable 48/11400 (0.42%): 5.15 (1.68 to 13) times the rate; not by chance (evidence 24, 20 needed)
}

// A gauge weighs half as much as a rate, and the name of a metric is that of what
// is bad.
func ExampleMetric() {
	for _, m := range []sequential.Metric{
		sequential.Rate{},
		sequential.Rate{Signal: metrics.GRPCErrors(), Objective: 0.999},
		sequential.Latency{},
		sequential.Quantile{Quantile: 0.99, Target: 300 * time.Millisecond},
		sequential.Gauge{Name: "memory per pod"},
	} {
		fmt.Println(m)
	}
	// Output:
	// server errors
	// gRPC errors
	// latency
	// p99 above 300ms
	// memory per pod
}

// V7: an arm that the store knows nothing of is one without readings only if the other
// one's requests say that it had some.
func TestSilenceIsForWantOfReadingsOnlyIfThereMustBeSome(t *testing.T) {
	for name, c := range map[string]struct {
		v1, v2           float64 // requests of a look
		canary, baseline float64 // shares
		seconds          int
		blind            analysis.Blindness
	}{
		"the canary must have had 40":   {190, 0, 0.05, 0, 60, analysis.NoCanaryReadings},
		"the canary may have had none":  {5, 0, 0.05, 0, 60, analysis.FewRequests},
		"stable must have had many":     {0, 10, 0.05, 0, 60, analysis.NoReadings},
		"nobody has any":                {0, 0, 0.05, 0, 600, analysis.FewRequests},
		"a baseline that must have had": {0, 10, 0.05, 0.05, 60, analysis.NoReadings},
		"nothing is left for stable":    {0, 200, 1, 0, 60, analysis.NoBaseline},
		"cohorts only":                  {190, 0, 0, 0, 600, analysis.FewRequests},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shop{seed: 1, arms: map[metrics.Arm]arm{shopV1: {requests: c.v1}, shopV2: {requests: c.v2}}}
			r := request(c.seconds)
			r.Canary, r.Baseline = c.canary, c.baseline
			result, err := judgeOf(s).Analyze(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, analysis.Blind, result.Verdict)
			require.Equal(t, c.blind, result.Blindness)
		})
	}
}

// What earlier steps showed is no sight of the step under way.
func TestAStepThatHasShownNothingIsBlind(t *testing.T) {
	s := newShop(arm{bad: 0.005}, arm{bad: 0.005})
	r := request(60)
	r.Earlier = []analysis.Block{{Window: r.Window, Canary: 0.05}}
	begin := r.Window.To
	for seconds, want := range map[time.Duration]string{
		15: "blind", // no look is over
		20: "blind: an outage could not have been found yet in this step",
		35: "blind: an outage could not have been found yet in this step",
		50: "inconclusive",
	} {
		r.Window.From, r.Window.To = begin, begin.Add(seconds*time.Second)
		result, err := judgeOf(s).Analyze(t.Context(), r)
		require.NoError(t, err)
		verdict, why, _ := strings.Cut(want, ": ")
		require.Equal(t, verdict, result.Verdict.String(), seconds)
		require.Contains(t, result.Reason, why, seconds)
	}
}

// What passed before, by copies or in another step, passes no step that shows
// nothing: there or not, the requests of this one are what counts.
func TestAPassIsOfTheStepUnderWay(t *testing.T) {
	s := newShop(arm{bad: 0.005}, arm{bad: 0.005})
	for name, mirrored := range map[string]bool{"after copies": true, "after a step": false} {
		t.Run(name, func(t *testing.T) {
			r := request(3600)
			r.Earlier = []analysis.Block{{Window: r.Window, Canary: 0.05, Mirrored: mirrored}}
			r.Window.From, r.Window.To = r.Window.To, r.Window.To.Add(10*time.Second)
			result, err := judgeOf(s).Analyze(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, analysis.Blind, result.Verdict, "no look of this step is over")
			require.Contains(t, result.Reason, "that was before this step, which has shown nothing")
			r.Window.To = r.Window.To.Add(10 * time.Minute)
			result, err = judgeOf(s).Analyze(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, analysis.Pass, result.Verdict, result.Reason)
		})
	}
}

// Where everything goes to the canary, what was learnt of the baseline before has to
// do; if nothing was, there is no baseline.
func TestACanaryAloneIsNotBlindIfTheBaselineWasSeenBefore(t *testing.T) {
	s := &shop{seed: 1, arms: map[metrics.Arm]arm{shopV1: {requests: 2}, shopV2: {requests: 1}}}
	r := request(60)
	r.Earlier = []analysis.Block{{Window: r.Window, Canary: 0.3}}
	r.Window.From, r.Window.To, r.Canary = r.Window.To, r.Window.To.Add(time.Minute), 1
	judge := judgeOf(s)
	judge.Provider = untilThen{s, r.Window.From}
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Inconclusive, result.Verdict, result.Reason)
	judge.Provider = untilThen{s, time.Time{}}
	result, err = judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []any{analysis.Blind, analysis.NoBaseline}, []any{result.Verdict, result.Blindness})
}

// untilThen is a shop whose baseline gets no requests from some time on.
type untilThen struct {
	*shop
	then time.Time
}

func (u untilThen) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := u.shop.Sequence(ctx, q, windows)
	for i, w := range windows {
		if q.Arm == shopV1 && err == nil && !w.From.Before(u.then) {
			counts[i] = metrics.Counts{}
		}
	}
	return counts, err
}

// V14, F11: settings that are no settings are told, and not computed with.
func TestHostileSettingsAndCountsAreErrors(t *testing.T) {
	judge := judgeOf(newShop(arm{}, arm{}))
	for _, weight := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		judge.Metrics = []sequential.Metric{sequential.Rate{Weight: weight}}
		require.ErrorContains(t, judge.Validate(), "metric 0 (server errors): the weight is")
	}
	judge.Metrics = slices.Repeat([]sequential.Metric{sequential.Rate{}}, 65)
	require.ErrorContains(t, judge.Validate(), "there are 65 metrics; want 64 at most")
	judge.Metrics = nil
	judge.Provider = &shop{seed: 1, arms: map[metrics.Arm]arm{shopV1: {}, shopV2: {}}}
	for _, c := range []metrics.Counts{{Total: 1e16}, {Total: math.Inf(1)}, {Total: 1, Bad: 2}, {Total: math.NaN()}, {Bad: -1, Total: 1}} {
		judge.Provider = always{judge.Provider, c}
		_, err := judge.Analyze(t.Context(), request(60))
		require.ErrorIs(t, err, metrics.ErrNotCounter, c)
	}
}

// always counts the same in each look.
type always struct {
	metrics.Sequencer
	counts metrics.Counts
}

func (a always) Sequence(_ context.Context, _ metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	return slices.Repeat([]metrics.Counts{a.counts}, len(windows)), nil
}
