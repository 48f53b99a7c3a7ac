package analysis

import (
	"cmp"
	"context"
	"time"
)

// forecast asks an Analyzer, if it is a Forecaster.
func forecast(ctx context.Context, a Analyzer, r ForecastRequest) (Forecast, error) {
	if f, ok := a.(Forecaster); ok && !isNil(a) {
		return f.Forecast(ctx, r)
	}
	return Forecast{}, nil
}

// Forecast implements [Forecaster]. All analyzers have to pass, so the worst of each step counts.
// Those that do not forecast may make it worse. Which of Any passes first is not known.
func (c combined) Forecast(ctx context.Context, r ForecastRequest) (all Forecast, err error) {
	if !c.all {
		return Forecast{Unknown: "which of several judges passes first cannot be forecast"}, nil
	}
	for _, a := range c.of {
		f, err := forecast(ctx, a, r)
		if err != nil {
			return Forecast{}, err
		}
		if len(all.Steps) == 0 && (len(f.Steps) > 0 || f.Unknown != "") {
			all = f
			continue
		}
		for i := range min(len(f.Steps), len(all.Steps)) {
			all.Unknown = cmp.Or(all.Unknown, f.Unknown)
			all.Steps[i] = all.Steps[i].and(f.Steps[i])
		}
	}
	return all, nil
}

// and is the forecast for two analyzers that both have to pass.
func (f StepForecast) and(o StepForecast) StepForecast {
	if o.Chance < f.Chance {
		f.Chance, f.Remedy = o.Chance, o.Remedy
	}
	f.Never = cmp.Or(f.Never, o.Never)
	longer := max(f.Usual, o.Usual)
	if min(f.Usual, o.Usual) == 0 { // for ever
		longer = 0
	}
	f.Usual = longer
	f.Least = max(f.Least, o.Least)
	f.Outage, f.Doubled, f.Point = f.Outage.or(o.Outage), f.Doubled.or(o.Doubled), f.Point.or(o.Point)
	return f
}

// or is the earlier one.
func (d Detection) or(o Detection) Detection {
	if d.After == 0 || o.After > 0 && o.After < d.After {
		return o
	}
	return d
}

// warmed is what Warmup returns.
type warmed struct {
	wrapped
	time time.Duration
}

// Forecast implements [Forecaster], as if counting began when it is warm: a little too late.
func (w warmed) Forecast(ctx context.Context, r ForecastRequest) (Forecast, error) {
	r.ScrapeLag += w.time
	return forecast(ctx, w.asks, r)
}
