package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/metrics"
)

var (
	stable = metrics.Arm{Workload: "shop-v1", Namespace: "shop"}
	second = metrics.Arm{Workload: "shop-v2", Namespace: "shop"}
	web    = metrics.Proxy{Workload: "web", Namespace: "shop", Instance: "10.0.0.1:15020"}
	mobile = metrics.Proxy{Workload: "mobile", Namespace: "edge", Instance: "10.0.0.2:15020"}
)

// store has counted the same in every window.
type store struct {
	stable, canary map[metrics.Proxy]metrics.Counts
	err            error // for both, and for what is nil
	asked          []metrics.Window
}

func (s *store) Proxies(_ context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	s.asked = append(s.asked, w)
	counts := s.stable
	if q.Arm == second {
		counts = s.canary
	}
	switch {
	case s.err != nil:
		return nil, s.err
	case counts == nil:
		return nil, metrics.ErrNoSeries
	}
	return counts, nil
}

func counted(by ...any) map[metrics.Proxy]metrics.Counts {
	all := map[metrics.Proxy]metrics.Counts{}
	for i := 0; i < len(by); i += 2 {
		all[by[i].(metrics.Proxy)] = metrics.Counts{Total: float64(by[i+1].(int))}
	}
	return all
}

func share(percent canary.Weight) canary.Traffic {
	return canary.Traffic{Canary: percent * canary.Percent}
}

func TestWhatTheProxiesSendIsComparedWithWhatWasWritten(t *testing.T) {
	nobody := counted()
	for name, c := range map[string]struct {
		traffic        canary.Traffic
		stable, canary map[metrics.Proxy]metrics.Counts
		want           string // the answer, or the error
	}{
		"quiet":                         {share(0), counted(web, 900, mobile, 20), nobody, "yes: 2 proxies route as written"},
		"never had any":                 {share(0), counted(web, 900), nil, "yes: 1 proxies route as written"},
		"one still sends":               {share(0), counted(web, 900, mobile, 20), counted(mobile, 3), "wait: not as written in the last 30s: mobile.edge at 10.0.0.2:15020 sent 3 of 23 requests to the canary"},
		"idle":                          {share(0), nobody, nobody, "verify: no proxy has sent a request in the last 30s"},
		"unknown":                       {share(0), nil, nil, "verify: no series\nno series"},
		"copies":                        {canary.Traffic{Mirror: canary.Full}, counted(web, 9), nobody, "yes: 1 proxies route as written"},
		"as written":                    {share(50), counted(web, 480, mobile, 3), counted(web, 520), "yes: 2 proxies route as written"},
		"one has the weights of before": {share(50), counted(web, 480, mobile, 90), counted(web, 520, mobile, 10), "wait: not as written in the last 30s: mobile.edge at 10.0.0.2:15020 sent 10 of 100 requests to the canary"},
		"nothing of one per cent":       {share(1), counted(web, 2000), nobody, "wait: not as written in the last 30s: web.shop at 10.0.0.1:15020 sent 0 of 2000 requests to the canary"},
		"too few to tell":               {share(1), counted(web, 1999), nobody, "yes: 1 proxies route as written"},
		"everything":                    {share(100), counted(web, 10), counted(web, 990), "yes: 1 proxies route as written"},
		"not everything":                {share(100), counted(web, 11), counted(web, 989), "wait: not as written in the last 30s: web.shop at 10.0.0.1:15020 sent 989 of 1000 requests to the canary"},
		"nobody there at a share":       {share(5), nobody, nobody, "yes: nobody has sent a request in the last 30s"},
		"with a baseline":               {canary.Traffic{Canary: 10 * canary.Percent, Baseline: 10 * canary.Percent}, counted(web, 800), counted(web, 100), "yes: 1 proxies route as written"},
		"header routes":                 {canary.Traffic{Canary: 10 * canary.Percent, HeaderRoutes: true}, counted(web, 100), counted(web, 100), "yes: 1 proxies route as written"},
		"header routes, no canary":      {canary.Traffic{Canary: 10 * canary.Percent, HeaderRoutes: true}, counted(web, 200), nobody, "wait: not as written in the last 30s: web.shop at 10.0.0.1:15020 sent 0 of 200 requests to the canary"},
		"header routes, no share":       {canary.Traffic{HeaderRoutes: true}, counted(web, 100), counted(web, 1), "yes: requests may choose the canary"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{stable: c.stable, canary: c.canary}
			a, err := verify.Metrics{Provider: s, Stable: stable, Canary: second}.Verify(t.Context(), c.traffic, time.Time{})
			got := fmt.Sprintf("%s: %s", map[canary.Reply]string{canary.Yes: "yes", canary.Wait: "wait"}[a.Reply], a.Reason)
			if err != nil {
				got = err.Error()
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestManyProxiesAreCounted(t *testing.T) {
	stray := map[metrics.Proxy]metrics.Counts{}
	for i := range 7 {
		stray[metrics.Proxy{Instance: fmt.Sprint(i)}] = metrics.Counts{Total: 1}
	}
	a, err := verify.Metrics{Provider: &store{stable: stray, canary: stray}, Stable: stable, Canary: second}.Verify(t.Context(), share(0), time.Time{})
	require.NoError(t, err)
	require.Equal(t, canary.Wait.Because("not as written in the last 30s: 0 sent 1 of 2 requests to the canary; 1 sent 1 of 2 requests to the canary; 2 sent 1 of 2 requests to the canary, and 4 more"), a)
}

// A reading may count requests from up to a scrape interval before: those from before the
// change are not held against it.
func TestOnlyRequestsAfterTheChangeCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{stable: counted(web, 9), canary: counted()}
		m := verify.Metrics{Provider: s, Stable: stable, Canary: second, Lag: 10 * time.Second}
		changed := time.Now()
		for range 4 {
			a, err := m.Verify(t.Context(), share(0), changed)
			require.NoError(t, err)
			require.Equal(t, canary.Wait.Because("the first readings after the change are due at 00:00:20"), a)
			require.Empty(t, s.asked)
			<-time.After(5 * time.Second)
		}
		a, err := m.Verify(t.Context(), share(0), changed)
		require.NoError(t, err)
		require.Equal(t, canary.Yes, a.Reply)
		require.Equal(t, metrics.Window{From: changed.Add(10 * time.Second), To: changed.Add(20 * time.Second)}, s.asked[0])
	})
}

func TestAStoreThatFailsTellsNothing(t *testing.T) {
	down := errors.New("503")
	_, err := verify.Metrics{Provider: &store{err: down}, Stable: stable, Canary: second}.Verify(t.Context(), share(0), time.Time{})
	require.ErrorIs(t, err, down)
}

func TestAMetricsVerifierTellsItsMistakes(t *testing.T) {
	require.NoError(t, verify.Metrics{Provider: new(store), Stable: stable, Canary: second}.Validate())
	err := verify.Metrics{Lag: -1, Canary: metrics.Arm{}}.Validate()
	for _, want := range []string{"the Provider is missing", "a Lag of -1ns is negative", "stable and canary are the same: no arm", "the arm needs a workload"} {
		require.ErrorContains(t, err, want)
	}
}

// Chance alone stops no step: in ten years of a look a minute, less than once.
func TestAProxyThatDividesAsWrittenIsNotHeldUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		percent := canary.Weight(1 + rng.IntN(99))
		toCanary, n := 0, rng.IntN(3000)
		for range n {
			if rng.Float64() < float64(percent)/100 {
				toCanary++
			}
		}
		s := &store{stable: counted(web, n-toCanary), canary: counted(web, toCanary)}
		a, err := verify.Metrics{Provider: s, Stable: stable, Canary: second}.Verify(t.Context(), share(percent), time.Time{})
		require.NoError(t, err)
		require.Equal(t, canary.Yes, a.Reply, "%d of %d at %d%%: %s", toCanary, n, percent, a.Reason)
	}
}
