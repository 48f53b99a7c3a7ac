package fake_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const (
	ns              = "bookinfo"
	virtualservices = "virtualservices.networking.istio.io"
	deployments     = "deployments.apps"
)

// client is a request of a sidecar beside the service.
var client = fake.Request{Host: "reviews", From: fake.Source{Namespace: ns, Workload: "productpage"}}

// visitor is a request that enters by the gateway.
var visitor = fake.Request{Host: "reviews.example.com", From: fake.Source{Gateway: "bookinfo/bookinfo"}}

// bookinfo returns a server with the objects of testdata/bookinfo.yaml, and
// those of further documents.
func bookinfo(t testing.TB, more ...string) *apiserver.Server {
	t.Helper()
	documents, err := os.ReadFile("testdata/bookinfo.yaml")
	require.NoError(t, err)
	server := apiserver.New()
	require.NoError(t, server.Load(documents))
	for _, d := range more {
		require.NoError(t, server.Load([]byte(d)))
	}
	return server
}

// path walks down a document.
func path(o any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			o = o.(map[string]any)[k]
		case int:
			o = o.([]any)[k]
		}
	}
	return o
}

func setImage(t testing.TB, server *apiserver.Server, deployment, image string) {
	t.Helper()
	require.NoError(t, server.Update(deployments, ns, deployment, func(o map[string]any) {
		path(o, "spec", "template", "spec", "containers", 0).(map[string]any)["image"] = image
	}))
}

// setSpec sets a field of the spec of a Deployment.
func setSpec(t testing.TB, server *apiserver.Server, deployment, field string, value any) {
	t.Helper()
	require.NoError(t, server.Update(deployments, ns, deployment, func(o map[string]any) {
		o["spec"].(map[string]any)[field] = value
	}))
}

// setWeights sets the weights of the only rule of the VirtualService reviews.
func setWeights(t testing.TB, server *apiserver.Server, stable, canary int) {
	t.Helper()
	require.NoError(t, server.Update(virtualservices, ns, "reviews", func(o map[string]any) {
		for i, weight := range []int{stable, canary} {
			path(o, "spec", "http", 0, "route", i).(map[string]any)["weight"] = weight
		}
	}))
}

// setRules replaces the http rules of the VirtualService reviews by YAML.
func setRules(t testing.TB, server *apiserver.Server, rules string) {
	t.Helper()
	var value any
	require.NoError(t, yamlInto(rules, &value))
	require.NoError(t, server.Update(virtualservices, ns, "reviews", func(o map[string]any) {
		o["spec"].(map[string]any)["http"] = value
	}))
}

func deploymentStatus(t testing.TB, server *apiserver.Server, deployment string) status {
	t.Helper()
	raw, ok := server.Get(deployments, ns, deployment)
	require.True(t, ok)
	var o struct{ Status status }
	require.NoError(t, json.Unmarshal(raw, &o))
	return o.Status
}

type status struct {
	ObservedGeneration                                                               int
	Replicas, UpdatedReplicas, ReadyReplicas, AvailableReplicas, UnavailableReplicas int
	Conditions                                                                       []struct{ Type, Status, Reason string }
}

// condition returns "status reason" of a condition.
func (s status) condition(kind string) string {
	for _, c := range s.Conditions {
		if c.Type == kind {
			return c.Status + " " + c.Reason
		}
	}
	return ""
}

// outcomes prints a Result for comparison.
func outcomes(r fake.Result) string {
	var b strings.Builder
	for _, c := range r {
		fmt.Fprintf(&b, "%d x %+v\n", c.N, c.Outcome)
	}
	return b.String()
}

func imageOf(t testing.TB, server *apiserver.Server, deployment string) string {
	t.Helper()
	raw, ok := server.Get(deployments, ns, deployment)
	require.True(t, ok)
	var o map[string]any
	require.NoError(t, json.Unmarshal(raw, &o))
	return path(o, "spec", "template", "spec", "containers", 0, "image").(string)
}
