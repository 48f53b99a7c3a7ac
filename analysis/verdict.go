package analysis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/serin-go/serin/analysis/sequential"
)

// judge walks through all looks.
func (s Sequential) judge(all []interval, tests []process) (Result, error) {
	judge, err := sequential.NewJudge(s.levels())
	if err != nil {
		return Result{}, err
	}
	split, err := sequential.NewTrafficTest(sequential.Settings{})
	if err != nil {
		return Result{}, err
	}
	requests := counted(tests)
	metrics := make([]sequential.Metric, len(tests))
	trace := Trace{FailAt: -math.Log(s.levels().Alpha)}
	var verdict sequential.Verdict
	for k := range all {
		for i, t := range tests {
			t.update(k)
			metrics[i] = sequential.Metric{Evidence: t.evidence(), Weight: s.metrics()[i].weight()}
		}
		if requests != nil && !s.AnySplit {
			split.Update(share(all[k].block, requests[k]))
		}
		trace.LogE = append(trace.LogE, sequential.LogFail(metrics))
		if verdict = judge.Update(metrics, split.LogE(), true); verdict == sequential.Fail {
			all = all[:k+1] // what came after that does not matter any more
			break
		}
	}
	r := Result{Trace: trace}
	for i, t := range tests {
		r.Findings = append(r.Findings, s.finding(t, metrics[i], all))
	}
	for i, standing := range sequential.Standings(metrics, s.levels().Alpha) {
		r.Findings[i].Standing = standing
		r.Values = append(r.Values, r.Findings[i].values()...)
	}
	s.say(&r, verdict, all, tests)
	return r, nil
}

// counted are the requests of the first metric that counts them all.
func counted(tests []process) []sequential.Look {
	for _, t := range tests {
		if r := t.requests(); r != nil {
			return r
		}
	}
	return nil
}

// share is how the requests of a look divided, and were to divide. Nothing can
// be said while the canary is mirrored to, or beside a baseline of its own.
func share(b *Block, l sequential.Look) sequential.TrafficLook {
	look := sequential.TrafficLook{Canary: l.Canary.Total, Others: l.Baseline.Total, Step: l.Step}
	if !b.Mirrored && b.Baseline == 0 {
		look.Share = b.Canary
	}
	return look
}

func (s Sequential) finding(t process, m sequential.Metric, all []interval) Finding {
	f := t.finding(s, len(all)-1)
	f.Evidence, f.baseline = m.Evidence, s.baseline()
	f.FailAt, f.PassAt = -math.Log(s.levels().Alpha), -math.Log(s.levels().Beta)
	return f
}

// values are the numbers behind a finding.
func (f Finding) values() []Value {
	c, b := Value{Name: f.Name, Arm: canary, Counts: f.Canary}, Value{Name: f.Name, Arm: f.baseline, Counts: f.Baseline}
	if f.By == RatioOfValues {
		c.Number, b.Number = f.CanaryValue, f.BaselineValue
	}
	return []Value{c, b}
}

// say sets the verdict and says it in words.
func (s Sequential) say(r *Result, verdict sequential.Verdict, all []interval, tests []process) {
	worst := slices.MinFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Evidence.Pass, b.Evidence.Pass) })
	exposed := s.exposed(all, tests)
	switch {
	case exposed != "":
		r.Verdict, r.Reason = Fail, exposed
	case verdict == sequential.Fail:
		r.Verdict, r.Reason = Fail, r.blame()
	case verdict == sequential.Invalid:
		r.Blindness = NotAsPlanned
		r.Reason = "the requests are not divided as planned, so the arms cannot be compared: look for pods that are not ready or were ejected, for sessions that stick, and for requests that choose their version by a header; " + worst.String()
	default:
		silence := tests[slices.Index(r.Findings, worst)].silence()
		r.Verdict, r.Blindness = sight(r.Findings, all, tests, silence)
		switch {
		case verdict != sequential.Pass:
			r.Reason = worst.missing(silence)
		case r.Verdict == Blind:
			r.Reason = worst.String() + ": that was before this step, which has shown nothing" + words(silence)
		default:
			r.Verdict, r.Reason = Pass, worst.String()
		}
	}
}

// sight tells whether the step under way has shown anything, and if not, why. Where
// everything goes to the canary, what was learnt of the baseline before has to do.
func sight(findings []Finding, all []interval, tests []process, silence error) (Verdict, Blindness) {
	requests := counted(tests)
	if requests == nil && silence == nil {
		return Inconclusive, NotSaid
	}
	alone := all[len(all)-1].block.Canary == 1
	var canary, baseline float64
	for k := range min(len(all), len(requests)) {
		if all[k].now {
			canary += requests[k].Canary.Total
		}
		if all[k].now || alone {
			baseline += requests[k].Baseline.Total
		}
	}
	compared := slices.ContainsFunc(findings, func(f Finding) bool { return f.By == RatioOfRates })
	if canary > 0 && (baseline > 0 || !compared) {
		return Inconclusive, NotSaid
	}
	return Blind, all[len(all)-1].block.blindness(canary, baseline)
}

// exposed says that the users have seen too many bad answers, if they have.
func (s Sequential) exposed(all []interval, tests []process) string {
	if s.MaxBad == 0 {
		return ""
	}
	for _, t := range tests {
		p, ok := t.(*rate)
		if !ok {
			continue
		}
		if bad := p.exposed(all); bad > s.MaxBad {
			return fmt.Sprintf("canary has answered %.0f live requests with %v, more than the %.0f accepted in a whole rollout", bad, p.Signal, s.MaxBad)
		}
	}
	return ""
}

// blame names the metrics that failed the canary.
func (r *Result) blame() string {
	worst := slices.MaxFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Evidence.Fail, b.Evidence.Fail) })
	var culprits []string
	for _, f := range r.Findings {
		if f.Standing == sequential.Culprit {
			culprits = append(culprits, f.String())
		}
	}
	if len(culprits) == 0 {
		culprits = []string{worst.String()}
	}
	return fmt.Sprintf("%s; not by chance (evidence %.0f, %.0f needed)",
		strings.Join(culprits, "; "), math.Exp(r.Trace.LogE[len(r.Trace.LogE)-1]), math.Exp(r.Trace.FailAt))
}
