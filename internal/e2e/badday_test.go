package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// TestBadDayOnTheRealStack has something else fail at 40 %, and then the canary. It counts
// the requests that users lose, and how long after that they get answers of the canary.
func TestBadDayOnTheRealStack(t *testing.T) {
	for _, c := range []struct {
		name  string
		alone bool // the control plane is not what it should be
		day   func(d *badDay, t *testing.T)
	}{
		{"istiod is away", true, (*badDay).loseIstiod},
		{"istiod is away, and its webhook", true, (*badDay).loseIstiodAndItsWebhook},
		{"a follower is deleted", false, (*badDay).deleteFollower},
		{"the API of a follower fails", false, (*badDay).failFollower},
		{"a webhook refuses writes", false, (*badDay).refuseWrites},
		{"403 on promotion", false, (*badDay).forbidPromotion},
		{"403 on promotion, then the canary fails", false, (*badDay).forbidPromotionAndFail},
		{"the canary loses its pods in the promotion", false, (*badDay).losePodsInPromotion},
		{"Prometheus hangs", false, (*badDay).hangPrometheus},
		{"an older object is put back", false, (*badDay).putBack},
		{"the next release begins without the driver of this one", false, (*badDay).beginNext},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.alone {
				t.Parallel()
			}
			spend(t, c.name, c.day)
		})
	}
}

// spend begins such a day, and says how it went.
func spend(t *testing.T, name string, day func(d *badDay, t *testing.T)) {
	d := &badDay{harmed: newHarmed(t), metrics: controlPlane(t).Prometheus()}
	d.users.HTTP = d.gateway
	d.load = traffic.Start(&d.users, 100)
	day(d, t)
	tally := d.load.Stop()
	fmt.Printf("real: %s, %d failed, %.1f s to stable only\n", name, int64(tally.Lost)+d.gateway.Failed(), d.took.Seconds())
	t.Logf("%v\n%v", tally, &d.said)
}

// badDay is a rollout that stays at 40 % for a minute, judged by errors in looks of half a
// second.
type badDay struct {
	*harmed
	metrics   string // URL
	users     users
	said      said
	also      []sequential.Metric // what is judged beside errors
	failed    time.Time           // the canary
	took      time.Duration       // until users had answers of stable only
	elsewhere string              // a namespace that users come from
}

// users note when something else than stable answered last, or nobody.
type users struct {
	*traffic.HTTP
	other atomic.Int64
}

// Call implements traffic.Caller.
func (u *users) Call(ctx context.Context) (string, error) {
	version, err := u.HTTP.Call(ctx)
	if version != "v1" {
		u.other.Store(time.Now().UnixNano())
	}
	return version, err
}

// said is what Observers were told, each once.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) observe(_ context.Context, e canary.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprint(e.After.Phase, ": ", e.Reason)
	if e.Err != nil {
		line = e.Err.Error()
	}
	if n := len(s.lines); n == 0 || !strings.HasSuffix(s.lines[n-1], line) {
		s.lines = append(s.lines, e.At.Format("05.000 ")+line)
	}
}

// String is one line for each.
func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// await waits until Observers were told of something.
func (s *said) await(t *testing.T, text string) {
	require.EventuallyWithT(t, func(t *assert.CollectT) { require.Contains(t, s.String(), text) }, 30*time.Second, 10*time.Millisecond)
}

// plan stays so long at 40 %.
func (d *badDay) plan(t *testing.T, hold time.Duration) canary.Plan {
	step := func(w canary.Weight, hold time.Duration) canary.Step {
		return canary.Step{Traffic: canary.Traffic{Canary: w}, Hold: hold, Deadline: 2 * time.Minute, Requires: canary.NoFailure}
	}
	return build(t, canary.NewPlan("reviews").
		Settle(500*time.Millisecond).ScrapeLag(2*plane.Scrape).Interval(500*time.Millisecond).
		BlindLimit(4*time.Second).ErrorLimit(4*time.Second).
		Step(step(20*canary.Percent, time.Second), step(40*canary.Percent, hold), step(canary.Full, time.Second)).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 4 * time.Second})).For("v2")
}

// ending is how a Run ended.
type ending struct {
	state canary.State
	err   error
}

// start runs a driver until the test ends or kill is called.
func (d *badDay) start(t *testing.T, plan canary.Plan) (ended <-chan ending, kill func()) {
	counts, err := newCounts(d.metrics)
	require.NoError(t, err)
	runner := d.driven(t, plan, watched, sequential.Judge{
		Provider: counts, Canary: d.arm("reviews-v2"), Baseline: d.arm("reviews-v1"),
		Metrics: append([]sequential.Metric{sequential.Rate{}}, d.also...),
		Tuning:  sequential.Tuning{Look: 500 * time.Millisecond, Lag: 2 * plane.Scrape, Reporter: metrics.Destination},
	}, d.said.observe)
	return runs(t, runner)
}

// runs lets a driver run until the test ends or kill is called.
func runs(t *testing.T, runner *canary.Runner) (ended <-chan ending, kill func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	end := make(chan ending, 1)
	go func() {
		state, err := runner.Run(ctx)
		end <- ending{state, err}
	}()
	return end, cancel
}

// reach40 starts a driver and waits until the canary has 40 %.
func (d *badDay) reach40(t *testing.T) (ended <-chan ending, kill func()) {
	ended, kill = d.start(t, d.plan(t, time.Minute))
	d.seen.wait(t, share(40))
	return ended, kill
}

// fail makes every request to the canary fail from now on.
func (d *badDay) fail() {
	d.failed = time.Now()
	d.v2.Fails.Store(100)
}

// back waits until users had answers of stable only for a second.
func (d *badDay) back(t *testing.T, within time.Duration) {
	other := func() time.Time { return time.Unix(0, d.users.other.Load()) }
	require.Eventually(t, func() bool { return time.Since(other()) > time.Second }, within+time.Second, 10*time.Millisecond, "%v", &d.said)
	d.took = other().Sub(d.failed)
	require.LessOrEqual(t, d.took, within, "%v", &d.said)
}
