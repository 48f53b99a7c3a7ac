package analysis_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
)

// foretold is an Analyzer with a forecast, and an error without a Load.
type foretold struct {
	analysis.AnalyzerFunc
	steps []analysis.StepForecast
}

func (f foretold) Forecast(_ context.Context, r analysis.ForecastRequest) (analysis.Forecast, error) {
	if r.Load == (analysis.Load{}) {
		return analysis.Forecast{}, errStore
	}
	all := analysis.Forecast{Load: r.Load}
	for _, s := range f.steps {
		s.Least += r.ScrapeLag
		all.Steps = append(all.Steps, s)
	}
	return all, nil
}

// The forecast of judges that all have to pass is as bad as that of the worst, and what one of them finds
// is found.
func TestTheForecastOfAllIsThatOfTheWorst(t *testing.T) {
	soon, late := analysis.Detection{After: time.Minute, Bad: 3}, analysis.Detection{After: time.Hour, Bad: 9}
	strict := foretold{steps: []analysis.StepForecast{{
		Chance: 0.5, Usual: time.Hour, Least: time.Second, Outage: late, Doubled: soon, Remedy: analysis.Remedy{Extra: 0.01},
	}, {}}}
	lax := foretold{steps: []analysis.StepForecast{{
		Chance: 0.9, Usual: time.Minute, Least: time.Minute, Outage: soon, Point: late, Never: "its deadline", Remedy: analysis.Remedy{Extra: 0.5},
	}, {Chance: 1, Usual: time.Minute}}}
	want := []analysis.StepForecast{{
		Chance: 0.5, Usual: time.Hour, Least: time.Minute, Outage: soon, Doubled: soon, Point: late, Never: "its deadline", Remedy: analysis.Remedy{Extra: 0.01},
	}, {}}
	r := analysis.ForecastRequest{Steps: make([]analysis.PlannedStep, 2), Load: analysis.Load{PerSecond: 1}}
	for _, judges := range [][]analysis.Analyzer{{strict, lax}, {lax, strict}, {says(analysis.Pass), strict, nil, lax}, {analysis.Any(strict), lax, strict}} {
		f, err := analysis.All(judges...).(analysis.Forecaster).Forecast(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, want, f.Steps)
		require.Equal(t, r.Load, f.Load)
		require.Empty(t, f.Unknown)
	}
	_, err := analysis.All(strict).(analysis.Forecaster).Forecast(t.Context(), analysis.ForecastRequest{})
	require.ErrorIs(t, err, errStore)
	f, err := analysis.All(says(analysis.Pass)).(analysis.Forecaster).Forecast(t.Context(), r)
	require.NoError(t, err)
	require.Zero(t, f)
}

// A judge that warms up is asked as if counting began later, and one that looks back for a while only is
// another judge.
func TestAForecastReachesWhoIsWrapped(t *testing.T) {
	judge := foretold{steps: []analysis.StepForecast{{Least: time.Second}}}
	f, err := analysis.Warmup(time.Minute, judge).(analysis.Forecaster).Forecast(t.Context(), analysis.ForecastRequest{Load: analysis.Load{PerSecond: 1}})
	require.NoError(t, err)
	require.Equal(t, 61*time.Second, f.Steps[0].Least)
	_, forecasts := analysis.Last(time.Minute, judge).(analysis.Forecaster)
	require.False(t, forecasts)
}

// All judges have to pass, so the slowest of them says when.
func TestTheTimeUntilAPassOfAllIsTheLongest(t *testing.T) {
	after := func(d time.Duration) analysis.Analyzer {
		return analysis.AnalyzerFunc(func(context.Context, analysis.Request) (analysis.Result, error) {
			return analysis.Result{Verdict: analysis.Inconclusive, After: d}, nil
		})
	}
	r, err := analysis.All(after(time.Minute), after(time.Hour), says(analysis.Pass)).Analyze(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, time.Hour, r.After)
}
