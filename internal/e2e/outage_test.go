package e2e_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// anHour is how many looks an hour has by default. Here a look takes two scrapes.
const anHour = 240

// V1, V2, V4: after an hour without a fault an outage of the canary is found in three looks, beside
// stable and alone. Every count is exact.
func TestAnOutageAfterAnHourIsFoundInThreeLooks(t *testing.T) {
	for name, alone := range map[string]int{"beside stable": 0, "alone": anHour / 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJudged(t, (*bookinfo).compressed, func(*traffic.Server) {}, new(sync.RWMutex))
			j.endure(t, anHour-alone)
			if alone > 0 {
				j.leaveAlone(t)
				j.endure(t, alone)
			}
			j.v2.Fails.Store(100)
			failed := time.Now()

			last := j.until(t, func(r analysis.Result) bool { return r.Verdict == analysis.Fail })

			took := time.Since(failed)
			j.stop(t)
			found := last.Details.(*sequential.Report)
			n := len(found.Trace.LogE)
			first, counted := j.outage(t, n)
			t.Logf("found in %v, after %v, %d looks in all: %s", took.Round(time.Millisecond), counted, n, last.Reason)
			require.Equal(t, analysis.Fail, j.atEnd(t, min(n, first+3)).Verdict)
			require.GreaterOrEqual(t, n, anHour)
			for _, f := range found.Findings {
				j.requireCounted(t, f, n)
			}
			require.True(t, found.Findings[0].Culprit, found.Findings)
			j.requireSameAgain(t)
		})
	}
}

// compressed is the judge of a usual release, in short looks.
func (b *bookinfo) compressed(t *testing.T) sequential.Judge {
	return sequential.Judge{
		Provider: b.counts(t), Canary: b.arm("reviews-v2"), Baseline: b.arm("reviews-v1"),
		Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}},
		Tuning:  sequential.Tuning{Look: 2 * plane.Scrape, Lag: 2 * plane.Scrape, Reporter: metrics.Destination},
	}
}

// endure waits for so many looks, none of which fails the canary.
func (j *judged) endure(t *testing.T, looks int) {
	const atOnce = anHour / 4
	for ; looks > 0; looks -= atOnce {
		last := j.looks(t, min(looks, atOnce))
		require.NotEqual(t, analysis.Fail, last.Verdict, last.Reason)
	}
}

// outage returns before which of the looks no request to the canary has been answered well since, as
// Prometheus has read it, and what was counted from there on.
func (j *judged) outage(t *testing.T, looks int) (first int, counted []metrics.Counts) {
	windows := j.windows(looks)
	last := windows[len(windows)-1]
	for first = looks; last.To.After(last.From); first-- {
		look := metrics.Window{From: last.To.Add(-j.judge.Look()), To: last.To}
		c, err := j.counts(t).Counts(t.Context(), metrics.Query{Arm: j.judge.Canary, Reporter: metrics.Destination}, look)
		require.NoError(t, err)
		counted = slices.Insert(counted, 0, c)
		if c.Bad < c.Total {
			break
		}
		last.To = look.From
	}
	return first, counted
}

// atEnd asks about the first looks only. A busy machine may have gone on for more of them before the
// judge was asked.
func (j *judged) atEnd(t *testing.T, looks int) analysis.Result {
	windows := j.windows(looks)
	request := analysis.Request{
		Window: metrics.Window{From: j.from, To: windows[len(windows)-1].To.Add(j.judge.Tuning.Lag)},
		Canary: j.share, Earlier: j.earlier,
	}
	result, err := j.judge.Analyze(t.Context(), request)
	require.NoError(t, err)
	return result
}

// leaveAlone gives the canary everything.
func (j *judged) leaveAlone(t *testing.T) {
	j.earlier = append(j.earlier, analysis.Block{Window: metrics.Window{From: j.from, To: time.Now()}, Canary: j.share})
	j.write(t, share(100))
	j.from = time.Now().Add(time.Second) // as with a Settle and a ScrapeLag
	j.share, j.answers = 1, map[int]answer{}
}
