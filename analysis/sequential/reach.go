package sequential

import (
	"context"
	"errors"
	"time"

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
// nothing, as with a waypoint, it learns nothing.
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
	past := metrics.Window{To: before(all).To}
	past.From = past.To.Add(-pastOfReach)
	windows, places := []metrics.Window{past}, []int(nil)
	for k := range all {
		if split := share(&all[k], evidence.Look{}); split.Share > 0 && split.Share < 1 && !judge.Tuning.IgnoreSplit {
			windows, places = append(windows, all[k].window), append(places, k)
		}
	}
	var before metrics.Counts
	switch {
	case len(places) == 0 || len(judge.hosts) == 0:
	default:
		counts, err := judge.Provider.(metrics.ReachReader).Reach(ctx, judge.hosts, windows)
		if metrics.NoData(err) {
			p.quiet = err
			break
		}
		if err == nil {
			err = checkCounts([][]metrics.Counts{counts}, 1, len(windows))
		}
		if err != nil {
			return nil, err
		}
		before = counts[0]
		for i, k := range places {
			p.unreached[k] = counts[1+i]
		}
	}
	if before.Total == 0 {
		before.Total = requestsUnread
	}
	test, err := evidence.NewReachTest(count(before), judge.Tuning.settings(Margin{}, Margin{}))
	test.Resume(all[0].lost)
	p.test = test
	return p, err
}

// reach is the process of a Reach.
type reach struct {
	Reach
	test      evidence.ReachTest
	all       []look
	unreached []metrics.Counts
	answered  []evidence.Look // what both arms answered, as another metric counts it
	quiet     error
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
	if p.quiet != nil {
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

// asked gives a Reach the requests that both arms answered.
func asked(tests []process) {
	for _, t := range tests {
		if p, ok := t.(*reach); ok {
			p.answered = counted(tests)
		}
	}
}

// lost returns the requests to the service in the present step since stable has had its last one, if at
// least half of what it would have had reach no pod: then stable is what users cannot reach.
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
		return requests, requests.Bad > 0 && requests.Bad >= canary*(1-block.Canary)/block.Canary/2
	}
	return requests, false
}
