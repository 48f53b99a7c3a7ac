package evidence

import "math"

// need is how much a pass lacks when a canary request adds growth nats.
func (s Settings) need(growth, logE float64) Need {
	return Forecast(growth, Missing(s.Beta, s.FirstShare, logE))
}

// Need forecasts the pass, at the level Beta of the settings, if looks go on like
// a usual one, the average of those so far.
func (t *ErrorTest) Need(usual Look) Need {
	usual = usual.clean()
	s := newSplit(usual, t.settings.Pass)
	growth := SplitGrowth(PassRates(usual), t.settings.Pass, t.settings.PassGrid.Multipliers())
	return t.settings.need(growth/t.dispersion(s, s.events), t.Evidence().Pass)
}

// Need forecasts the pass, as [ErrorTest.Need] does; the usual look's baseline is
// not looked at.
func (t *SLOTest) Need(usual Look) Need {
	c, s := usual.Canary.clean(), t.settings
	growth := ObjectiveGrowth(over(c.Bad, c.Total), t.pass.p0, t.pass.grid.Multipliers())
	return s.need(growth/t.pass.dispersion(c, s), t.Evidence().Pass)
}

// Need forecasts the pass, as [ErrorTest.Need] does.
func (t *QuantileTest) Need(usual QuantileLook) Need {
	return t.slo.Need(Look{Canary: Count{Bad: usual.AboveLow, Total: usual.Total}})
}

// Need forecasts the pass, as [ErrorTest.Need] does, of the bound that is passed
// last.
func (t *LatencyTest) Need(usual LatencyLook) Need {
	last := Need{Growth: math.Inf(1)}
	for j := range t.size {
		l := usual.bound(j).clean()
		growth := projectionGrowth(PassRates(l), t.settings.Pass, t.settings.PassGrid.Multipliers())
		b := &t.bounds[j]
		n := t.settings.need(growth/b.dispersion(l, t.settings.Pass.odds(b.guess()), &t.settings), b.pass.logE())
		if !n.Decidable() || last.Decidable() && n.Requests > last.Requests {
			last = n
		}
	}
	return last
}

// projectionGrowth is what a canary request adds to the log evidence of one bound
// (section 4), on average, at the best multiplier of the odds.
func projectionGrowth(r Rates, m Margin, grid []float64) float64 {
	l := Look{Canary: Count{r.Canary, 1}, Baseline: Count{r.Ratio * r.Baseline, r.Ratio}}
	q := m.odds(r.Baseline)
	return best(grid, func(g float64) float64 { return LogProjection(l, m, g*q/(1-q+g*q), r.Baseline) })
}
