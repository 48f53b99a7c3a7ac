package sequential_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// A forecast for a given load needs neither a store nor arms.
func ExampleJudge_Forecast() {
	f, err := sequential.Judge{}.Forecast(context.Background(), analysis.ForecastRequest{
		Settle: 10 * time.Second, ScrapeLag: 30 * time.Second,
		Load:  analysis.Load{PerSecond: 10, Bad: 0.001},
		Steps: []analysis.PlannedStep{{Canary: 0.2, Requires: analysis.Pass, Hold: 5 * time.Minute, Deadline: 10 * time.Minute}},
	})
	s := f.Steps[0]
	fmt.Printf("passes in time: %.0f of 100, usually after %v\n", 100*s.Chance, s.Usual)
	fmt.Printf("a deadline of %v would make it 95\n", s.Remedy.Deadline)
	fmt.Printf("an outage is found after %v, a doubling after %.0f bad requests\n", s.Outage.After, s.Doubled.Bad)
	fmt.Println(err)
	// Output:
	// passes in time: 18 of 100, usually after 14m30s
	// a deadline of 35m0s would make it 95
	// an outage is found after 1m30s, a doubling after 42 bad requests
	// <nil>
}

// past is a store that has counted the baseline in the window.
type past struct {
	metrics.Sequencer
	counts metrics.Counts
	slower float64 // share of the requests, than the longest half of the bounds
	err    error
	blind  error // of SlowerThan alone
	asked  []metrics.Query
}

func (p *past) Counts(_ context.Context, q metrics.Query, _ metrics.Window) (metrics.Counts, error) {
	p.asked = append(p.asked, q)
	return p.counts, p.err
}

func (p *past) SlowerThan(_ context.Context, _ metrics.Query, bounds []time.Duration, _ []metrics.Window) ([][]metrics.Counts, error) {
	counts := make([][]metrics.Counts, len(bounds))
	for i := range counts {
		counts[i] = []metrics.Counts{{Total: p.counts.Total, Bad: p.counts.Total}}
		if i >= len(bounds)/2 {
			counts[i][0].Bad *= p.slower
		}
	}
	return counts, p.blind
}

func lastHour() analysis.Load {
	now := time.Unix(1e9, 0)
	return analysis.Load{Past: metrics.Window{From: now.Add(-time.Hour), To: now}}
}

func judgeAsking(p *past, judged ...sequential.Metric) sequential.Judge {
	return sequential.Judge{Provider: p, Canary: shopV2, Baseline: shopV1, Metrics: judged}
}

func TestTheLoadIsThatOfThePast(t *testing.T) {
	store := &past{counts: metrics.Counts{Total: 36_000, Bad: 72}}
	counted, err := judgeAsking(store, sequential.Rate{}).Forecast(t.Context(), planned(lastHour(), pass(0.2, time.Hour)))
	require.NoError(t, err)
	require.Len(t, store.asked, 1, "one question")
	require.Equal(t, shopV1, store.asked[0].Arm)
	require.InDelta(t, 10, counted.Load.PerSecond, 1e-9)
	require.InDelta(t, 0.002, counted.Load.Bad, 1e-9)
	given := forecast(t, byErrors, planned(analysis.Load{PerSecond: 10, Bad: 0.002}, pass(0.2, time.Hour)))
	require.Equal(t, given, counted.Steps)

	store.counts.Bad = 0
	counted, err = judgeAsking(store, sequential.Rate{}).Forecast(t.Context(), planned(lastHour(), pass(0.2, time.Hour)))
	require.NoError(t, err)
	require.InDelta(t, 0.5/36_000, counted.Load.Bad, 1e-12, "no bad request says that they are rare, not that there are none")
}

// How many requests are slow is counted as well. Otherwise it is a guess.
func TestTheLatencyIsThatOfThePast(t *testing.T) {
	both := []sequential.Metric{sequential.Rate{}, sequential.Latency{}}
	plan, load := pass(0.2, time.Hour), analysis.Load{PerSecond: 2, Bad: 0.001}
	guess := forecast(t, sequential.Judge{Metrics: both}, planned(load, plan))
	for _, c := range []struct {
		slower float64
		check  func(require.TestingT, any, any, ...any)
	}{{0.05, require.Equal}, {0, require.Equal}, {0.3, require.NotEqual}} {
		store := &past{counts: metrics.Counts{Total: 7200, Bad: 7.2}, slower: c.slower}
		counted, err := judgeAsking(store, both...).Forecast(t.Context(), planned(lastHour(), plan))
		require.NoError(t, err)
		c.check(t, guess, counted.Steps)
	}
	store := &past{counts: metrics.Counts{Total: 7200, Bad: 7.2}, slower: 0.3}
	counted, err := judgeAsking(store, both...).Forecast(t.Context(), planned(lastHour(), plan))
	require.NoError(t, err)
	require.Greater(t, counted.Steps[0].Chance, guess[0].Chance, "more slow requests say more")

	store.blind = metrics.ErrNoBucket
	counted, err = judgeAsking(store, both...).Forecast(t.Context(), planned(lastHour(), plan))
	require.NoError(t, err)
	require.Equal(t, guess, counted.Steps)
	store.blind = metrics.ErrUnavailable
	_, err = judgeAsking(store, both...).Forecast(t.Context(), planned(lastHour(), plan))
	require.ErrorContains(t, err, "analysis: latency: stable: ")
}

func TestWhatTheStoreLacksIsSaid(t *testing.T) {
	store := &past{err: metrics.ErrNoSeries}
	f, err := judgeAsking(store, sequential.Rate{}).Forecast(t.Context(), planned(lastHour(), pass(0.2, time.Hour)))
	require.NoError(t, err)
	require.Equal(t, "the store counted no requests to stable in the 1h0m0s before 2001-09-09T01:46:40Z", f.Unknown)
	require.Equal(t, []analysis.StepForecast{{Least: 90 * time.Second}}, f.Steps)

	for _, bad := range []*past{{err: metrics.ErrUnavailable}, {counts: metrics.Counts{Total: 1, Bad: 2}}} {
		_, err = judgeAsking(bad, sequential.Rate{}).Forecast(t.Context(), planned(lastHour(), pass(0.2, time.Hour)))
		require.ErrorContains(t, err, "analysis: server errors: stable: ")
	}
	_, err = byErrors.Forecast(t.Context(), planned(lastHour()))
	require.ErrorContains(t, err, "there is no Provider to ask")
	for want, judge := range map[string]sequential.Judge{
		"Warmup":     {Tuning: sequential.Tuning{Warmup: -1}},
		"objective":  {Metrics: []sequential.Metric{sequential.Rate{Objective: 2}}},
		"Factor":     {Metrics: []sequential.Metric{sequential.Rate{Pass: sequential.Margin{Factor: 0.5}}}},
		"LookCap is": {Tuning: sequential.Tuning{LookCap: -1}},
	} {
		_, err = judge.Forecast(t.Context(), planned(analysis.Load{PerSecond: 1}))
		require.ErrorContains(t, err, want)
	}
	for _, l := range []analysis.Load{{PerSecond: -1}, {PerSecond: 1, Bad: 1}} {
		_, err = byErrors.Forecast(t.Context(), planned(l))
		require.ErrorContains(t, err, "the load is")
	}
	f, err = sequential.Judge{Metrics: []sequential.Metric{sequential.Latency{}}}.Forecast(t.Context(), planned(analysis.Load{PerSecond: 1}, pass(0.2, 0)))
	require.NoError(t, err)
	require.Empty(t, f.Steps)
	require.Equal(t, "no metric of the judge can be forecast", f.Unknown)
}

// V19: a judged step has three looks, or more if they have few requests. Whatever the traffic is, a
// deadline before that is one that nobody keeps.
func TestALeastTimeHoldsForAnyTraffic(t *testing.T) {
	looks := func(every time.Duration) sequential.Judge {
		return sequential.Judge{Metrics: byErrors.Metrics, Tuning: sequential.Tuning{Look: every}}
	}
	two := sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{}, sequential.Rate{Signal: metrics.HTTPStatus(400, 499)}}}
	const lag = 3333333333 * time.Nanosecond // a third of ten seconds
	for name, c := range map[string]struct {
		judge sequential.Judge
		load  analysis.Load
		step  analysis.PlannedStep
		least time.Duration
		never string
	}{
		"three looks of 10 s":   {looks(10 * time.Second), analysis.Load{}, pass(0.6, time.Hour), overhead + 30*time.Second + lag, ""},
		"with many requests":    {looks(10 * time.Second), analysis.Load{PerSecond: 1000}, pass(0.6, time.Hour), overhead + 30*time.Second + lag, ""},
		"with few":              {looks(10 * time.Second), analysis.Load{PerSecond: 0.05}, pass(0.6, 0), overhead + 320*time.Second + lag, ""},
		"of two metrics":        {two, analysis.Load{}, pass(0.6, time.Hour), overhead + 50*time.Second, ""},
		"of the default ones":   {sequential.Judge{}, analysis.Load{PerSecond: 100}, pass(0.5, time.Hour), overhead + 50*time.Second, ""},
		"a failure is no pass":  {looks(10 * time.Second), analysis.Load{}, analysis.PlannedStep{Canary: 0.6, Requires: analysis.Inconclusive, Deadline: time.Minute}, overhead + 30*time.Second + lag, "its deadline is 1m0s, and the judge needs at least 1m13s, for 3 looks of 10s"},
		"a dark launch":         {looks(10 * time.Second), analysis.Load{}, copies(time.Minute), overhead + 30*time.Second + lag, "its deadline is 1m0s, and the judge needs at least 1m13s, for 3 looks of 10s"},
		"long enough":           {looks(10 * time.Second), analysis.Load{}, copies(74 * time.Second), overhead + 30*time.Second + lag, ""},
		"copies and a pass":     {byErrors, analysis.Load{}, analysis.PlannedStep{Mirror: 1, Requires: analysis.Pass}, overhead + 50*time.Second, "copies pass nothing"},
		"warm in each step":     {sequential.Judge{Metrics: byErrors.Metrics, Tuning: sequential.Tuning{Warmup: 2}}, analysis.Load{}, pass(0.6, time.Hour), overhead + 80*time.Second, ""},
		"nothing is required":   {looks(10 * time.Second), analysis.Load{}, analysis.PlannedStep{Canary: 0.6, Deadline: time.Minute}, 0, ""},
		"everything at once":    {looks(10 * time.Second), analysis.Load{}, pass(1, time.Hour), overhead + 30*time.Second + lag, "it gives the canary all requests, and no step before it compares the canary with stable"},
		"a canary and its copy": {looks(10 * time.Second), analysis.Load{}, analysis.PlannedStep{Canary: 0.5, Baseline: 0.5, Requires: analysis.Pass}, overhead + 30*time.Second + lag, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := c.judge.Forecast(t.Context(), planned(c.load, c.step))
			require.NoError(t, err)
			require.Equal(t, c.least, f.Steps[0].Least)
			require.Equal(t, c.never, f.Steps[0].Never)
		})
	}
}

// What a Remedy says is so.
func TestARemedyHelps(t *testing.T) {
	load := analysis.Load{PerSecond: 2, Bad: 0.001}
	step := pass(0.2, time.Hour)
	f := forecast(t, byErrors, planned(load, step, step))
	r := f[0].Remedy
	require.Less(t, f[0].Chance, 0.9)
	require.Zero(t, f[1].Remedy, "of the first step only")
	for what, c := range map[string]struct {
		judge sequential.Judge
		edit  func(*analysis.PlannedStep)
	}{
		"deadline": {byErrors, func(s *analysis.PlannedStep) { s.Deadline = r.Deadline }},
		"share":    {byErrors, func(s *analysis.PlannedStep) { s.Canary = r.Canary }},
		"extra":    {sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: r.Extra}}}}, func(*analysis.PlannedStep) {}},
	} {
		better := step
		c.edit(&better)
		require.GreaterOrEqual(t, forecast(t, c.judge, planned(load, better))[0].Chance, 0.95, what)
	}
	require.Zero(t, forecast(t, byErrors, planned(analysis.Load{PerSecond: 100}, pass(0.2, time.Hour)))[0].Remedy)
}

// Whoever gets past a step that needs its pass has one: later steps then last three looks, also the one
// with all traffic, where an outage is found as well.
func TestLaterStepsNeedNoSecondPass(t *testing.T) {
	first, second, all := pass(0.05, 0), pass(0.2, 10*time.Minute), pass(1, 10*time.Minute)
	f := forecast(t, byErrors, planned(analysis.Load{PerSecond: 10}, first, second, all))
	require.Greater(t, f[0].Usual, 30*time.Minute)
	for _, s := range f[1:] {
		require.InDelta(t, 1, s.Chance, 1e-9)
		require.Equal(t, 90*time.Second, s.Usual)
	}
	require.Equal(t, 90*time.Second, f[2].Outage.After)
	require.Zero(t, f[2].Doubled, "a canary alone may have three times the rate")

	f = forecast(t, sequential.Judge{Metrics: byErrors.Metrics, Tuning: sequential.Tuning{Warmup: 2}}, planned(analysis.Load{PerSecond: 10}, first, second, second))
	require.Equal(t, 30*time.Second, f[1].Least-f[2].Least, "a larger share is cold, and the same one is not")

	second.Requires = analysis.Inconclusive
	nothing := analysis.PlannedStep{Canary: 0.5, Hold: time.Minute}
	f = forecast(t, byErrors, planned(analysis.Load{PerSecond: 10}, second, nothing))
	require.Equal(t, 1.0, f[0].Chance)
	require.Equal(t, analysis.StepForecast{Chance: 1, Usual: 70 * time.Second}, f[1])
}

// A pass needs every Rate, and what fails no canary finds none.
func TestAPassNeedsEveryRate(t *testing.T) {
	load := analysis.Load{PerSecond: 10, Bad: 0.001}
	narrow := sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: 0.0005}, Weight: sequential.None}
	of := func(m ...sequential.Metric) analysis.StepForecast {
		return forecast(t, sequential.Judge{Metrics: m}, planned(load, pass(0.2, time.Hour)))[0]
	}
	both := of(narrow, sequential.Rate{})
	require.InDelta(t, of(narrow).Chance*of(sequential.Rate{}).Chance, both.Chance, 1e-9)
	require.Equal(t, of(narrow).Usual, both.Usual)
	require.Equal(t, of(sequential.Rate{}).Doubled, both.Doubled)
	require.Zero(t, of(narrow).Doubled)
	three := of(narrow, sequential.Rate{}, sequential.Rate{Signal: metrics.ClientErrors(), FailOnly: true})
	require.Equal(t, both.Chance, three.Chance, "but those that none has to pass")
	require.Greater(t, three.Doubled.Bad, both.Doubled.Bad)
	none := sequential.Rate{Pass: sequential.Margin{Factor: 1, Extra: 0}, Fail: sequential.Margin{Factor: 1}}
	never := forecast(t, sequential.Judge{Metrics: []sequential.Metric{none}}, planned(load, pass(0.2, 0)))[0]
	require.Zero(t, never.Chance)
	require.Zero(t, never.Usual)
}
