package peers

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/judging"
)

// Validate reports every mistake at once. Analyze calls it too.
func (k Kayenta) Validate() error {
	errs := append(k.checkGroups(), checkEvery(k.Every))
	const fewest = 5 // fewer values can never give a bounded interval
	if k.Lifetime < fewest*k.Every {
		errs = append(errs, fmt.Errorf("the Lifetime is %v; want at least %d values, one every %v", k.Lifetime, fewest, k.Every))
	}
	if k.JudgeEvery != 0 && k.JudgeEvery < k.Every {
		errs = append(errs, fmt.Errorf("JudgeEvery is %v; want zero or at least Every, which is %v", k.JudgeEvery, k.Every))
	}
	if pass, marginal := k.passScore(), k.marginalScore(); !(0 <= marginal && marginal <= pass && pass <= 100) {
		errs = append(errs, fmt.Errorf("PassScore is %v and MarginalScore is %v; want 100 >= PassScore >= MarginalScore >= 0", pass, marginal))
	}
	if k.Canary == k.Baseline {
		errs = append(errs, fmt.Errorf("the Canary and the Baseline are the same arm, %s", k.Canary))
	}
	return judging.Mistakes("kayenta", k.Provider, errs)
}

// checkGroups finds mistakes in the groups and their metrics.
func (k Kayenta) checkGroups() []error {
	var errs []error
	sum, without := 0.0, 0
	for i, g := range k.Groups {
		at := cmp.Or(g.Name, fmt.Sprintf("group %d", i+1))
		if !(g.Weight >= 0) {
			errs = append(errs, fmt.Errorf("%s: the weight is %v; want 0 to 100", at, g.Weight))
		}
		if g.Weight == 0 {
			without++
		}
		sum += g.Weight
		if len(g.Metrics) == 0 {
			errs = append(errs, fmt.Errorf("%s has no metrics; want at least one", at))
		}
		for _, m := range g.Metrics {
			if err := errors.Join(m.validate(), k.query(k.Canary, m, analysis.Request{}).Validate(), k.query(k.Baseline, m, analysis.Request{}).Validate()); err != nil {
				errs = append(errs, fmt.Errorf("%s: %v: %w", at, m, err))
			}
		}
	}
	switch {
	case len(k.Groups) == 0:
		errs = append(errs, errors.New("no Groups; want at least one"))
	case without == 0 && math.Abs(sum-100) > 1e-9, without > 0 && !(sum < 100):
		errs = append(errs, fmt.Errorf("the weights of the groups add up to %v; want 100, or less if a group has no weight", sum))
	}
	return errs
}

func (m KayentaMetric) validate() error {
	if m.Measure > Requests || m.Direction > Decrease || m.Missing > ZeroMissing {
		return fmt.Errorf("unknown Measure %d, Direction %d or Missing %d", m.Measure, m.Direction, m.Missing)
	}
	e := m.Effect.filled()
	for _, size := range []float64{e.AllowedIncrease, e.AllowedDecrease, e.CriticalIncrease, e.CriticalDecrease} {
		if !(size > 0) || math.IsInf(size, 1) {
			return fmt.Errorf("the numbers of Effect are %+v; want each above zero and finite", m.Effect)
		}
	}
	return nil
}
