package metrics_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/metrics"
)

var ofReviews = metrics.Hosts{"reviews.bookinfo.svc.cluster.local", "reviews.example.com", "*.reviews.org", "*"}

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
		require.Equal(t, []bool{c.want}, ofReviews.Select([]metrics.RequestLabels{{Service: c.service, SourceNamespace: c.namespace}}), c.service)
	}
	require.Equal(t, []bool{false}, metrics.Hosts(nil).Select([]metrics.RequestLabels{{Service: "reviews", SourceNamespace: "bookinfo"}}))
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
		if hosts.Select([]metrics.RequestLabels{{Service: service, SourceNamespace: "a"}})[0] {
			require.Regexp(t, regexp.MustCompile("^(?:"+hosts.Pattern()+")$"), service)
		}
	})
}

func TestARequestIsUnreachedByItsFlags(t *testing.T) {
	for flags, want := range map[string]bool{"NC": true, "NR": true, "UH": true, "UO": true, "DI,UH": true, "-": false, "": false, "UF": false, "UHX": false, "FI": false} {
		for workload, none := range map[string]bool{"unknown": true, "": true, "reviews-v2": false} {
			require.Equal(t, want && none, metrics.RequestLabels{Workload: workload, Flags: flags}.Unreached(), flags)
		}
	}
}

// A gateway does not tell the service of a request for which it has no cluster.
func TestWhatAGatewayCannotRouteIsOfTheServicesThatItServes(t *testing.T) {
	lost := metrics.RequestLabels{Service: "unknown", Workload: "unknown", Flags: "NC", SourceNamespace: "istio-system"}
	here, there := lost, lost
	here.Instance, there.Instance = "a", "b"
	answered := metrics.RequestLabels{Service: "unknown", Workload: "other", Flags: "-", SourceNamespace: "istio-system", Instance: "a"}
	served := metrics.RequestLabels{Service: ofReviews[0], Workload: "reviews-v1", Flags: "-", SourceNamespace: "istio-system", Instance: "a"}
	require.Equal(t, []bool{true, false, false, true}, ofReviews.Select([]metrics.RequestLabels{here, there, answered, served}))
}
