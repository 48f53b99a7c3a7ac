package e2e_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/internal/e2e/envoy"
)

// sent is how often each question is asked in the fake mesh.
const sent = 1_000_000

// differs describes how an answer differs from what was wanted; "" if it could
// be the luck of the draw.
func differs(want []shares, answer fake.Result) string {
	got := map[string]uint64{}
	names := map[string]bool{}
	for _, c := range answer {
		name := fate(c.Workload, c.Code, c.Flags, c.Mirrored)
		got[name] += c.N
		names[name] = true
	}
	for _, s := range want {
		for name := range s {
			names[name] = true
		}
	}
	var b strings.Builder
	same := true
	for _, name := range slices.Sorted(maps.Keys(names)) {
		mean, band := expectation(want, name)
		fmt.Fprintf(&b, "  %-20s want %7.0f, got %7d\n", name, mean, got[name])
		same = same && math.Abs(float64(got[name])-mean) <= band
	}
	if same {
		return ""
	}
	return b.String()
}

// expectation returns how many of the requests come to one end, and how far off
// luck can be: six standard deviations for each way there, and some more since
// small shares are skewed. All and nothing leave nothing to luck.
func expectation(want []shares, name string) (mean, band float64) {
	const nothing = 1e-9
	for _, s := range want {
		p := s[name]
		mean += p * sent
		if p > nothing && p < 1-nothing {
			band += 6 + 6*math.Sqrt(p*(1-p)*sent)
		}
	}
	return mean, band + 0.5 // of rounding
}

// kindsOf names what becomes of requests in short.
func kindsOf(want []shares) []string {
	kinds := map[string]bool{"divided": len(want[0]) > 1}
	for name := range want[0] {
		switch {
		case strings.Contains(name, "-v"):
			name = "answered"
		case name[0] == '3':
			name = "redirected"
		case name[0] == '4' && name != "404":
			name = "direct response"
		}
		kinds[name] = true
	}
	for _, copies := range want[1:] {
		kinds["mirrored"] = kinds["mirrored"] || len(copies) > 0
	}
	maps.DeleteFunc(kinds, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(kinds))
}

func TestTheBandHoldsWhatLuckCanDo(t *testing.T) {
	one := func(p float64, n uint64) string {
		return differs([]shares{{"a": p}}, fake.Result{{Outcome: fake.Outcome{Workload: "a"}, N: n}})
	}
	require.Empty(t, one(0, 0))
	require.NotEmpty(t, one(0, 1))
	require.Empty(t, one(1, sent))
	require.NotEmpty(t, one(1, sent-1))
	require.Empty(t, one(0.5, sent/2+3000))
	require.NotEmpty(t, one(0.5, sent/2+3100))
	require.Empty(t, one(1e-6, 5))
	require.NotEmpty(t, one(0.0057, 5200), "0.52 % is not 0.57 %")
	require.NotEmpty(t, differs([]shares{{"a": 1}}, nil))
	twice := fake.Result{{Outcome: fake.Outcome{Workload: "a", Mirrored: true}, N: 3 * sent / 2}}
	require.Empty(t, differs([]shares{{}, {"copy to a": 1}, {"copy to a": 0.5}}, twice))
}

// missing says what a caller has not been told yet: the objects that were created
// last, of each kind that istiod watches on its own, and the pods of each service.
func (m *meaning) missing(c *envoy.Config, by caller) string {
	q := question{port: 80, request: fake.Request{Method: "GET", Host: sentinel + ".example.com", Path: "/", From: by.source}}
	got, err := q.expected(c)
	if err != nil || len(got) != 1 || got[0]["299"] != 1 {
		return fmt.Sprintf("the last VirtualService: %v %v", got, err)
	}
	if _, ok := c.Endpoints("outbound|80|" + sentinel + "|" + sentinel + "." + m.near + ".svc.cluster.local"); !ok {
		return "the last DestinationRule"
	}
	for _, s := range m.services {
		for _, port := range s.ports {
			cluster := fmt.Sprintf("outbound|%d||%s", port, s.host())
			if pods, _ := c.Endpoints(cluster); len(pods) != s.pods {
				return fmt.Sprintf("%d pods of %s, not %d", s.pods, cluster, len(pods))
			}
		}
	}
	return ""
}
