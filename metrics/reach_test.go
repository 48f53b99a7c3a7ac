package metrics_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/metrics"
)

var ofReviews = metrics.Hosts{"reviews.bookinfo.svc.cluster.local", "reviews.example.com", "*.reviews.org", "*"}

// takes reports whether a counter of requests is one of those to the hosts.
func takes(t require.TestingT, hosts metrics.Hosts, c metrics.RequestCounter) bool {
	c.Samples = []metrics.Sample{{At: second(0)}, {At: second(1), Total: 1}}
	reached, err := metrics.ReachOf(hosts, nil, []metrics.RequestCounter{c}, []metrics.Window{{From: second(0), To: second(1)}})
	if err != nil {
		require.ErrorIs(t, err, metrics.ErrNoSeries)
		return false
	}
	return reached[0].Requests == 1
}

func second(n int) time.Time { return time.Unix(1e9, 0).Add(time.Duration(n) * time.Second) }

// FACTS 48: where there is no cluster the service is what the client wrote.
func TestHostsContainWhatClientsWrite(t *testing.T) {
	for _, c := range []struct {
		service, namespace string
		want               bool
	}{
		{"reviews.bookinfo.svc.cluster.local", "front", true},
		{"reviews.bookinfo.svc", "front", true},
		{"reviews.bookinfo", "front", true},
		{"reviews.bookinfo:9080", "front", true},
		{"reviews", "bookinfo", true},
		{"Reviews:9080", "bookinfo", true},
		{"reviews", "front", false}, // that is another service
		{"reviews.example.com", "istio-system", true},
		{"REVIEWS.example.com:443", "istio-system", true},
		{"www.example.com", "istio-system", false},
		{"eu.reviews.org", "istio-system", true},
		{"reviews.org", "istio-system", false},
		{"reviewsXexample.com", "istio-system", false},
		{"unknown", "bookinfo", false},
		{"", "bookinfo", false},
	} {
		require.Equal(t, c.want, takes(t, ofReviews, metrics.RequestCounter{Service: c.service, SourceNamespace: c.namespace}), c.service)
	}
	require.False(t, takes(t, nil, metrics.RequestCounter{Service: "reviews", SourceNamespace: "bookinfo"}))
	require.True(t, takes(t, metrics.Hosts{"Reviews.example.com:8080"}, metrics.RequestCounter{Service: "reviews.example.com"}))
	require.Empty(t, metrics.Hosts{"*", ""}.Pattern())
}

// A store is asked for no less than what is counted.
func TestThePatternMatchesAllThatHostsContain(t *testing.T) {
	part := rapid.StringMatching(`[a-zA-Z]{1,2}`)
	host := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*."}).Draw(t, "wild") + part.Draw(t, "name") +
			rapid.SampledFrom([]string{"", ".a", ".a.svc", ".a.svc.cluster.local", ".a.svc.x"}).Draw(t, "rest")
	})
	rapid.Check(t, func(t *rapid.T) {
		hosts := metrics.Hosts(rapid.SliceOfN(host, 1, 3).Draw(t, "hosts"))
		service := host.Draw(t, "service") + rapid.SampledFrom([]string{"", ":80"}).Draw(t, "port")
		if takes(t, hosts, metrics.RequestCounter{Service: service, SourceNamespace: "a"}) {
			require.Regexp(t, regexp.MustCompile("^(?:"+hosts.Pattern()+")$"), service)
		}
	})
}

func TestARequestIsUnreachedByItsFlags(t *testing.T) {
	for flags, want := range map[string]bool{"NC": true, "NR": true, "UH": true, "UO": true, "DI,UH": true, "-": false, "": false, "UF": false, "UHX": false, "FI": false} {
		for workload, none := range map[string]bool{"unknown": true, "": true, "reviews-v2": false} {
			require.Equal(t, want && none, metrics.RequestCounter{Workload: workload, Flags: flags}.Unreached(), flags)
		}
	}
}

// A gateway does not tell the service of a request for which it has no cluster. A proxy that was read
// before is known for all counters, so that the first requests to a canary count.
func TestWhatAGatewayCannotRouteIsOfTheServicesThatItServes(t *testing.T) {
	counter := func(service, workload, flags, gateway string, readings ...float64) metrics.RequestCounter {
		c := metrics.RequestCounter{Service: service, Workload: workload, Namespace: "bookinfo", Flags: flags, SourceNamespace: "istio-system", Instance: gateway}
		for i, total := range readings {
			c.Samples = append(c.Samples, metrics.Sample{At: second(2 - len(readings) + i), Total: total})
		}
		return c
	}
	arms := []metrics.Arm{{Workload: "reviews-v2", Namespace: "bookinfo"}, {Workload: "reviews-v1", Namespace: "bookinfo"}}
	reached, err := metrics.ReachOf(ofReviews, arms, []metrics.RequestCounter{
		counter(ofReviews[0], "reviews-v1", "-", "a", 100, 180),
		counter(ofReviews[0], "reviews-v2", "-", "a", 7),
		counter("unknown", "unknown", "NC", "a", 13),
		counter("unknown", "other", "-", "a", 0, 50),
		counter("unknown", "unknown", "NC", "b", 0, 50),
	}, []metrics.Window{{From: second(0), To: second(1)}})
	require.NoError(t, err)
	require.Equal(t, []metrics.Reached{{Requests: 100, Unreached: 13, Answered: []float64{7, 80}}}, reached)
}
