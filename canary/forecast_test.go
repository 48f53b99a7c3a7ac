package canary_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/metrics"
)

// How long a plan takes at a given traffic can be asked without a cluster, and without a metric store.
func ExamplePlan_Forecast() {
	plan, err := canary.Recommended("shop").Build()
	if err != nil {
		fmt.Println(err)
	}
	for _, load := range []analysis.Load{{PerSecond: 100}, {PerSecond: 2, Bad: 0.01}} {
		f, err := plan.Forecast(context.Background(), sequential.Judge{}, load)
		fmt.Println(f, err)
	}
	// Output:
	// at 100 requests a second, 0.1% of them bad, the steps take about 41m0s; a doubling of errors is found after 35 bad requests (58m0s), an outage is found after 450 bad requests (1m30s) <nil>
	// at 2 requests a second, 1% of them bad, the steps take about 4h58m0s; a doubling of errors is found after 34 bad requests (4h43m0s), an outage is found after 9 bad requests (1m30s) <nil>
}

// A Runner asks its own judge. Without a load the judge counts the requests of the last hour.
func ExampleRunner_Forecast() {
	plan, err := canary.Recommended("shop", 20*canary.Percent).End(canary.End{Kind: canary.Discard}).Bake(0).Build()
	if err != nil {
		fmt.Println(err)
	}
	judge := sequential.Judge{
		Provider: steady{Total: 36_000, Bad: 36}, // metrics/prometheus
		Canary:   metrics.Arm{Namespace: "shop", Workload: "shop-v2"},
		Baseline: metrics.Arm{Namespace: "shop", Workload: "shop-v1"},
	}
	runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: new(canarytest.Router), Analyzer: judge})
	if err != nil {
		fmt.Println(err)
	}
	f, err := runner.Forecast(context.Background(), analysis.Load{})
	fmt.Println(f.Load.PerSecond, "a second;", f.Steps[0].Step.Name, "lasts", f.Steps[0].Usual, err)
	// Output:
	// 10 a second; canary 20% lasts 14m30s <nil>
}

// steady is a store with the same counts at all times.
type steady metrics.Counts

func (c steady) Counts(context.Context, metrics.Query, metrics.Window) (metrics.Counts, error) {
	if c.Total == 0 {
		return metrics.Counts{}, metrics.ErrNoSeries
	}
	return metrics.Counts(c), nil
}

func (c steady) Sequence(_ context.Context, _ metrics.Query, w []metrics.Window) ([]metrics.Counts, error) {
	return make([]metrics.Counts, len(w)), nil
}

func (c steady) SlowerThan(_ context.Context, _ metrics.Query, b []time.Duration, w []metrics.Window) ([][]metrics.Counts, error) {
	return nil, metrics.ErrNoBucket
}

// seer is a judge with a forecast.
type seer struct {
	canarytest.Judge
	f     analysis.Forecast
	err   error
	asked []analysis.ForecastRequest
}

func (s *seer) Forecast(_ context.Context, r analysis.ForecastRequest) (analysis.Forecast, error) {
	s.asked = append(s.asked, r)
	return s.f, s.err
}

// laddered is a plan of 20 to 100 % of the traffic, after some other steps.
func laddered(like canary.Step, before ...canary.Step) canary.Builder {
	return canary.NewPlan("shop").Settle(10*time.Second).ScrapeLag(30*time.Second).Bake(time.Hour).
		Step(before...).Weights(canary.Linear(20*percent, 20*percent, canary.Full), like)
}

func darkLaunch(deadline time.Duration) canary.Step {
	return canary.Step{Name: "dark launch", Traffic: canary.Traffic{Mirror: canary.Full}, Requires: canary.NoFailure, Deadline: deadline, OnDeadline: canary.DeadlineRollBack}
}

// V8, V19, V20: what is likely to happen at the traffic of the last hour is told before the rollout.
func TestACheckTellsWhatAPlanLeadsTo(t *testing.T) {
	const (
		hour    = 3600
		two     = "at 2 requests a second, 0.1% of them bad, it passes before its deadline of "
		forgets = `step "canary 20%": at 0.02 requests a second, 0.694% of them bad, it takes about 281h36m0s, and a judge is told of 8192 looks at most, which is 34h8m0s: with longer looks it passes`
		before  = `its deadline is 1m0s, and the judge needs at least 1m13s, for 3 looks of 10s`
	)
	warns := func(problems ...string) (found []canary.Finding) {
		for _, problem := range problems {
			found = append(found, canary.Finding{Problem: "Analyzer: " + problem})
		}
		return found
	}
	refuses := func(step, why string) canary.Finding {
		return canary.Finding{Problem: fmt.Sprintf("Analyzer: step %q can never have the verdict that it requires: %s", step, why), Refuses: true}
	}
	byErrors := sequential.Judge{Metrics: []sequential.Metric{sequential.Rate{}}}
	looks := byErrors
	looks.Tuning.Look = 10 * time.Second
	for name, c := range map[string]struct {
		plan      canary.Builder
		perSecond float64
		judge     sequential.Judge
		want      []canary.Finding
	}{
		"V8, 2 a second": {laddered(canary.Step{Hold: 10 * time.Minute, Deadline: time.Hour}), 2, byErrors, warns(`step "canary 20%": ` + two +
			"1h0m0s in 69 of 100 healthy rollouts; a deadline of 1h50m0s, or 50% of the traffic, or Pass margins with an Extra of 0.01 would make it 95; without a pass it goes on unproven")},
		"V8, by latency as well": {laddered(canary.Step{Hold: 10 * time.Minute, Deadline: time.Hour}), 2, sequential.Judge{}, warns(`step "canary 20%": ` + two +
			"1h0m0s in 37 of 100 healthy rollouts; a deadline of 2h50m0s, or Pass margins with an Extra of 0.05 would make it 95; without a pass it goes on unproven")},
		"V8, enough traffic": {laddered(canary.Step{Hold: 10 * time.Minute, Deadline: time.Hour}), 10, byErrors, nil},
		"a short bake time": {laddered(canary.Step{}).Bake(time.Minute), 100, looks, warns(
			"an outage takes 1m13s to be found, and the bake time is 1m0s: one that begins at the end of the last step, or when stable is promoted, is not found")},
		"V8, no deadline": {laddered(canary.Step{Hold: 10 * time.Minute}), 2, byErrors, nil},
		"V8, roll back": {laddered(canary.Step{Deadline: time.Hour, OnDeadline: canary.DeadlineRollBack}), 2, byErrors, warns(`step "canary 20%": ` + two +
			`1h0m0s in 69 of 100 healthy rollouts; a deadline of 1h50m0s, or 50% of the traffic, or Pass margins with an Extra of 0.01 would make it 95; OnDeadline "advance" would let it go on unproven`)},
		"V19, looks as long as the steps": {laddered(canary.Step{Hold: 10 * time.Second, Requires: canary.NoFailure}), 100, looks, warns(
			`held for less time than it takes to find an outage: "canary 20%", "canary 40%", "canary 60%", 2 more; such a step lasts 1m13s at least, for 3 looks of 10s`)},
		"V19, three looks":          {laddered(canary.Step{Hold: 64 * time.Second, Requires: canary.NoFailure}), 100, looks, nil},
		"V19, nobody said how long": {laddered(canary.Step{Requires: canary.NoFailure}), 100, looks, nil},
		"V19, a deadline before that": {canary.NewPlan("shop").Settle(10*time.Second).ScrapeLag(30*time.Second).End(canary.End{Kind: canary.Discard}).
			Weights(canary.List(20*percent, 40*percent), canary.Step{Deadline: time.Minute}), 100, looks,
			[]canary.Finding{refuses("canary 20%", before), refuses("canary 40%", before)}},
		"V20, a short dark launch": {laddered(canary.Step{}, darkLaunch(3*time.Minute)), 0.02, byErrors, warns(
			`step "dark launch": at 0.02 requests a second, 0.694% of them bad, its deadline of 3m0s is over before an outage could be found, which takes 16m0s`, forgets)},
		"V20, long enough":                     {laddered(canary.Step{}, darkLaunch(40*time.Minute)), 0.02, byErrors, warns(forgets)},
		"V20, a second look":                   {laddered(canary.Step{}, darkLaunch(time.Minute)), 2, looks, []canary.Finding{refuses("dark launch", before)}},
		"too long for what a judge is told of": {laddered(canary.Step{}), 0.02, byErrors, warns(forgets)},
		"no requests":                          {laddered(canary.Step{}), 0, looks, warns("how long the steps last is not known: the store counted no requests to stable in the 1h0m0s before 2000-01-01T00:00:00Z")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				judge := c.judge
				judge.Provider = steady{Total: c.perSecond * hour, Bad: c.perSecond * hour / 1000}
				judge.Canary, judge.Baseline = metrics.Arm{Namespace: "shop", Workload: "v2"}, metrics.Arm{Namespace: "shop", Workload: "v1"}
				s := newStage(t, mustBuild(t, c.plan), func(config *canary.Config) { config.Analyzer = judge })
				found, err := s.runner.Check(t.Context())
				require.NoError(t, err)
				require.Equal(t, c.want, found)
			})
		})
	}
}

// A rollout that cannot have its verdicts does not begin. It counts no traffic to know that.
func TestARolloutThatCannotHaveItsVerdictDoesNotBegin(t *testing.T) {
	judge := &seer{f: analysis.Forecast{Unknown: "no traffic was given", Steps: []analysis.StepForecast{{Never: "three looks are longer"}, {}}}}
	with := func(c *canary.Config) { c.Analyzer = judge }
	story(t, twoSteps().Settle(time.Second).ScrapeLag(2*time.Second), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRefused)
		require.ErrorContains(t, err, `step "canary 10%" can never have the verdict that it requires: three looks are longer`)
		step := analysis.PlannedStep{Canary: 0.1, Requires: analysis.Pass, Hold: time.Minute}
		last := step
		last.Canary = 1
		require.Equal(t, analysis.ForecastRequest{Settle: time.Second, ScrapeLag: 2 * time.Second, Steps: []analysis.PlannedStep{step, last}}, judge.asked[0])

		judge.f.Steps[0].Never = ""
		asked := len(judge.asked)
		s.promotes()
		for _, r := range judge.asked[asked:] {
			require.Zero(t, r.Load)
		}
		require.LessOrEqual(t, len(judge.asked)-asked, 2, "no turn of a step asks")
		_, err = s.runner.Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Hour, judge.asked[len(judge.asked)-1].Load.Past.Length())
	}, with)
}

func TestAForecastThatCannotBeMadeSaysWhy(t *testing.T) {
	plan := mustBuild(t, twoSteps())
	for name, c := range map[string]struct {
		judge analysis.Analyzer
		want  string
		none  bool
	}{
		"no judge":              {nil, `canary: plan "reviews": no forecast: a <nil> does not tell what it will see`, true},
		"one that does not":     {new(canarytest.Judge), `no forecast: a *canarytest.Judge does not tell what it will see`, true},
		"any of two":            {analysis.Any(new(seer)), `no forecast: which of several judges passes first cannot be forecast`, true},
		"no traffic":            {&seer{f: analysis.Forecast{Unknown: "none", Steps: make([]analysis.StepForecast, 2)}}, `no forecast: none`, true},
		"an error of the store": {&seer{err: metrics.ErrUnavailable}, `plan "reviews": forecast: metric store unavailable`, false},
		"of another plan":       {&seer{f: analysis.Forecast{Steps: make([]analysis.StepForecast, 1)}}, `it is about 1 steps of 2`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := plan.Forecast(t.Context(), c.judge, analysis.Load{PerSecond: 1})
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.none, errors.Is(err, canary.ErrNoForecast))
			require.Equal(t, "no forecast", f.String())
			if c.judge == nil {
				return
			}
			s := newStage(t, plan, func(config *canary.Config) { config.Analyzer = c.judge })
			_, err = s.runner.Check(t.Context())
			require.Equal(t, !c.none, err != nil, "%v", err)
		})
	}
}

func TestAForecastSaysWhichStepIsNotLeft(t *testing.T) {
	zero := canary.NewPlan("shop").Step(canary.Step{Name: "tenth", Traffic: canary.Traffic{Canary: 10 * percent}}).
		Step(canary.Step{Name: "half", Traffic: canary.Traffic{Canary: 50 * percent}, Deadline: time.Hour}).End(canary.End{Kind: canary.Discard})
	judge := &seer{f: analysis.Forecast{Load: analysis.Load{PerSecond: 3, Bad: 0.25}, Steps: []analysis.StepForecast{{Chance: 1, Usual: time.Minute}, {Chance: 0.5, Usual: 2 * time.Hour, Least: time.Minute}}}}
	text := func() string {
		f, err := mustBuild(t, zero).Forecast(t.Context(), judge, analysis.Load{PerSecond: 3})
		require.NoError(t, err)
		return f.String()
	}
	require.Equal(t, `at 3 requests a second, 25% of them bad, the steps take about 1h1m0s, and the deadline may come before the pass in "half"; a doubling of errors is never found, an outage is never found`, text())
	judge.f.Steps[0] = analysis.StepForecast{}
	require.Contains(t, text(), `, step "tenth" is never left; `)
	s := newStage(t, mustBuild(t, zero), func(c *canary.Config) { c.Analyzer = judge })
	found, err := s.runner.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, `Analyzer: step "tenth": at 3 requests a second, 25% of them bad, a healthy canary never gets the verdict that the step requires; a deadline with OnDeadline "advance" would let it go on unproven`, found[0].Problem)
	judge.f.Steps[0].Remedy.Canary = 0.3
	found, err = s.runner.Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, found[0].Problem, "; 30% of the traffic would make it 95; ")
}

func TestACheckSaysThatNobodyJudges(t *testing.T) {
	for share, want := range map[canary.Weight][]canary.Finding{
		0:       nil,
		percent: {{Problem: "Analyzer: there is none, so nobody judges the canary by its requests"}},
	} {
		plan := canary.NewPlan("shop").Step(canary.Step{Traffic: canary.Traffic{Canary: share, Mirror: canary.Full}, Requires: canary.Nothing}).End(canary.End{Kind: canary.Discard})
		s := newStage(t, mustBuild(t, plan), func(c *canary.Config) { c.Analyzer = nil })
		found, err := s.runner.Check(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
}

// Who waits in vain is told so once for each step, in time.
func TestAStepThatIsUnlikelyToPassIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		after    time.Duration
		deadline time.Duration
		requires canary.Requirement
		lasts    int // minutes
		want     []string
	}{
		"too long": {2 * time.Hour, time.Hour, canary.Pass, 70, []string{
			`step "canary 10%" is unlikely to pass before its deadline at 2000-01-01T01:00:00Z: it needs about 2h0m0s more at the present traffic`,
			`step "canary 20%" is unlikely to pass before its deadline at 2000-01-01T02:00:00Z: it needs about 2h0m0s more at the present traffic`,
		}},
		"in time":              {30 * time.Second, time.Hour, canary.Pass, 50, nil},
		"not known":            {0, time.Hour, canary.Pass, 50, nil},
		"no deadline":          {2 * time.Hour, 0, canary.Pass, 50, nil},
		"no pass is necessary": {2 * time.Hour, time.Hour, canary.NoFailure, 50, nil},
	} {
		t.Run(name, func(t *testing.T) {
			plan := canary.NewPlan("shop").Weights(canary.List(10*percent, 20*percent, canary.Full), canary.Step{Hold: 58 * time.Minute, Deadline: c.deadline, Requires: c.requires})
			var told []string
			story(t, plan, func(t *testing.T, s *stage) {
				s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive, After: c.after}}
				for range c.lasts {
					require.NoError(t, canary.Sweep(t.Context(), s.router))
					s.turns(time.Minute)
				}
			}, func(config *canary.Config) {
				config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
					if e.Warning != "" {
						told = append(told, e.Warning)
					}
				}}
			})
			require.Equal(t, c.want, told)
		})
	}
}
