package fake_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const shop = `
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: default}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop, subset: v1}, weight: 1}, {destination: {host: shop, subset: v2}, weight: 1}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-v1, namespace: default}
spec:
  selector: {matchLabels: {app: shop, version: v1}}
  template: {metadata: {labels: {app: shop, version: v1}}, spec: {containers: [{name: shop, image: "shop:1"}]}}
`

// Half of the traffic goes to a version that nobody has deployed.
func ExampleMesh_Send() {
	server := apiserver.New()
	if err := server.Load([]byte(shop)); err != nil {
		fmt.Println(err)
	}
	mesh := fake.NewMesh(server, fake.Config{Seed: 1})
	for _, c := range mesh.Send(1000, fake.Request{Host: "shop"}) {
		fmt.Printf("%d to %q: %d %q\n", c.N, c.Workload, c.Code, c.Flags)
	}
	// Output:
	// 479 to "shop-v1": 200 ""
	// 521 to "": 503 "UH"
}

// The only pod vanishes. Another one takes its place after Config.Start, two seconds.
func ExampleMesh_Evict() {
	server := apiserver.New()
	if err := server.Load([]byte(shop)); err != nil {
		fmt.Println(err)
	}
	mesh := fake.NewMesh(server, fake.Config{})
	mesh.Evict("default", "shop-v1", 1)
	outcome := mesh.Send(1, fake.Request{Host: "shop"})[0]
	fmt.Println(outcome.Code, outcome.Flags)
	// Output:
	// 503 UH
}

func ExampleMesh_Entry() {
	server := apiserver.New()
	if err := server.Load([]byte(shop)); err != nil {
		fmt.Println(err)
	}
	mesh := fake.NewMesh(server, fake.Config{Seed: 4})
	mesh.Handle("shop:1", says("hello from version 1"))
	entry := mesh.Entry(fake.Source{})
	for range 3 {
		w := httptest.NewRecorder()
		entry.ServeHTTP(w, httptest.NewRequest("GET", "http://shop/", nil))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 503 no answer from the mesh: flag UH
	// 503 no answer from the mesh: flag UH
	// 200 hello from version 1
}
