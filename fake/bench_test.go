package fake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// tenRules is a VirtualService as large installations have them.
func tenRules() string {
	var b strings.Builder
	b.WriteString(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec:
  hosts: [reviews.bookinfo.svc.cluster.local]
  gateways: [mesh, bookinfo/reviews-gateway]
  http:
`)
	for i := range 10 {
		fmt.Fprintf(&b, `  - name: r%[1]d
    match: [{uri: {prefix: /api/v%[1]d}, headers: {x-tenant: {exact: t%[1]d}}}]
    timeout: 3s
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}
    headers: {request: {set: {x-route: r%[1]d}}}
    route:
    - {destination: {host: reviews, subset: v1}, weight: 100}
    - {destination: {host: reviews, subset: v2}, weight: 0}
`, i)
	}
	return b.String()
}

// rule4 is a request that the fifth of the ten rules matches.
var rule4 = fake.Request{
	Host: "reviews", Path: "/api/v4/x", Headers: map[string]string{"x-tenant": "t4"}, From: client.From,
}

func BenchmarkSend(b *testing.B) {
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server := bookinfo(b)
			require.NoError(b, server.Delete(virtualservices, ns, "reviews"))
			require.NoError(b, server.Load([]byte(tenRules())))
			mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:1": {ErrorRate: 0.01, Sigma: 0.5}}})
			b.ReportAllocs()
			for b.Loop() {
				mesh.Send(n, rule4)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// BenchmarkSendPlain sends by ten rules of which none says how to retry or what
// to change.
func BenchmarkSendPlain(b *testing.B) {
	server := bookinfo(b)
	require.NoError(b, server.Delete(virtualservices, ns, "reviews"))
	var plain strings.Builder
	for line := range strings.Lines(tenRules()) {
		if word := strings.TrimSpace(line); !strings.HasPrefix(word, "timeout") && !strings.HasPrefix(word, "retries") && !strings.HasPrefix(word, "headers") {
			plain.WriteString(line)
		}
	}
	require.NoError(b, server.Load([]byte(plain.String())))
	mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:1": {ErrorRate: 0.01, Sigma: 0.5}}})
	for _, n := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mesh.Send(n, rule4)
			}
		})
	}
}

// BenchmarkCompile changes the VirtualService of ten rules and lets the mesh
// route by it.
func BenchmarkCompile(b *testing.B) {
	server := bookinfo(b)
	require.NoError(b, server.Delete(virtualservices, ns, "reviews"))
	require.NoError(b, server.Load([]byte(tenRules())))
	mesh := fake.NewMesh(server, fake.Config{})
	change := 0
	update := func() {
		change++
		err := server.Update(virtualservices, ns, "reviews", func(o map[string]any) {
			path(o, "spec", "http", 4, "route", 1).(map[string]any)["weight"] = change%99 + 1
		})
		require.NoError(b, err)
	}
	b.Run("change", func(b *testing.B) { // what the server itself takes
		quiet := bookinfo(b)
		require.NoError(b, quiet.Load([]byte(strings.Replace(tenRules(), "name: reviews,", "name: other,", 1))))
		b.ReportAllocs()
		for b.Loop() {
			change++
			err := quiet.Update(virtualservices, ns, "other", func(o map[string]any) {
				path(o, "spec", "http", 4, "route", 1).(map[string]any)["weight"] = change%99 + 1
			})
			require.NoError(b, err)
		}
	})
	b.Run("change, compile and send", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			update()
			mesh.Send(1, rule4)
		}
	})
}

// A rollout of 1 % an hour under load, of which the counters are read every
// minute.
func TestAHundredHoursPassInAMoment(t *testing.T) {
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Delay: time.Second})
		load := mesh.Load(100, client)
		for hour := range 100 {
			setWeights(t, server, 100-hour, hour)
			for range 60 {
				time.Sleep(time.Minute)
				_, err := mesh.Counts(t.Context(), arm("reviews-v1"), last(time.Minute))
				require.NoError(t, err)
			}
		}
		require.EqualValues(t, 100*3600*100, load.Stop().Sent())
	})
	t.Logf("100 hours with 36 million requests took %v", time.Since(began))
}
