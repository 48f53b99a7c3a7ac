package analysis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// Finding is what [Sequential] found out about one metric.
type Finding struct {
	Signal           metrics.Signal
	Canary, Baseline metrics.Counts // of the whole rollout
	// Compared is the canary's rate of bad requests as a multiple of the
	// baseline's, or the rate itself if it is held against an objective, with an
	// interval that holds at all looks together with probability 1-Alpha. Known is
	// false while nothing can be said.
	Compared sequential.Interval
	Known    bool
	// Evidence are natural logarithms; FailAt and PassAt are what they must reach,
	// that for a fail in the mean over all metrics.
	Evidence       sequential.Evidence
	FailAt, PassAt float64
	Standing       sequential.Standing
	// Need is how many more requests the canary needs until it passes, and After
	// the time that takes at the present traffic; zero if that cannot be told.
	Need  sequential.Need
	After time.Duration
}

// judge walks through all looks.
func (s Sequential) judge(all []interval, tables [][]sequential.Look) (Result, error) {
	wanted := s.metrics()
	judge, err := sequential.NewJudge(s.Levels)
	if err != nil {
		return Result{}, err
	}
	split, err := sequential.NewTrafficTest(sequential.Settings{})
	if err != nil {
		return Result{}, err
	}
	tests := make([]test, len(wanted))
	for i, m := range wanted {
		if tests[i], err = m.test(); err != nil {
			return Result{}, err
		}
	}
	standing := make([]sequential.Metric, len(wanted))
	verdict := sequential.Continue
	for k := range all {
		for i := range tests {
			tests[i].Update(tables[i][k])
			standing[i] = sequential.Metric{Evidence: tests[i].Evidence(), Weight: wanted[i].Weight}
		}
		if !s.AnySplit {
			split.Update(s.share(all[k].block, tables[0][k]))
		}
		if verdict = judge.Update(standing, split.LogE(), true); verdict == sequential.Fail {
			all = all[:k+1] // what came after that does not matter any more
			break
		}
	}
	return s.result(verdict, all, tables, standing), nil
}

// share is how the requests of a look divided, and were to divide. Nothing can
// be said while the canary is mirrored to, or beside a baseline of its own.
func (s Sequential) share(b *Block, l sequential.Look) sequential.TrafficLook {
	look := sequential.TrafficLook{Canary: l.Canary.Total, Others: l.Baseline.Total, Step: l.Step}
	if !b.Mirrored && b.Baseline == 0 {
		look.Share = b.Canary
	}
	return look
}

// result says the verdict in words.
func (s Sequential) result(verdict sequential.Verdict, all []interval, tables [][]sequential.Look, standing []sequential.Metric) Result {
	var r Result
	names := sequential.Standings(standing, s.alpha())
	for i, m := range s.metrics() {
		f := s.finding(m, standing[i].Evidence, tables[i][:len(all)], all)
		f.Standing = names[i]
		r.Findings = append(r.Findings, f)
		r.Values = append(r.Values,
			Value{Name: m.Signal.String(), Arm: canary, Counts: f.Canary},
			Value{Name: m.Signal.String(), Arm: s.baseline(), Counts: f.Baseline})
		if bad := exposed(tables[i][:len(all)], all); s.MaxBad > 0 && bad > s.MaxBad {
			r.Verdict = Fail
			r.Reason = fmt.Sprintf("canary has answered %.0f live requests with %v, more than the %.0f accepted in a whole rollout", bad, m.Signal, s.MaxBad)
		}
	}
	switch {
	case r.Verdict == Fail:
	case verdict == sequential.Fail:
		r.Verdict, r.Reason = Fail, s.blame(r.Findings)
	case verdict == sequential.Invalid:
		r.Reason = "the requests are not divided as planned, so the arms cannot be compared: look for pods that are not ready or were ejected, and for sessions that stick; " + s.least(r.Findings).String()
	case verdict == sequential.Pass:
		r.Verdict, r.Reason = Pass, s.least(r.Findings).String()
	default:
		r.Reason = s.missing(r.Findings)
	}
	return r
}

func (s Sequential) alpha() float64 { return cmp.Or(s.Levels.Alpha, 0.05) }

func (s Sequential) baseline() string { return cmp.Or(s.BaselineName, "stable") }

// finding sums up what is known of one metric.
func (s Sequential) finding(m Metric, e sequential.Evidence, table []sequential.Look, all []interval) Finding {
	settings, _ := m.Settings.For(m.kind()) // Validate has seen them
	f := Finding{
		Signal: m.Signal, Evidence: e,
		FailAt: -math.Log(s.alpha()), PassAt: -math.Log(cmp.Or(s.Levels.Beta, 0.05)),
	}
	var total sequential.Look
	var took time.Duration
	for k, l := range table {
		add(&total.Canary, l.Canary)
		add(&total.Baseline, l.Baseline)
		took += all[k].window.Length()
	}
	f.Canary = metrics.Counts{Total: total.Canary.Total, Bad: total.Canary.Bad}
	f.Baseline = metrics.Counts{Total: total.Baseline.Total, Bad: total.Baseline.Bad}
	growth := 0.0
	if m.Objective != 0 {
		f.Compared, f.Known = sequential.Rate(total.Canary, s.alpha())
		growth = sequential.ObjectiveGrowth(f.Canary.Ratio(), 1-m.Objective, settings.PassGrid[:])
	} else {
		f.Compared, f.Known = sequential.Ratio(slices.Values(table), sequential.RatioGrid(), s.alpha())
		growth = sequential.SplitGrowth(sequential.PassRates(total), settings.Pass, settings.PassGrid[:])
	}
	f.Need = sequential.Forecast(growth/settings.Phi, sequential.Missing(math.Exp(-f.PassAt), settings.Share, e.Pass))
	if took > 0 {
		f.After, _ = f.Need.After(f.Canary.Total / took.Seconds())
	}
	return f
}

func add(to *sequential.Count, c sequential.Count) {
	to.Bad += c.Bad
	to.Total += c.Total
}

func (m Metric) kind() sequential.Kind {
	if m.Objective != 0 {
		return sequential.SLO
	}
	return sequential.Errors
}

// exposed is how many bad requests users saw.
func exposed(table []sequential.Look, all []interval) (bad float64) {
	for k, l := range table {
		if !all[k].block.Mirrored {
			bad += l.Canary.Bad
		}
	}
	return bad
}

// String says it in half a sentence.
func (f Finding) String() string {
	text := fmt.Sprintf("canary has %v %v, the other arm %v", f.Canary, f.Signal, f.Baseline)
	if f.Known {
		text += fmt.Sprintf(", %v times as many", f.Compared)
	}
	return text
}

// blame names the metrics that failed the canary.
func (s Sequential) blame(all []Finding) string {
	var culprits []string
	worst := all[0]
	for _, f := range all {
		if f.Standing == sequential.Culprit {
			culprits = append(culprits, f.String())
		}
		if f.Evidence.Fail > worst.Evidence.Fail {
			worst = f
		}
	}
	if len(culprits) == 0 {
		culprits = []string{worst.String()}
	}
	return fmt.Sprintf("%s: worse than %s beyond chance (evidence %.0f, %.0f needed)",
		strings.Join(culprits, "; "), s.baseline(), math.Exp(min(worst.Evidence.Fail, 50)), 1/s.alpha())
}

// least is the finding that is furthest from a pass.
func (s Sequential) least(all []Finding) Finding {
	return slices.MinFunc(all, func(a, b Finding) int { return cmp.Compare(a.Evidence.Pass, b.Evidence.Pass) })
}

// missing says what a pass still needs.
func (s Sequential) missing(all []Finding) string {
	f := s.least(all)
	if f.Canary.Total == 0 {
		return "no requests to the canary yet"
	}
	if f.Baseline.Total == 0 {
		return fmt.Sprintf("no requests to %s to compare with: %v", s.baseline(), f)
	}
	text := fmt.Sprintf("%v: %v", f, f.Need)
	if f.After > 0 {
		text += fmt.Sprintf(", %v at the present traffic", f.After.Round(time.Second))
	}
	return text
}
