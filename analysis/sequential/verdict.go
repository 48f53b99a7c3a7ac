package sequential

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
)

// judge walks through all looks.
func (j Judge) judge(all []look, tests []process, neighbours []past) (analysis.Result, error) {
	judge, err := evidence.NewJudge(j.Tuning.levels())
	if err != nil {
		return analysis.Result{}, err
	}
	split, err := evidence.NewTrafficTest(evidence.Settings{})
	if err != nil {
		return analysis.Result{}, err
	}
	split.Resume(all[0].lost)
	divided := closed(counted(tests), all)
	metrics := make([]evidence.Metric, len(tests))
	report := Report{Trace: Trace{FailAt: j.Tuning.failAt()}}
	var verdict evidence.Verdict
	for k := range all {
		if k > 0 && all[k].block.Mirrored != all[k-1].block.Mirrored {
			judge.Forget() // what copies passed, live requests have not
		}
		for i, t := range tests {
			t.update(k)
			metrics[i] = evidence.Metric{Evidence: t.evidence(), Weight: j.metrics()[i].weight(), FailOnly: failOnly(j.metrics()[i])}
		}
		if divided != nil && !j.Tuning.IgnoreSplit {
			split.Update(share(&all[k], divided[k]))
		}
		report.Trace.LogE = append(report.Trace.LogE, evidence.LogFail(metrics))
		if verdict = judge.Update(metrics, split.LogE(), true); verdict == evidence.Fail {
			all = all[:k+1] // what came after that does not matter any more
			break
		}
	}
	r := analysis.Result{Details: &report, Doubt: evidence.Doubtful(report.Trace.LogE[len(report.Trace.LogE)-1])}
	if r.Sight, r.Needed = j.sighted(all, tests); !all[len(all)-1].now {
		r.Sight = 0 // that was before this step
	}
	for i, standing := range evidence.Standings(metrics, j.Tuning.levels().Alpha) {
		f := j.finding(tests[i], metrics[i], all)
		f.Suspect, f.Culprit = standing >= evidence.Suspect, standing == evidence.Culprit
		report.Findings = append(report.Findings, f)
		r.After = max(r.After, f.After)
		r.Values = append(r.Values, f.values()...)
	}
	j.say(&r, &report, verdict, all, tests)
	r.Reason += uncounted(tests)
	compare(&r, append(j.ofStable(all, tests), neighbours...))
	return r, nil
}

// counted are the requests of the first metric that counts them all.
func counted(tests []process) []evidence.Look {
	for _, t := range tests {
		if r := t.requests(); r != nil {
			return r
		}
	}
	return nil
}

// share is how the requests of a look divided, and were to divide. Nothing can be said while the
// canary is mirrored to, beside a baseline of its own, or when both workloads count together.
func share(at *look, l evidence.Look) evidence.TrafficLook {
	split := evidence.TrafficLook{Canary: l.Canary.Total, Others: l.Baseline.Total, Step: l.Step}
	if b := at.block; !b.Mirrored && b.Baseline == 0 && !at.merged {
		split.Share = b.Canary
	}
	return split
}

func (j Judge) finding(t process, m evidence.Metric, all []look) Finding {
	f := t.finding(j, len(all)-1)
	f.baseline = j.Tuning.baseline()
	f.Fail, f.Pass, f.FailAt, f.PassAt = m.Evidence.Fail, m.Evidence.Pass, j.Tuning.failAt(), j.Tuning.passAt()
	return f
}

// values are the numbers behind a finding.
func (f Finding) values() []analysis.Value {
	c, b := analysis.Value{Name: f.Name, Arm: "canary", Counts: f.Canary}, analysis.Value{Name: f.Name, Arm: f.baseline, Counts: f.Baseline}
	switch f.By {
	case RatioOfValues:
		c.Number, b.Number = f.CanaryValue, f.BaselineValue
	case ShareOfService:
		return []analysis.Value{{Name: f.Name, Counts: f.Service}}
	}
	return []analysis.Value{c, b}
}

// say sets the verdict and says it in words.
func (j Judge) say(r *analysis.Result, report *Report, verdict evidence.Verdict, all []look, tests []process) {
	worst := report.worst(j.metrics())
	exposed := j.exposed(all, tests)
	looks, missing := stopped(all, counted(tests))
	requests, unreachable := lost(tests)
	switch {
	case exposed != "":
		r.Verdict, r.Reason = analysis.Fail, exposed
	case verdict == evidence.Fail:
		r.Verdict, r.Reason = analysis.Fail, report.blame()
	case unreachable:
		r.Blindness = analysis.StableFails
		r.Reason = fmt.Sprintf("%s has no requests, and %v reach no pod: users cannot reach it, so nothing can be learnt; %s", j.Tuning.baseline(), requests, worst)
	case looks > 0 && !j.Tuning.IgnoreSplit:
		arm, other := "the canary", j.Tuning.baseline()
		if missing == analysis.NoReadings {
			arm, other = other, arm
		}
		r.Blindness = missing
		r.Reason = fmt.Sprintf("no requests to %s in the last %v, and %s has its own: %[1]s hangs, or its readings are missing; %[4]s", arm, time.Duration(looks)*j.Look(), other, worst)
	case silent(all, counted(tests)):
		r.Blindness = analysis.NoReadings
		r.Reason = fmt.Sprintf("no requests at all in the last %v, and there were before: the new version hangs, its readings are missing, or nobody calls; %s", mostOpen*j.Look(), worst)
	case verdict == evidence.Invalid:
		if r.Blindness = analysis.NotAsPlanned; fewer(all, counted(tests)) {
			r.Blindness = analysis.FewerThanPlanned
		}
		r.Reason = divided(all, counted(tests)) + "so the arms cannot be compared: look for clients without a proxy, rules that lead past this one, pods that are not ready or were ejected, sessions that stick, and requests that choose their version by a header; " + worst.String()
	case len(all) > 0 && stableFails(tests, len(all)-1):
		r.Blindness = analysis.StableFails
		r.Reason = fmt.Sprintf("%s; in the last look %s failed as well, so nothing can be learnt", worst, j.Tuning.baseline())
	default:
		silence := tests[slices.Index(report.Findings, worst)].silence()
		r.Verdict, r.Blindness = j.sight(all, tests, silence)
		seen := all[len(all)-1].now && r.Verdict == analysis.Blind && r.Blindness == analysis.FewRequests && silence == nil
		before := !all[len(all)-1].now && worst.Canary.Total > 0 || verdict == evidence.Pass && !seen
		switch {
		case r.Verdict == analysis.Blind && before:
			r.Reason = worst.String() + ": that was before this step, which has shown nothing" + words(silence)
		case verdict != evidence.Pass:
			r.Reason = worst.missing(silence)
		case r.Verdict == analysis.Blind:
			r.Reason = worst.String()
		default:
			r.Verdict, r.Reason = analysis.Pass, worst.String()
		}
		if seen && worst.Canary.Total > 0 {
			r.Reason += "; an outage could not have been found yet in this step"
		}
	}
}

// sight tells whether a canary that had failed wholly in the step under way would have failed, and
// if not, why. Where everything goes to the canary, what was learnt of the baseline before has to do.
func (j Judge) sight(all []look, tests []process, silence error) (analysis.Verdict, analysis.Blindness) {
	requests := counted(tests)
	if requests == nil && silence == nil {
		return analysis.Inconclusive, analysis.Unspecified
	}
	last := &all[len(all)-1]
	var canary, baseline float64
	for k := range min(len(all), len(requests)) {
		if all[k].now {
			canary += requests[k].Canary.Total
		}
		if all[k].now || last.alone {
			baseline += requests[k].Baseline.Total
		}
	}
	if nats, needed := j.sighted(all, tests); last.now && needed > 0 && nats >= needed {
		return analysis.Inconclusive, analysis.Unspecified
	}
	if last.alone && canary > 0 && baseline > 0 {
		return analysis.Blind, analysis.FewRequests
	}
	if errors.As(silence, new(unknown)) && !anything(requests) { // a service without requests has series too
		return analysis.Blind, analysis.NoReadings
	}
	return analysis.Blind, last.block.Blindness(canary, baseline)
}

// anything reports whether an arm had a request in any look.
func anything(requests []evidence.Look) bool {
	return slices.ContainsFunc(requests, func(l evidence.Look) bool { return l.Canary.Total+l.Baseline.Total > 0 })
}

// sighted returns how well the step under way was looked at, and what suffices, in the metric that
// saw the most; or if that suffices, in the Rate that saw the least, as long as it may still see more.
// Both are zero if no metric knows. A metric that fails no canary sees nothing beside one that does.
func (j Judge) sighted(all []look, tests []process) (nats, needed float64) {
	whole := 0.0
	weight := func(i int) float64 { return max(0, cmp.Or(j.metrics()[i].weight(), 1)) }
	for i := range tests {
		whole += weight(i)
	}
	var least, most [2]float64
	for i, t := range tests {
		others := whole / weight(i)
		if whole == 0 {
			others = float64(len(tests))
		}
		sight, known := t.sight()
		if !known || math.IsInf(others, 1) {
			continue
		}
		one := [2]float64{sight, j.sightNeeded(others)}
		if over := one[0] - one[1]; most[1] == 0 || over > most[0]-most[1] {
			most = one
		}
		if p, ok := t.(*rate); ok && p.seesMore(all, 2*j.Tuning.looksToFail()) && (least[1] == 0 || one[0]-one[1] < least[0]-least[1]) {
			least = one
		}
	}
	if most[0] >= most[1] && least[1] > 0 {
		return least[0], least[1]
	}
	return most[0], most[1]
}

// stableFails reports whether more than half of the baseline's requests in a look were bad.
func stableFails(tests []process, k int) bool {
	for _, t := range tests {
		if p, ok := t.(*rate); ok && !p.FailOnly {
			if b := p.table[k].Baseline; b.Total >= 10 && b.Bad > b.Total/2 {
				return true
			}
		}
	}
	return false
}

// exposed says that the users have seen too many bad answers, if they have.
func (j Judge) exposed(all []look, tests []process) string {
	if j.Tuning.MaxBad == 0 {
		return ""
	}
	for _, t := range tests {
		p, ok := t.(*rate)
		if !ok || p.FailOnly {
			continue
		}
		if bad := p.exposed(all); bad > j.Tuning.MaxBad {
			return fmt.Sprintf("canary has answered %.0f live requests with %v, more than the %.0f accepted in a whole rollout", bad, p.Signal, j.Tuning.MaxBad)
		}
	}
	return ""
}

// worst is what lacks the most for a pass.
func (r *Report) worst(metrics []Metric) (worst Finding) {
	worst.Pass = math.Inf(1)
	for i, f := range r.Findings {
		if f.Pass < worst.Pass && !failOnly(metrics[i]) {
			worst = f
		}
	}
	return worst
}

// blame names the metrics that failed the canary.
func (r *Report) blame() string {
	worst := slices.MaxFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Fail, b.Fail) })
	var culprits []string
	for _, f := range r.Findings {
		if f.Culprit {
			culprits = append(culprits, f.String())
		}
	}
	if len(culprits) == 0 {
		culprits = []string{worst.String()}
	}
	return fmt.Sprintf("%s; not by chance (evidence %.0f, %.0f needed)",
		strings.Join(culprits, "; "), math.Exp(r.Trace.LogE[len(r.Trace.LogE)-1]), math.Exp(r.Trace.FailAt))
}
