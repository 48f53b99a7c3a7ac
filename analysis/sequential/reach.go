package sequential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/internal/judging"
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
	p := &reach{Reach: r, all: all, reached: make([]metrics.Reached, len(all))}
	var windows []metrics.Window
	var places []int
	for k := range all {
		if split := share(&all[k], evidence.Look{}); split.Share > 0 && split.Share < 1 && !judge.Tuning.IgnoreSplit {
			windows, places = append(windows, all[k].window), append(places, k)
		}
	}
	usual := metrics.Reached{Requests: requestsUnread}
	if len(places) > 0 && len(judge.hosts) > 0 {
		to := before(all).To
		past, counts, err := judge.reach(ctx, metrics.Window{From: to.Add(-pastOfReach), To: to}, windows)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p.quiet = err; past.Requests > 0 {
			usual = past
		}
		for i, c := range counts {
			p.reached[places[i]] = c
		}
	}
	test, err := evidence.NewReachTest(evidence.Count{Bad: usual.Unreached, Total: usual.Requests}, judge.Tuning.settings(Margin{}, Margin{}))
	if err != nil {
		return nil, err
	}
	test.Resume(all[0].lost)
	p.test = test
	return p, nil
}

// reach counts the requests that reach no pod, in the windows and before the rollout.
func (j Judge) reach(ctx context.Context, past metrics.Window, windows []metrics.Window) (before metrics.Reached, reached []metrics.Reached, err error) {
	if end, ok := ctx.Deadline(); ok { // what the other metrics show must not be lost by a query that is slow
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	ask := func(windows []metrics.Window) ([]metrics.Reached, error) {
		all, err := j.Provider.(metrics.ReachReader).Reach(ctx, j.hosts, []metrics.Arm{j.Canary, j.Baseline}, windows)
		if err != nil {
			return nil, err
		}
		return all, checkReached(all, len(windows))
	}
	if windows[0].From.Sub(past.To) <= pastOfStable {
		if reached, err = ask(slices.Insert(windows, 0, past)); err != nil {
			return before, nil, err
		}
		return reached[0], reached[1:], nil
	}
	// One query for both would read all that is between them.
	all, err := ask([]metrics.Window{past})
	if err == nil {
		before = all[0]
	} else if !metrics.NoData(err) {
		return before, nil, err
	}
	if reached, err = ask(windows); err != nil {
		return before, nil, err
	}
	return before, reached, nil
}

// checkReached reports an answer that a ReachReader may not give.
func checkReached(all []metrics.Reached, windows int) error {
	if len(all) != windows {
		return fmt.Errorf("%w: counts of %d windows instead of %d", metrics.ErrPartial, len(all), windows)
	}
	for _, r := range all {
		if len(r.Answered) != 2 {
			return fmt.Errorf("%w: counts of %d arms instead of 2", metrics.ErrPartial, len(r.Answered))
		}
		for _, part := range append([]float64{r.Unreached}, r.Answered...) {
			if !judging.Sound(metrics.Counts{Total: r.Requests, Bad: part}) {
				return fmt.Errorf("%w: %v of %v requests", metrics.ErrNotCounter, part, r.Requests)
			}
		}
	}
	return nil
}

// reach is the process of a Reach.
type reach struct {
	Reach
	test    evidence.ReachTest
	all     []look
	reached []metrics.Reached // in each look; no requests if they are not judged
	quiet   error             // why nothing was counted
}

// look returns what both arms answered in a look.
func (p *reach) look(k int) (l evidence.Look) {
	if r := p.reached[k]; r.Requests > 0 {
		l.Canary.Total, l.Baseline.Total = r.Answered[0], r.Answered[1]
	}
	return l
}

func (p *reach) update(k int) {
	l := evidence.ReachLook{Step: p.all[k].first, Unreached: p.reached[k].Unreached}
	if p.reached[k].Requests > 0 {
		split := share(&p.all[k], p.look(k))
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
		if p.all[i].block == block {
			l := p.look(i)
			f.Service = f.Service.Add(metrics.Counts{Total: p.reached[i].Requests, Bad: p.reached[i].Unreached})
			f.Canary.Total, f.Baseline.Total = f.Canary.Total+l.Canary.Total, f.Baseline.Total+l.Baseline.Total
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

// lost returns the requests to the service in the present step since stable has had its last one, if it
// must have been sent some, and at least half of them reach no pod: then stable is what users cannot
// reach.
func lost(tests []process) (requests metrics.Counts, is bool) {
	for _, t := range tests {
		p, ok := t.(*reach)
		if !ok {
			continue
		}
		canary, block := 0.0, p.all[len(p.all)-1].block
		for k := len(p.all) - 1; k >= 0 && p.all[k].now && p.look(k).Baseline.Total == 0; k-- {
			canary += p.look(k).Canary.Total
			requests = requests.Add(metrics.Counts{Total: p.reached[k].Requests, Bad: p.reached[k].Unreached})
		}
		due := canary * (1 - block.Canary) / block.Canary
		return requests, block.Blindness(canary, 0) == analysis.NoReadings && requests.Bad >= due/2
	}
	return requests, false
}
