package sequential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Reach finds a canary that users cannot reach: there is no such subset, no cluster, or no healthy
// endpoint behind it. Such requests belong to no version, so the canary is failed if requests are
// missing from its planned share, and about as many fail before a pod is chosen. Neither alone is its
// fault, nor is what no version gets. It has no side that a canary has to pass.
//
// The Provider has to be a [metrics.ReachReader], and the hosts of the service to be known
// (analysis.Request.Hosts). A Judge without Metrics has a Reach then. Where clients' proxies report
// nothing, as with a waypoint, it learns nothing. If the store can answer for the other metrics only,
// the reason says so.
//
// There is one way to be blamed wrongly: the proxies route far less to the canary than is written,
// and at the same time a tenth of its share or more is unreached for another reason. What is usual is
// counted in the ten minutes before the rollout.
type Reach struct {
	// Weight is as in [Rate].
	Weight float64
}

// String returns "requests that reach no pod".
func (r Reach) String() string { return "requests that reach no pod" }

func (r Reach) weight() float64 { return r.Weight }

func (r Reach) validate(judge Judge) error {
	if _, ok := judge.Provider.(metrics.ReachReader); !ok && judge.Provider != nil {
		return errors.New("the Provider does not count them: it is no metrics.ReachReader")
	}
	return nil
}

// pastOfReach is how long before the rollout requests that reach no pod are counted. A store without
// that past stands for this many requests, all of which reached a pod.
const (
	pastOfReach    = 10 * time.Minute
	requestsUnread = 1000
)

func (r Reach) read(ctx context.Context, judge Judge, all []look) (process, error) {
	p := &reach{Reach: r, all: all, unreached: make([]metrics.Counts, len(all))}
	var windows []metrics.Window
	var places []int
	for k := range all {
		if split := share(&all[k], evidence.Look{}); split.Share > 0 && split.Share < 1 && !judge.Tuning.IgnoreSplit {
			windows, places = append(windows, all[k].window), append(places, k)
		}
	}
	usual := metrics.Counts{Total: requestsUnread}
	if len(places) > 0 && len(judge.hosts) > 0 {
		to := before(all).To
		past, counts, err := judge.reach(ctx, metrics.Window{From: to.Add(-pastOfReach), To: to}, windows)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p.quiet = err; past.Total > 0 {
			usual = past
		}
		for i, c := range counts {
			p.unreached[places[i]] = c
		}
	}
	test, err := evidence.NewReachTest(count(usual), judge.Tuning.settings(Margin{}, Margin{}))
	if err != nil {
		return nil, err
	}
	test.Resume(all[0].lost)
	p.test = test
	return p, nil
}

// reach counts the requests that reach no pod, in the windows and before the rollout.
func (j Judge) reach(ctx context.Context, past metrics.Window, windows []metrics.Window) (before metrics.Counts, counts []metrics.Counts, err error) {
	if end, ok := ctx.Deadline(); ok { // what the other metrics show must not be lost by a query that is slow
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	ask := func(windows []metrics.Window) ([]metrics.Counts, error) {
		counts, err := j.Provider.(metrics.ReachReader).Reach(ctx, j.hosts, windows)
		if err != nil {
			return nil, err
		}
		return counts, checkCounts([][]metrics.Counts{counts}, 1, len(windows))
	}
	if windows[0].From.Sub(past.To) <= pastOfStable {
		if counts, err = ask(slices.Insert(windows, 0, past)); err != nil {
			return before, nil, err
		}
		return counts[0], counts[1:], nil
	}
	// One query for both would read all that is between them.
	all, err := ask([]metrics.Window{past})
	if err == nil {
		before = all[0]
	} else if !metrics.NoData(err) {
		return before, nil, err
	}
	if counts, err = ask(windows); err != nil {
		return before, nil, err
	}
	return before, counts, nil
}

// reach is the process of a Reach.
type reach struct {
	Reach
	test      evidence.ReachTest
	all       []look
	unreached []metrics.Counts
	answered  []evidence.Look // what both arms answered, as another metric counts it
	quiet     error           // why nothing was counted
}

func (p *reach) update(k int) {
	l := evidence.ReachLook{Step: p.all[k].first, Unreached: p.unreached[k].Bad}
	if p.answered != nil && p.unreached[k].Total > 0 {
		split := share(&p.all[k], p.answered[k])
		l.Share, l.Canary, l.Baseline = split.Share, split.Canary, split.Others
	}
	p.test.Update(l)
}

func (p *reach) evidence() evidence.Evidence { return evidence.Evidence{Fail: p.test.LogE()} }
func (p *reach) requests() []evidence.Look   { return nil }
func (p *reach) silence() error              { return p.quiet }
func (p *reach) sight() (float64, bool)      { return 0, false }

// finding sums up the looks of the block of look k.
func (p *reach) finding(_ Judge, k int) Finding {
	block := p.all[k].block
	f := Finding{Name: p.String(), By: ShareOfService, Planned: block.Canary}
	if metrics.NoData(p.quiet) {
		f.Note = "no client's proxy reports them"
	}
	for i := range k + 1 {
		if p.all[i].block == block && p.answered != nil {
			f.Service = f.Service.Add(p.unreached[i])
			f.Canary.Total += p.answered[i].Canary.Total
			f.Baseline.Total += p.answered[i].Baseline.Total
		}
	}
	return f
}

// uncounted says why the requests that reach no pod are not judged, if the store cannot tell.
func uncounted(tests []process) string {
	for _, t := range tests {
		if p, ok := t.(*reach); ok && p.quiet != nil && !metrics.NoData(p.quiet) {
			return fmt.Sprintf("; %v are not judged: %v", p, p.quiet)
		}
	}
	return ""
}

// asked gives a Reach the requests that both arms answered.
func asked(tests []process) {
	for _, t := range tests {
		if p, ok := t.(*reach); ok {
			p.answered = counted(tests)
		}
	}
}

// lost returns the requests to the service in the present step since stable has had its last one, if it
// must have been sent some, and at least half of them reach no pod: then stable is what users cannot
// reach.
func lost(tests []process) (requests metrics.Counts, is bool) {
	for _, t := range tests {
		p, ok := t.(*reach)
		if !ok || p.answered == nil {
			continue
		}
		canary, block := 0.0, p.all[len(p.all)-1].block
		for k := len(p.all) - 1; k >= 0 && p.all[k].now && p.answered[k].Baseline.Total == 0; k-- {
			canary, requests = canary+p.answered[k].Canary.Total, requests.Add(p.unreached[k])
		}
		due := canary * (1 - block.Canary) / block.Canary
		return requests, block.Blindness(canary, 0) == analysis.NoReadings && requests.Bad >= due/2
	}
	return requests, false
}
