package routing_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with testdata/name.yaml.
func golden(t *testing.T, name string, parts []string) {
	t.Helper()
	file := filepath.Join("testdata", name+".yaml")
	got := strings.Join(parts, "---\n")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// walk renders each traffic in turn and returns the objects as YAML. In the
// end the object must be what it was.
func walk(t *testing.T, r routing.Renderer[networking.VirtualService], before object, course ...canary.Traffic) []string {
	t.Helper()
	var parts []string
	o := before
	for _, traffic := range append(slices.Clip(course), canary.Traffic{}) {
		o = o.render(t, r, traffic)
		text, err := yaml.JSONToYAML(o)
		require.NoError(t, err)
		parts = append(parts, "# "+traffic.String()+"\n"+string(text))
	}
	require.JSONEq(t, string(before), string(o))
	return parts
}

const bookinfo = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
`

func TestMirrorFirstCanaryOfBookinfo(t *testing.T) {
	h := renderer(t, routing.Target{Namespace: "bookinfo", Name: "reviews", Arms: subsets("reviews")})
	course := []canary.Traffic{{Mirror: canary.Full}, share(20), share(40), share(60), share(80), share(100)}
	golden(t, "bookinfo-safe", walk(t, h, fromYAML(t, bookinfo), course[:2]...))
	every := routing.Target{Namespace: "bookinfo", Name: "reviews", Arms: subsets("reviews"), Mirror: everyMethod}
	golden(t, "bookinfo", walk(t, renderer(t, every), fromYAML(t, bookinfo), course...))
}

func TestHostLevelSplitOfTwoServices(t *testing.T) {
	one, two := routing.Destination{Host: "my-service"}, routing.Destination{Host: "my-service-v2"}
	h := renderer(t, routing.Target{
		Namespace: "default", Name: "my-service", Arms: routing.Arms{Stable: one, Canary: two},
		Rules: []routing.Rule{{Name: "root"}, {Name: "v2", Arms: routing.Arms{Stable: two, Canary: one}}},
	})
	golden(t, "hosts", walk(t, h, fromYAML(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: my-service, namespace: default}
spec:
  hosts: [my-service.example.com]
  http:
  - name: v2
    match: [{uri: {prefix: /v2}}]
    route:
    - destination: {host: my-service-v2}
      weight: 100
    - destination: {host: my-service}
      weight: 0
  - name: static
    match: [{uri: {prefix: /static}}]
    route:
    - destination: {host: my-service}
  - name: root
    match: [{uri: {prefix: /}}]
    route:
    - destination: {host: my-service, port: {number: 80}}
`), share(10), canary.Traffic{Canary: canary.Percent / 2}, share(100)))
}

func TestSubsetCanaryBehindAGateway(t *testing.T) {
	const host = "shop.prod.svc.cluster.local"
	h := renderer(t, routing.Target{Namespace: "prod", Name: "shop", Arms: subsets("shop")})
	golden(t, "gateway", walk(t, h, fromYAML(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: [shop.example.com]
  gateways: [istio-system/front]
  http:
  - retries: {attempts: 3, perTryTimeout: 2s}
    route:
    - destination: {host: `+host+`, subset: v1}
      weight: 100
    - destination: {host: `+host+`, subset: v2}
      weight: 0
`), share(30), share(100)))
}
