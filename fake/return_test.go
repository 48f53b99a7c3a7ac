package fake_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// comeback is a rollout whose stable was just promoted. It gets 10 % of the traffic for five
// minutes, 50 % for five minutes, and then everything.
type comeback struct {
	server *apiserver.Server
	mesh   *fake.Mesh
	load   *fake.Load // 100 requests a second
	router canary.Router
	ended  chan error
	watched
}

func inSteps(t *testing.T, story func(t *testing.T, c *comeback)) {
	synctest.Test(t, func(t *testing.T) {
		c := &comeback{server: bookinfo(t), ended: make(chan error, 1)}
		setWeights(t, c.server, 100, 0)
		setSpec(t, c.server, "reviews-v1", "replicas", 10)
		c.mesh = fake.NewMesh(c.server, fake.Config{Seed: 6, Delay: time.Second, Spread: 2 * time.Second})
		plan, err := stepByStep().ReturnInSteps(5*time.Minute, 10*canary.Percent, 50*canary.Percent).Build()
		require.NoError(t, err)
		runner := rolloutWith(t, c.server, whereItRuns(c.mesh), polled, func(config *canary.Config) {
			config.Plan, c.router, config.Observers = plan, config.Router, []canary.Observer{c.observe}
		})
		setSpec(t, c.server, "reviews-v2", "replicas", 10)
		c.load = c.mesh.Load(100, client)
		go func() {
			_, err := runner.Run(t.Context())
			c.ended <- err
		}()
		for c.now().Phase != phase.Returning {
			<-time.After(time.Second)
		}
		story(t, c)
	})
}

// shares are those of stable in the requests of each ten seconds, in percent, until the rollout
// is over.
func (c *comeback) shares() (all []int) {
	for len(c.ended) == 0 {
		before := c.load.Result()
		<-time.After(10 * time.Second)
		after := c.load.Result()
		all = append(all, int(100*(after.To("reviews-v1")-before.To("reviews-v1"))/(after.Sent()-before.Sent())))
	}
	return all
}

// spans counts how many of the shares lie near which part.
func spans(shares []int, parts ...int) (all []int) {
	all = make([]int, len(parts))
	for _, share := range shares {
		for i, part := range parts {
			if part-5 <= share && share <= part+5 {
				all[i]++
			}
		}
	}
	return all
}

// S21.
func TestAPromotedStableGetsItsTrafficInSteps(t *testing.T) {
	inSteps(t, func(t *testing.T, c *comeback) {
		shares := c.shares()
		require.NoError(t, <-c.ended)
		t.Log(shares)
		near := spans(shares, 10, 50, 100)
		require.InDelta(t, 30, near[0], 3, "five minutes")
		require.InDelta(t, 30, near[1], 3, "five minutes")
		sent := c.load.Stop()
		require.Zero(t, sent.Broken()+sent.Failed(), outcomes(sent))
		require.Equal(t, "reviews:2", imageOf(t, c.server, "reviews-v1"))
		require.EqualValues(t, 1000, c.mesh.Send(1000, client).To("reviews-v1"))
	})
}

// An autoscaler has left stable two pods of ten: it gets a fifth of the traffic and not a half,
// until it has five.
func TestAShareOfAReturnWaitsForPodsOfStable(t *testing.T) {
	inSteps(t, func(t *testing.T, c *comeback) {
		setSpec(t, c.server, "reviews-v1", "replicas", 2)
		for c.now().Traffic.Canary == 90*canary.Percent {
			<-time.After(time.Second)
		}
		<-time.After(10 * time.Second) // the push
		sent := c.mesh.Send(1000, client)
		require.InDelta(t, 200, sent.To("reviews-v1"), 60)
		setSpec(t, c.server, "reviews-v1", "replicas", 5)
		<-time.After(40 * time.Second)
		require.InDelta(t, 500, c.mesh.Send(1000, client).To("reviews-v1"), 60)
		setSpec(t, c.server, "reviews-v1", "replicas", 10)
		require.InDelta(t, 30, spans(c.shares(), 50)[0], 4)
		require.NoError(t, <-c.ended)
		require.Zero(t, c.load.Stop().Broken())
	})
}

// The promoted stable is not what users want: they get the old version back, and no request is lost.
func TestAnAbortInAReturnInStepsUndoesThePromotion(t *testing.T) {
	inSteps(t, func(t *testing.T, c *comeback) {
		<-time.After(2 * time.Minute)
		require.NoError(t, canary.Send(t.Context(), c.router, canary.Command{Order: order.Abort, By: "ann", Why: "orders are lost"}))
		require.ErrorIs(t, <-c.ended, canary.ErrRolledBack)
		sent := c.mesh.Send(1000, client)
		require.EqualValues(t, 1000, sent.Sum(func(o fake.Outcome) bool { return o.Image == "reviews:1" && o.Code == 200 }))
		sent = c.load.Stop()
		require.Zero(t, sent.Broken()+sent.Failed(), outcomes(sent))
	})
}
