package e2e_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// The judge judges requests to real servers by what Prometheus read of them, while
// processes begin anew and Prometheus is away for a while.
func TestTheJudgeJudgesWhatRealServersServed(t *testing.T) {
	const none = -1
	var beginning sync.RWMutex             // what a new pod serves before its first reading is not counted
	crash := sync.OnceValue(func() error { // for all, as they share one
		beginning.Lock()
		defer beginning.Unlock()
		return controlPlane(t).Crash(t.Context(), plane.Prometheus, time.Second)
	})
	for _, c := range []struct {
		name    string
		change  func(v2 *traffic.Server)
		verdict analysis.Verdict
		culprit int // which of the metrics
	}{
		{"a version like the old one", func(*traffic.Server) {}, analysis.Pass, none},
		{"five times the errors", func(v2 *traffic.Server) { v2.FailEvery /= 5 }, analysis.Fail, 0},
		{"half as slow again", func(v2 *traffic.Server) { v2.Takes = around(9 * time.Millisecond) }, analysis.Fail, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := newJudged(t, (*bookinfo).sequential, c.change, &beginning)
			require.NoError(t, crash())
			j.scraped(t)
			j.plane.RestartPods(j.namespace, "reviews-v1")
			j.plane.RestartPods(j.namespace, "reviews-v2")
			j.looks(t, 2)

			last := j.until(t, func(r analysis.Result) bool { return r.Verdict == c.verdict })

			j.stop(t)
			found := last.Details.(*sequential.Report)
			looks := len(found.Trace.LogE)
			t.Logf("%v after %d looks: %s %v", last.Verdict, looks, last.Reason, found.Trace)
			for i, f := range found.Findings {
				j.requireCounted(t, f, looks)
				require.False(t, f.Culprit && i != c.culprit, f)
			}
			if c.culprit != none { // the first look that fails may be too early to name a culprit beyond chance
				most := slices.MaxFunc(found.Findings, func(a, b sequential.Finding) int { return cmp.Compare(a.Fail, b.Fail) })
				require.Equal(t, found.Findings[c.culprit].Name, most.Name)
			}
			require.GreaterOrEqual(t, looks, 3)
			j.requireSameAgain(t)
		})
	}
}

// judged is a canary under load that is judged as time goes by.
type judged struct {
	*bookinfo
	began   time.Time
	loads   []*traffic.Load
	judges  func(*bookinfo, *testing.T) sequential.Judge
	judge   sequential.Judge
	earlier []analysis.Block
	from    time.Time
	share   float64        // of the canary
	answers map[int]answer // by the number of looks
}

type answer struct {
	request analysis.Request
	result  analysis.Result
}

// around is how long requests take: half of them longer than the median, one in
// a hundred more than six times as long.
func around(median time.Duration) func(n int64) time.Duration {
	return func(n int64) time.Duration {
		_, u := math.Modf(float64(n) * math.Phi) // evenly between 0 and 1
		return time.Duration(float64(median) * math.Pow(u/(1-u), 0.4))
	}
}

// newJudged sends all requests to v1 for a while, and then half of them to v2. It
// returns after the first looks; until then nobody else may disturb them.
func newJudged(t *testing.T, judges func(*bookinfo, *testing.T) sequential.Judge, change func(v2 *traffic.Server), undisturbed *sync.RWMutex) *judged {
	undisturbed.RLock()
	defer undisturbed.RUnlock()
	j := &judged{began: time.Now(), bookinfo: newBookinfo(t), judges: judges, share: 0.5, answers: map[int]answer{}}
	for _, s := range []*traffic.Server{j.v1, j.v2} {
		s.FailEvery, s.Takes = 25, around(6*time.Millisecond)
	}
	change(j.v2)
	j.loads = []*traffic.Load{traffic.Start(j.gateway, 150), traffic.Start(j.client, 150)}
	before := metrics.Query{Arm: j.arm("reviews-v1"), Reporter: metrics.Destination}
	require.Eventually(t, func() bool {
		c, err := j.counts(t).Counts(t.Context(), before, metrics.Window{From: j.began, To: time.Now()})
		return err == nil && c.Total > 300
	}, time.Minute, 50*time.Millisecond)
	j.judge = judges(j.bookinfo, t)
	j.write(t, share(50))
	j.from = time.Now()
	j.looks(t, 2)
	return j
}

// sequential judges what the pods count, in looks of a second.
func (b *bookinfo) sequential(t *testing.T) sequential.Judge {
	provider := b.counts(t)
	pass := sequential.Margin{Factor: 2, Extra: 0.01}
	memory := func(workload string) string {
		return fmt.Sprintf(`avg(%s{namespace=%q,pod=~"%s-.*"})`, memoryGauge, b.namespace, workload)
	}
	return sequential.Judge{
		Provider: provider, Canary: b.arm("reviews-v2"), Baseline: b.arm("reviews-v1"),
		Metrics: []sequential.Metric{
			sequential.Rate{Pass: pass},
			sequential.Latency{Pass: pass},
			sequential.Quantile{Quantile: 0.95, Target: 100 * time.Millisecond},
			sequential.Gauge{Provider: provider, Name: "memory per pod", Canary: memory("reviews-v2"), Baseline: memory("reviews-v1"), Batch: 1},
		},
		Tuning: sequential.Tuning{Look: time.Second, Lag: time.Second, Reporter: metrics.Destination},
	}
}

// briskly judges errors in short looks, with so much room that hundreds of requests
// suffice for a pass.
func (b *bookinfo) briskly(t *testing.T) analysis.Analyzer {
	s := b.sequential(t)
	s.Tuning.Look, s.Tuning.Lag = 2*plane.Scrape, 2*plane.Scrape
	s.Metrics = []sequential.Metric{sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: 0.02}}}
	return s
}

// looks waits until so many more looks are over, and returns what is said then.
func (j *judged) looks(t *testing.T, n int) analysis.Result {
	n += int(time.Since(j.from) / j.judge.Look())
	over := j.from.Add(time.Duration(n)*j.judge.Look() + j.judge.Tuning.Lag)
	return j.until(t, func(analysis.Result) bool { return time.Now().After(over) })
}

// until asks the judge again and again until it says what is wanted. Whenever
// there were as many looks, it says the same.
func (j *judged) until(t *testing.T, wanted func(analysis.Result) bool) (last analysis.Result) {
	require.Eventually(t, func() bool {
		request := analysis.Request{Window: metrics.Window{From: j.from, To: time.Now()}, Canary: j.share, Earlier: j.earlier}
		result, err := j.judge.Analyze(t.Context(), request)
		if errors.Is(err, metrics.ErrUnavailable) { // Prometheus is away
			return false
		}
		require.NoError(t, err)
		if found, ok := result.Details.(*sequential.Report); ok {
			n := len(found.Trace.LogE)
			if before, ok := j.answers[n]; ok {
				require.Equal(t, before.result, result)
			}
			j.answers[n] = answer{request, result}
		}
		last = result
		return wanted(result)
	}, time.Minute, 200*time.Millisecond)
	return last
}

// stop ends the load and waits until Prometheus has read all that was served.
func (j *judged) stop(t *testing.T) {
	for _, load := range j.loads {
		load.Stop()
	}
	for _, workload := range []string{"reviews-v1", "reviews-v2"} {
		all := requestsTo(workload)
		require.Eventually(t, func() bool {
			return j.reckon(t, all, all, j.began).Unread == 0
		}, time.Minute, 50*time.Millisecond)
	}
}

// requireSameAgain asks all that was asked once more, at once, and as somebody
// else.
func (j *judged) requireSameAgain(t *testing.T) {
	judge := j.judges(j.bookinfo, t)
	again, errs := map[int]analysis.Result{}, map[int]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n, a := range j.answers {
		all.Go(func() {
			result, err := judge.Analyze(t.Context(), a.request)
			mu.Lock()
			defer mu.Unlock()
			again[n], errs[n] = result, err
		})
	}
	all.Wait()
	for n, a := range j.answers {
		require.NoError(t, errs[n])
		require.Equal(t, a.result, again[n], "after %d looks", n)
	}
}

// requireCounted holds what a finding has counted against what the processes
// served.
func (j *judged) requireCounted(t *testing.T, f sequential.Finding, looks int) {
	if f.By == sequential.RatioOfValues {
		return
	}
	windows := j.windows(looks)
	for _, arm := range []struct {
		workload string
		server   *traffic.Server
		counts   metrics.Counts
	}{{"reviews-v1", j.v1, f.Baseline}, {"reviews-v2", j.v2, f.Canary}} {
		all, some := requestsTo(arm.workload), requestsTo(arm.workload)
		some["response_code"] = "500"
		le, slow := bound(f)
		if slow {
			all, some = within(arm.workload, "+Inf"), within(arm.workload, le)
		}
		total, bad := j.reckon(t, all, all, j.began, windows...), j.reckon(t, some, all, j.began, windows...)
		t.Logf("%s: %v: %+v, %+v", arm.workload, f.Name, total, bad)
		served, failed := arm.server.Served()
		require.EqualValues(t, served, total.sum())
		if slow { // those that are not were counted
			bad.Counted = total.Counted - bad.Counted
		} else {
			require.EqualValues(t, failed, bad.sum())
		}
		require.Equal(t, metrics.Counts{Total: total.Counted, Bad: bad.Counted}, arm.counts)
	}
}

// windows are the times of the first looks. The rest of a block that is over is a look as well.
func (j *judged) windows(looks int) (all []metrics.Window) {
	for _, b := range j.earlier {
		all = append(all, b.Window)
		looks -= int((b.Window.Length() + j.judge.Look() - 1) / j.judge.Look())
	}
	return append(all, metrics.Window{From: j.from, To: j.from.Add(time.Duration(looks) * j.judge.Look())})
}

// bound is that of the histogram that a finding is about, as Prometheus writes it.
func bound(f sequential.Finding) (le string, ok bool) {
	for _, b := range metrics.Bounds() {
		if metrics.SlowerThan(b).String() == f.Name {
			return strconv.FormatFloat(float64(b)/float64(time.Millisecond), 'f', 1, 64), true
		}
	}
	return "", false
}

func requestsTo(workload string) model.LabelSet {
	return model.LabelSet{model.MetricNameLabel: "istio_requests_total", "reporter": "destination", "destination_workload": model.LabelValue(workload)}
}

// within are the buckets of those that took at most so many milliseconds.
func within(workload, le string) model.LabelSet {
	return requestsTo(workload).Merge(model.LabelSet{
		model.MetricNameLabel: "istio_request_duration_milliseconds_bucket", model.BucketLabel: model.LabelValue(le),
	})
}
