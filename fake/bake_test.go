package fake_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// baking is a rollout of a healthy version whose bake time of ten minutes began two minutes
// ago, with 20 requests a second.
type baking struct {
	server *apiserver.Server
	mesh   *fake.Mesh
	load   *fake.Load
	router canary.Router
	began  time.Time // the bake time
	ended  chan error
	watched
}

// bake is a story in the bake time of a rollout with such an end. A driver runs all the time.
func bake(t *testing.T, end canary.EndKind, story func(t *testing.T, b *baking)) {
	bakeWith(t, end, whereItRuns, story)
}

// bakeWith is bake with a judge.
func bakeWith(t *testing.T, end canary.EndKind, judge func(*fake.Mesh) analysis.Analyzer, story func(t *testing.T, b *baking)) {
	synctest.Test(t, func(t *testing.T) {
		b := &baking{server: bookinfo(t), ended: make(chan error, 1)}
		setWeights(t, b.server, 100, 0)
		b.mesh = fake.NewMesh(b.server, fake.Config{Seed: 6, Delay: time.Second, Spread: 2 * time.Second})
		plan, err := stepByStep().End(canary.End{Kind: end}).Bake(10 * time.Minute).Build()
		require.NoError(t, err)
		runner := rolloutWith(t, b.server, judge(b.mesh), polled, func(c *canary.Config) {
			c.Plan, b.router, c.Observers = plan, c.Router, []canary.Observer{b.observe}
		})
		b.load = b.mesh.Load(20, client)
		go func() {
			_, err := runner.Run(t.Context())
			b.ended <- err
		}()
		for b.now().Phase != phase.Baking {
			<-time.After(time.Second)
		}
		b.began = time.Now()
		<-time.After(2 * time.Minute)
		require.Zero(t, b.load.Result().Failed(), "until now all is well")
		story(t, b)
	})
}

// whereItRuns judges the new version in the pods that it has: in those of stable when that is
// promoted.
func whereItRuns(mesh *fake.Mesh) analysis.Analyzer {
	return analysis.AnalyzerFunc(func(ctx context.Context, r analysis.Request) (analysis.Result, error) {
		judge := analysis.Threshold{Provider: mesh, Canary: reviewsV2, Max: 0.02}
		if r.Promoted {
			judge.Canary = reviewsV1
		}
		return judge.Analyze(ctx, r)
	})
}

// watched is what an Observer has seen of a rollout.
type watched struct {
	mu    sync.Mutex
	state canary.State // at the last turn
}

func (w *watched) observe(_ context.Context, e canary.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = e.After
}

func (w *watched) now() canary.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// serves is the image that answers all users, and the one that stable has.
func (b *baking) serves(t *testing.T, users, stable string) {
	t.Helper()
	sent := b.mesh.Send(1000, client)
	require.EqualValues(t, 1000, sent.Sum(func(o fake.Outcome) bool { return o.Image == users && o.Code == 200 }), outcomes(sent))
	require.Equal(t, stable, imageOf(t, b.server, "reviews-v1"))
}

// back waits until the rollout is rolled back: users get the old version, and stable has it. It
// returns the requests so far, and how long users still got the new version.
func (b *baking) back(t *testing.T) (sent fake.Result, took time.Duration) {
	t.Helper()
	began, had := time.Now(), uint64(0)
	for len(b.ended) == 0 {
		if has := b.load.Result().Sum(func(o fake.Outcome) bool { return o.Image == "reviews:2" }); has > had {
			had, took = has, time.Since(began)
		}
		<-time.After(time.Second)
	}
	require.ErrorIs(t, <-b.ended, canary.ErrRolledBack)
	b.serves(t, "reviews:1", "reviews:1")
	return b.load.Stop(), took
}

// undone are the ways in which a plan leaves the new version with the users, and how long an
// undo may take there: for an interval and the push, and until stable has its old pods again.
var undone = map[string]struct {
	end  canary.EndKind
	most time.Duration
}{
	"stable is promoted":           {canary.PromoteStable, 45 * time.Second},
	"the canary keeps the traffic": {canary.Stay, 15 * time.Second},
}

// learnt compares the new version with what was learnt of the old one.
func learnt(mesh *fake.Mesh) analysis.Analyzer {
	return sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1}
}

// S20, V4.
func TestAVersionThatFailsInTheBakeTimeIsUndone(t *testing.T) {
	judges := map[string]struct {
		judge func(*fake.Mesh) analysis.Analyzer
		says  string
		seen  time.Duration // by a scrape, or by three looks and what a look may be late
	}{
		"threshold": {whereItRuns, "server errors, more than 2%", 15 * time.Second},
		"learnt":    {learnt, "server errors", 75 * time.Second},
	}
	for name, c := range undone {
		for by, j := range judges {
			t.Run(name+", "+by, func(t *testing.T) {
				bakeWith(t, c.end, j.judge, func(t *testing.T, b *baking) {
					b.mesh.Behave("reviews:2", fake.Behaviour{ErrorRate: 0.5})
					sent, took := b.back(t)
					t.Logf("%v, %d failed", took, sent.Failed())
					require.Contains(t, b.now().Reason, j.says)
					require.LessOrEqual(t, took, j.seen+c.most)
					require.LessOrEqual(t, sent.Failed(), uint64(11*took.Seconds()), "half of 20 a second")
					require.Zero(t, sent.Broken())
				})
			})
		}
	}
}

func TestAnAbortInTheBakeTimeUndoesThePromotion(t *testing.T) {
	for name, c := range undone {
		t.Run(name, func(t *testing.T) {
			bake(t, c.end, func(t *testing.T, b *baking) {
				require.NoError(t, canary.Send(t.Context(), b.router, canary.Command{Order: order.Abort, By: "ann", Why: "orders are lost"}))
				sent, took := b.back(t)
				t.Logf("%v", took)
				require.Equal(t, "abort by ann: orders are lost", strings.Split(b.now().Reason, ";")[0])
				require.LessOrEqual(t, took, c.most)
				require.Zero(t, sent.Broken()+sent.Failed(), outcomes(sent))
			})
		})
	}
}

// As "kubectl rollout undo" and "kubectl set image" do.
func TestAStableThatSomebodyChangesInTheBakeTimeGetsItsOldVersionBack(t *testing.T) {
	for _, image := range []string{"reviews:1", "reviews:3"} {
		t.Run(image, func(t *testing.T) {
			bake(t, canary.PromoteStable, func(t *testing.T, b *baking) {
				setImage(t, b.server, "reviews-v1", image)
				sent, _ := b.back(t)
				require.Contains(t, b.now().Reason, "somebody has changed its pod template since it was promoted")
				require.Zero(t, sent.Broken()+sent.Failed(), outcomes(sent))
			})
		})
	}
}

// Until the bake time is over the pods that an undo needs are there. After it nothing is undone.
func TestAnAbortAfterTheBakeTimeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		end    canary.EndKind
		stable string // its image
	}{
		"stable is promoted":           {canary.PromoteStable, "reviews:2"},
		"the canary keeps the traffic": {canary.Stay, "reviews:1"},
	} {
		t.Run(name, func(t *testing.T) {
			bake(t, c.end, func(t *testing.T, b *baking) {
				for b.now().Phase == phase.Baking {
					require.Equal(t, 3, deploymentStatus(t, b.server, "reviews-v1").ReadyReplicas)
					require.Equal(t, 3, deploymentStatus(t, b.server, "reviews-v2").ReadyReplicas)
					b.serves(t, "reviews:2", c.stable)
					<-time.After(time.Second)
				}
				require.NoError(t, <-b.ended)
				require.InDelta(t, 10*60, time.Since(b.began).Seconds(), 15)

				err := canary.Send(t.Context(), b.router, canary.Command{Order: order.Abort})
				require.ErrorIs(t, err, canary.ErrNotNow)
				require.ErrorContains(t, err, "a rollout that is Promoted cannot abort; possible: none")
				<-time.After(time.Hour)
				b.serves(t, "reviews:2", c.stable)
				require.Zero(t, b.load.Stop().Failed())
			})
		})
	}
}
