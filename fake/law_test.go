package fake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/fake"
)

// anyRule is a rule of retries, timeouts, faults and weights, and pods that fail.
func anyRule(rt *rapid.T) (rule string, pods [2]fake.Behaviour, crashed [2]bool) {
	maybe := func(name string, values ...string) string {
		return rapid.SampledFrom(append(values, "")).Draw(rt, name)
	}
	rule = maybe("retries", "retries: {attempts: 0}, ", "retries: {attempts: 1, retryOn: 5xx}, ",
		"retries: {attempts: 3, retryOn: 'gateway-error,500', perTryTimeout: 15ms}, ",
		"retries: {attempts: 2, retryOn: reset, retryIgnorePreviousHosts: false}, ") +
		maybe("timeout", "timeout: 20ms, ", "timeout: 1s, ") +
		maybe("fault", "fault: {abort: {httpStatus: 418, percentage: {value: 20}}}, ",
			"fault: {delay: {fixedDelay: 1s, percentage: {value: 30}}, abort: {httpStatus: 418, percentage: {value: 20}}}, ") +
		maybe("mirror", "mirror: {host: reviews, subset: v2}, mirrorPercentage: {value: 50}, ") +
		rapid.SampledFrom([]string{
			bothVersions, "route: [{" + toArm1 + "}]", "route: [{destination: {host: reviews, subset: v3}}]",
			"route: [{" + toArm1 + ", weight: 70}, {" + toArm2 + ", weight: 30}]",
		}).Draw(rt, "route")
	for i := range pods {
		pods[i] = fake.Behaviour{
			ErrorRate: rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(rt, "errors"),
			Status:    rapid.SampledFrom([]int{500, 503, 409}).Draw(rt, "status"),
			Median:    rapid.SampledFrom([]time.Duration{7, 12, 18, 30}).Draw(rt, "median") * time.Millisecond,
		}
		crashed[i] = rapid.IntRange(0, 3).Draw(rt, "crashed") == 0
	}
	return rule, pods, crashed
}

func prepared(t testing.TB, rule string, pods [2]fake.Behaviour, crashed [2]bool, seed uint64) *fake.Mesh {
	server := bookinfo(t)
	setRules(t, server, "[{"+rule+"}]")
	mesh := fake.NewMesh(server, fake.Config{Seed: seed, Versions: map[string]fake.Behaviour{"reviews:1": pods[0], "reviews:2": pods[1]}})
	require.Empty(t, mesh.Problems())
	for i, down := range crashed {
		mesh.Crash(ns, fmt.Sprint("reviews-v", i+1), down)
	}
	return mesh
}

// Law: whatever the rule and however pods fail, every request ends once, the
// source counts each once, and Send and Load count alike.
func TestEveryRequestEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule, pods, crashed := anyRule(rt)
		n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 1_000_000)).Draw(rt, "n")
		mesh := prepared(t, rule, pods, crashed, rapid.Uint64().Draw(rt, "seed"))
		result := mesh.Send(n, client)
		require.EqualValues(rt, n, result.Sent())
		source, arrived := totals(mesh)
		require.EqualValues(rt, n, source)
		answered := result.Sum(func(o fake.Outcome) bool { return o.Workload != "" })
		require.GreaterOrEqual(rt, arrived, answered, "a pod counts every try")
		for _, c := range result {
			require.NotZero(rt, c.N)
			require.True(rt, c.Mirrored || c.Flags != "DC", "no client has left")
		}
	})
}

// totals reads the counters of both reporters.
func totals(mesh *fake.Mesh) (source, destination uint64) {
	w := httptest.NewRecorder()
	mesh.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for line := range strings.Lines(w.Body.String()) {
		var n float64
		if at := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, "istio_requests_total{") {
			_, err := fmt.Sscan(line[at:], &n)
			if err != nil {
				continue
			}
			if strings.Contains(line, `reporter="source"`) {
				source += uint64(n)
			} else {
				destination += uint64(n)
			}
		}
	}
	return source, destination
}

// Law: real requests, to handlers that behave as the simulated pods do, end as
// often in each way as those that are sent in bulk.
func TestRealRequestsEndLikeSimulatedOnes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule, pods, crashed := anyRule(rt)
		seed := rapid.Uint64().Draw(rt, "seed")
		const sent, many = 150, 1_000_000
		want := map[string]float64{}
		for _, c := range prepared(t, rule, pods, crashed, seed).Send(many, client) {
			if !c.Mirrored {
				want[fmt.Sprint(c.Code, c.Workload)] += float64(c.N) / many
			}
		}
		got := map[string]uint64{}
		synctest.Test(t, func(t *testing.T) {
			mesh := prepared(t, rule, pods, crashed, seed+1)
			dice := rapidDice(seed)
			for i, b := range pods {
				mesh.Handle(fmt.Sprint("reviews:", i+1), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(b.Median)
					w.Header().Set("X-By", fmt.Sprint("reviews-v", i+1))
					if dice() < b.ErrorRate {
						w.WriteHeader(b.Status)
					}
				}))
			}
			entry := mesh.Entry(client.From)
			for range sent {
				r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.Background())
				r.Host = client.Host
				w := httptest.NewRecorder()
				entry.ServeHTTP(w, r)
				got[fmt.Sprint(w.Code, w.Header().Get("X-By"))]++
			}
			mesh.Wait()
			time.Sleep(time.Second)
			source, _ := totals(mesh)
			require.EqualValues(rt, sent, source)
		})
		for outcome := range got {
			require.Contains(rt, want, outcome)
		}
		for outcome, share := range want {
			within(rt, sent, share, got[outcome])
		}
	})
}

// rapidDice returns a source of numbers from 0 to 1 that handlers share.
func rapidDice(seed uint64) func() float64 {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 7))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}
}
