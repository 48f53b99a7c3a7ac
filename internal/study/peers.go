package main

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

var (
	canary   = metrics.Arm{Service: "canary"}
	baseline = metrics.Arm{Service: "baseline"}
	start    = time.Unix(0, 0)
)

// memory is a metrics.Provider of what was counted in each minute.
type memory map[metrics.Arm][]metrics.Counts

// Counts implements metrics.Provider.
func (m memory) Counts(_ context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	return m[q.Arm][int(w.From.Sub(start)/time.Minute)], nil
}

// Sequence implements metrics.Sequencer.
func (m memory) Sequence(_ context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	return m[q.Arm][:len(windows)], nil
}

// fails reports what an analyzer says after so many minutes.
func fails(a analysis.Analyzer, minutes int) (bool, error) {
	w := metrics.Window{From: start, To: start.Add(time.Duration(minutes) * time.Minute)}
	r, err := a.Analyze(context.Background(), analysis.Request{Window: w})
	return r.Verdict == analysis.Fail, err
}

// firstMinute is when an analyzer whose Fail stays fails, as a look; 0 is never.
func firstMinute(a analysis.Analyzer, minutes int) (int, error) {
	if failed, err := fails(a, minutes); !failed || err != nil {
		return 0, err
	}
	var wrong error
	first := 1 + sort.Search(minutes-1, func(i int) bool {
		failed, err := fails(a, i+1)
		wrong = errors.Join(wrong, err)
		return failed
	})
	return perMinute * first, wrong
}

// objective are the canary's requests that miss the objectives of Flagger and
// Argo: errors, or slower than 500 ms.
func (ro *rollout) objective() memory {
	counts := make([]metrics.Counts, len(ro.minutes))
	for i, l := range ro.minutes {
		c := l.Canary
		if ro.latency {
			c = ro.tooSlow[i]
		}
		counts[i] = counted(c)
	}
	return memory{canary: counts}
}

func counted(c evidence.Count) metrics.Counts {
	return metrics.Counts{Total: c.Total, Bad: c.Bad}
}

// flagger asks for 99 % of success, or a 99th percentile of at most 500 ms, and
// rolls back at the fifth failed check.
func flagger(ro *rollout) (int, error) {
	return firstMinute(peers.Flagger{
		Provider: ro.objective(), Canary: canary, Every: time.Minute, Threshold: 5,
		Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0.01)}},
	}, len(ro.minutes))
}

// argo asks for 95 % of success, or a 99th percentile of at most 500 ms, and rolls
// back at the fourth failed check.
func argo(ro *rollout) (int, error) {
	want := peers.BadAtMost(0.05)
	if ro.latency {
		want = peers.BadAtMost(0.01)
	}
	return firstMinute(peers.Argo{
		Provider: ro.objective(), Canary: canary, Every: time.Minute, Success: want, FailureLimit: 3,
	}, len(ro.minutes))
}

// kayenta compares the arms by one value of each minute: the share of errors, or
// the 99th percentile in units of ten seconds, as this analyzer takes shares.
func (ro *rollout) kayenta() (k peers.Kayenta, x, y []float64) {
	values := memory{}
	for i, l := range ro.minutes {
		c, b := counted(l.Canary), counted(l.Baseline)
		if ro.latency {
			c = metrics.Counts{Total: 1e4, Bad: ro.percentiles[i].canary}
			b = metrics.Counts{Total: 1e4, Bad: ro.percentiles[i].baseline}
		}
		values[canary] = append(values[canary], c)
		values[baseline] = append(values[baseline], b)
		x, y = append(x, c.Ratio()), append(y, b.Ratio())
	}
	return peers.Kayenta{
		Provider: values, Canary: canary, Baseline: baseline, Every: time.Minute,
		Groups: []peers.KayentaGroup{{Metrics: []peers.KayentaMetric{{Direction: peers.Increase}}}},
	}, x, y
}

// mannWhitneyEach applies Kayenta's rule after every minute.
func mannWhitneyEach(ro *rollout) (int, error) {
	k, x, y := ro.kayenta()
	for n := 5; n <= len(ro.minutes); n++ {
		if high, err := high(k, x[:n], y[:n]); high || err != nil {
			return n * perMinute, err
		}
	}
	return 0, nil
}

// mannWhitneyEnd applies Kayenta's rule once.
func mannWhitneyEnd(ro *rollout) (int, error) {
	k, x, y := ro.kayenta()
	if high, err := high(k, x, y); !high || err != nil {
		return 0, err
	}
	return len(x) * perMinute, nil
}

// high reports whether Kayenta fails the values of so many minutes. It saves the
// interval where that cannot be above zero: the normal test does not tell the arms
// apart then. 2.32 is a little below its quantile of 98 %.
func high(k peers.Kayenta, x, y []float64) (bool, error) {
	normal, err := peers.Normal(x, y)
	if err != nil || normal.Z <= 2.32 {
		return false, err
	}
	k.Lifetime = time.Duration(len(x)) * time.Minute
	return fails(k, len(x))
}
