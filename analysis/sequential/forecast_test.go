package sequential_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	dice "github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/metrics"
)

// crowd is a store whose arms have so many requests a second by chance, and bad ones among them.
// The same window has the same counts, whoever asks.
type crowd struct {
	metrics.Sequencer
	seed uint64
	arms func(metrics.Arm, time.Time) arm
}

func (c crowd) Sequence(_ context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts := make([]metrics.Counts, len(windows))
	for i, w := range windows {
		r := rand.New(rand.NewPCG(c.seed, uint64(w.From.Unix())<<8|uint64(len(q.Arm.Workload))))
		a := c.arms(q.Arm, w.From)
		good, bad := dice.Poisson(r, a.requests*(1-a.bad)*w.Length().Seconds()), dice.Poisson(r, a.requests*a.bad*w.Length().Seconds())
		counts[i] = metrics.Counts{Total: good + bad, Bad: bad}
	}
	return counts, nil
}

func (c crowd) SlowerThan(_ context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window) ([][]metrics.Counts, error) {
	counts := make([][]metrics.Counts, len(bounds))
	for i := range counts {
		counts[i] = make([]metrics.Counts, len(windows))
	}
	for k, w := range windows {
		r := rand.New(rand.NewPCG(c.seed, uint64(w.From.Unix())<<8|uint64(len(q.Arm.Workload))))
		for range int(dice.Poisson(r, c.arms(q.Arm, w.From).requests*w.Length().Seconds())) {
			took := time.Duration(r.ExpFloat64() * float64(100*time.Millisecond))
			for i, b := range bounds {
				counts[i][k].Total++
				if took > b {
					counts[i][k].Bad++
				}
			}
		}
	}
	return counts, nil
}

// byErrors judges by server errors alone.
var byErrors = sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{}}}

// planned has the overhead of a plan: ten seconds until the mesh has settled, and thirty more until
// counting begins.
func planned(load analysis.Load, steps ...analysis.PlannedStep) analysis.ForecastRequest {
	return analysis.ForecastRequest{Settle: 10 * time.Second, ScrapeLag: 30 * time.Second, Load: load, Steps: steps}
}

const overhead = 40 * time.Second

// rollout is what a judge says of a canary with so many bad requests when the steps have lasted as
// long as their deadlines, or, of the last one, for a time.
func rollout(t *testing.T, judge sequential.Judge, seed uint64, r analysis.ForecastRequest, bad float64, lasts time.Duration) analysis.Result {
	t.Helper()
	at := time.Unix(1e9, 0)
	q := analysis.Request{Began: at}
	last := len(r.Steps) - 1
	for i, s := range r.Steps {
		w := metrics.Window{From: at.Add(overhead), To: at.Add(s.Deadline)}
		q.Window, q.Canary, q.Mirrored = w, s.Canary, s.Canary == 0
		at = w.To
		if i < last {
			q.Earlier = append(q.Earlier, analysis.Block{Window: w, Canary: s.Canary, Mirrored: s.Canary == 0})
		}
	}
	q.Window.To = q.Window.From.Add(lasts - overhead)
	judge.Canary, judge.Baseline, judge.Provider = shopV2, shopV1, crowd{seed: seed, arms: func(a metrics.Arm, at time.Time) arm {
		i := 0
		for i < last && !at.Before(q.Earlier[i].Window.To) {
			i++
		}
		s, canary := r.Steps[i], a == shopV2
		switch share := max(s.Canary, s.Mirror); {
		case canary:
			return arm{requests: r.Load.PerSecond * share, bad: bad}
		default:
			return arm{requests: r.Load.PerSecond * (1 - s.Canary), bad: r.Load.Bad}
		}
	}}
	result, err := judge.Analyze(t.Context(), q)
	require.NoError(t, err)
	return result
}

// passes is the share of simulated healthy rollouts whose last step passes before its deadline.
func passes(t *testing.T, judge sequential.Judge, r analysis.ForecastRequest) float64 {
	t.Helper()
	const runs, asks = 200, 6
	passed := 0
	for seed := range uint64(runs) {
		for ask := range time.Duration(asks) { // the last moment first: a pass lasts, mostly
			last := &r.Steps[len(r.Steps)-1]
			if v := rollout(t, judge, seed, r, r.Load.Bad, last.Deadline*(2*asks-ask)/(2*asks)).Verdict; last.Requires <= v && v < analysis.Fail {
				passed++
				break
			}
		}
	}
	return float64(passed) / runs
}

func forecast(t *testing.T, judge sequential.Judge, r analysis.ForecastRequest) []analysis.StepForecast {
	t.Helper()
	f, err := judge.Forecast(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, f.Unknown)
	require.Len(t, f.Steps, len(r.Steps))
	return f.Steps
}

// pass is a step that requires one, and goes on unproven.
func pass(canary float64, deadline time.Duration) analysis.PlannedStep {
	return analysis.PlannedStep{Canary: canary, Deadline: deadline, Requires: analysis.Pass, Unproven: true}
}

func copies(deadline time.Duration) analysis.PlannedStep {
	return analysis.PlannedStep{Mirror: 1, Deadline: deadline, Requires: analysis.Inconclusive, Unproven: true}
}

// V8, V20: how many of 100 healthy canaries pass before the deadline is known before the rollout.
func TestTheChanceOfAPassIsThatOfSimulatedRollouts(t *testing.T) {
	narrow := sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: 0.0005}}}}
	objective := sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{Objective: 0.99}}}
	for name, c := range map[string]struct {
		judge     sequential.Judge
		perSecond float64
		bad       float64
		steps     []analysis.PlannedStep
		most      float64 // of the chance; 0: as the simulation says
	}{
		"V8, 1 a second":                {byErrors, 1, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0.2},
		"V8, 2 a second":                {byErrors, 2, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0},
		"V8, 5 a second":                {byErrors, 5, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0},
		"V8, 20 a second":               {byErrors, 20, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0},
		"V8, 2 and the former margin":   {narrow, 2, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0.01},
		"V8, 10 and the former margin":  {narrow, 10, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0.6},
		"V8, the second step":           {byErrors, 2, 0.001, []analysis.PlannedStep{pass(0.2, 30*time.Minute), pass(0.4, 30*time.Minute)}, 0},
		"1 % of errors":                 {byErrors, 5, 0.01, []analysis.PlannedStep{pass(0.5, 20*time.Minute)}, 0},
		"5 % of errors":                 {byErrors, 2, 0.05, []analysis.PlannedStep{pass(0.2, 40*time.Minute)}, 0},
		"V20, a short dark launch":      {byErrors, 0.02, 0.001, []analysis.PlannedStep{copies(3 * time.Minute)}, 0.01},
		"V20, a dark launch":            {byErrors, 0.02, 0.001, []analysis.PlannedStep{copies(30 * time.Minute)}, 0},
		"copies pass no live step":      {byErrors, 1, 0.001, []analysis.PlannedStep{copies(time.Hour), pass(0.2, time.Hour)}, 0.2},
		"with latency":                  {sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}}}, 2, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0.6},
		"latency and many requests":     {sequential.Judge{}, 10, 0.001, []analysis.PlannedStep{pass(0.2, time.Hour)}, 0},
		"an objective":                  {objective, 4, 0.002, []analysis.PlannedStep{pass(0.2, 20*time.Minute)}, 0},
		"an objective at few a second":  {objective, 2, 0.002, []analysis.PlannedStep{pass(0.2, 20*time.Minute)}, 0.2},
		"looks that are not judged yet": {sequential.Judge{Metrics: byErrors.Metrics, Tuning: sequential.Tuning{Warmup: 40}}, 5, 0.01, []analysis.PlannedStep{pass(0.5, 20*time.Minute)}, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := planned(analysis.Load{PerSecond: c.perSecond, Bad: c.bad}, c.steps...)
			f := forecast(t, c.judge, r)
			last := f[len(f)-1]
			require.InDelta(t, passes(t, c.judge, r), last.Chance, 0.1)
			if c.most > 0 {
				require.LessOrEqual(t, last.Chance, c.most)
			}
			require.Empty(t, last.Never)
			require.NotZero(t, last.Usual)
		})
	}
}

// A bad canary fails after about as many bad requests as was said.
func TestABadCanaryIsFoundWhenItWasSaid(t *testing.T) {
	for name, c := range map[string]struct {
		perSecond, bad float64
		step           analysis.PlannedStep
		canary         float64
		detection      func(analysis.StepForecast) analysis.Detection
	}{
		"an outage":                  {20, 0.01, pass(0.2, 3*time.Hour), 1, func(f analysis.StepForecast) analysis.Detection { return f.Outage }},
		"an outage at few a second":  {0.5, 0.001, pass(0.2, 3*time.Hour), 1, func(f analysis.StepForecast) analysis.Detection { return f.Outage }},
		"an outage of copies":        {5, 0.001, copies(3 * time.Hour), 1, func(f analysis.StepForecast) analysis.Detection { return f.Outage }},
		"twice the errors":           {20, 0.01, pass(0.2, 3*time.Hour), 0.02, func(f analysis.StepForecast) analysis.Detection { return f.Doubled }},
		"twice many errors":          {5, 0.05, pass(0.2, 3*time.Hour), 0.1, func(f analysis.StepForecast) analysis.Detection { return f.Doubled }},
		"a point more":               {5, 0.001, pass(0.2, 3*time.Hour), 0.011, func(f analysis.StepForecast) analysis.Detection { return f.Point }},
		"a point more, half of them": {2, 0.001, pass(0.5, 3*time.Hour), 0.011, func(f analysis.StepForecast) analysis.Detection { return f.Point }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := planned(analysis.Load{PerSecond: c.perSecond, Bad: c.bad}, c.step)
			want := c.detection(forecast(t, byErrors, r)[0])
			var looks []int
			for seed := range uint64(31) {
				result := rollout(t, byErrors, seed, r, c.canary, c.step.Deadline)
				require.Equal(t, analysis.Fail, result.Verdict, result.Reason)
				looks = append(looks, len(report(result).Trace.LogE))
			}
			slices.Sort(looks)
			after := overhead + time.Duration(looks[len(looks)/2])*15*time.Second + 5*time.Second
			require.InEpsilon(t, after.Seconds(), want.After.Seconds(), 0.4)
			require.InDelta(t, want.After.Seconds()*c.perSecond*max(c.step.Canary, c.step.Mirror)*c.canary, want.Bad, 1e-6)
		})
	}
}
