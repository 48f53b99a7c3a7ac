package verify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/metrics"
)

// istiod is a store that has istiod's counters too.
type istiod struct {
	store
	refusals []metrics.Refusal
	fails    error
	hangs    bool
	windows  []metrics.Window // that were asked for
}

func (i *istiod) Refusals(ctx context.Context, w metrics.Window) ([]metrics.Refusal, error) {
	i.windows = append(i.windows, w)
	if i.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return i.refusals, i.fails
}

func (i *istiod) verifier() verify.Metrics {
	return verify.Metrics{Provider: i, Stable: stable, Canary: second}
}

// behind has two proxies: one still sends half of its requests to the canary.
func behind() store {
	return store{stable: counted(web, 50, mobile, 70), canary: counted(web, 50)}
}

const (
	wrong  = "not as written in the last 30s: web.shop at 10.0.0.1:15020 sent 50 of 100 requests to the canary"
	advice = ": look for an object that every validation accepts and Envoy refuses (istiod logs why as ACK ERROR)"
)

func routesOf(pod, namespace string) metrics.Refusal {
	return metrics.Refusal{Pod: pod, Namespace: namespace, Resource: metrics.Routes}
}

func TestTheReasonNamesTheProxiesThatRefuse(t *testing.T) {
	var many []metrics.Refusal
	for i := range 5 {
		many = append(many, routesOf(fmt.Sprint("web-", i), "shop"))
	}
	for name, c := range map[string]struct {
		refusals []metrics.Refusal
		err      error
		want     string
	}{
		"its pod":             {[]metrics.Refusal{routesOf("web-7d9f8c-x2lqp", "shop")}, nil, "; by istiod's counters web-7d9f8c-x2lqp.shop refused routes" + advice},
		"a pod like that":     {[]metrics.Refusal{routesOf("web", "shop")}, nil, "; by istiod's counters web.shop refused routes" + advice},
		"many":                {many, nil, "; by istiod's counters web-0.shop refused routes; web-1.shop refused routes; web-2.shop refused routes, and 2 more" + advice},
		"no name":             {[]metrics.Refusal{{Resource: metrics.Routes}}, nil, "; by istiod's counters a proxy refused routes" + advice},
		"others":              {[]metrics.Refusal{routesOf("mobile-5c-a", "edge"), routesOf("web-1", "other"), routesOf("webshop-1", "shop"), routesOf("web-admin-7d9f5c6b8d-x2lqp", "shop"), routesOf("web-admin-0", "shop")}, nil, ""},
		"nobody":              {nil, nil, ""},
		"istiod is unscraped": {nil, fmt.Errorf("prometheus: %w", metrics.ErrNoSeries), ""},
		"a store that fails":  {nil, errors.New("502 Bad Gateway"), "; whether they refused it is not known: 502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			i := &istiod{store: behind(), refusals: c.refusals, fails: c.err}
			a, err := i.verifier().Verify(t.Context(), share(0), time.Now().Add(-time.Hour))
			require.NoError(t, err)
			require.Equal(t, canary.Wait.Because("%s", wrong+c.want), a)
		})
	}
}

func TestAProxyWithoutAWorkloadMayBeAnyThatRefuses(t *testing.T) {
	i := &istiod{refusals: []metrics.Refusal{routesOf("x", "y")}}
	i.canary = counted(metrics.Proxy{Instance: "10.0.0.9"}, 3)
	a, err := i.verifier().Verify(t.Context(), share(0), time.Time{})
	require.NoError(t, err)
	require.Contains(t, a.Reason, "x.y refused routes")
}

// A refusal is looked for from one lag before the change, as clocks differ and counters lag
// behind, and for an hour if nobody changed anything.
func TestRefusalsSinceTheChangeAreAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		i := &istiod{store: behind()}
		for _, since := range []time.Time{now.Add(-26 * time.Hour), {}} {
			_, err := i.verifier().Verify(t.Context(), share(0), since)
			require.NoError(t, err)
		}
		require.Equal(t, []metrics.Window{
			{From: now.Add(-26*time.Hour - 30*time.Second), To: now}, {From: now.Add(-time.Hour - 30*time.Second), To: now},
		}, i.windows)
	})
}

func TestNobodyIsAskedForRefusalsWhenAllIsWell(t *testing.T) {
	i := &istiod{store: store{stable: counted(web, 100), canary: counted()}}
	a, err := i.verifier().Verify(t.Context(), share(0), time.Time{})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	_, err = i.verifier().Verify(t.Context(), share(0), time.Now()) // too early
	require.NoError(t, err)
	require.Empty(t, i.windows)
}

func TestAStoreThatHangsDoesNotKeepTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a, err := (&istiod{store: behind(), hangs: true}).verifier().Verify(t.Context(), share(0), time.Time{})
		require.NoError(t, err)
		require.Equal(t, canary.Wait.Because("%s", wrong+"; whether they refused it is not known: context deadline exceeded"), a)
		require.Less(t, time.Since(began), 10*time.Second, "which is the shortest limit of a call")
	})
}
