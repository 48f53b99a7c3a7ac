package workload_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedappsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

const deployments = "deployments.apps"

// both are the two Deployments that the tests begin with.
var both = workload.Config{Namespace: "bookinfo", Stable: "reviews-v1", Canary: "reviews-v2"}

const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-%[1]s, namespace: bookinfo}
spec:
  replicas: 3
  selector: {matchLabels: {app: reviews, version: %[1]s}}
  template:
    metadata:
      labels: {app: reviews, version: %[1]s}
      annotations: {built: %[1]q}
    spec:
      initContainers: [{name: migrate, image: "migrate:%[1]s"}]
      containers:
      - {name: reviews, image: "reviews:%[1]s", env: [{name: LOG, value: %[1]s}]}
      - {name: only-%[1]s, image: "only:%[1]s"}
---
`

// cluster is an API server with the two Deployments, and a real client of it.
type cluster struct {
	require.TestingT
	server *apiserver.Server
	client typedappsv1.DeploymentInterface
}

// newCluster returns one in which stable and canary are rolled out, and the first rollout
// has begun.
func newCluster(t require.TestingT) cluster {
	c := newUnpinned(t)
	c.begins(at(1))
	c.server.ResetRequests()
	return c
}

// begins lets a rollout begin that is to promote stable.
func (c cluster) begins(f canary.Fence) {
	_, a, err := c.workload(both).Pin(context.Background(), canary.Question{Fence: f, Promotes: true})
	require.NoError(c, err)
	require.Equal(c, canary.Yes, a.Reply, a.Reason)
	c.finish("reviews-v1") // an annotation makes a new generation
}

func newUnpinned(t require.TestingT) cluster {
	c := cluster{TestingT: t, server: apiserver.New()}
	require.NoError(t, c.server.Load(fmt.Appendf(nil, manifest, "v1")))
	require.NoError(t, c.server.Load(fmt.Appendf(nil, manifest, "v2")))
	clients, err := kubernetes.NewForConfig(c.server.Config())
	require.NoError(t, err)
	c.client = clients.AppsV1().Deployments("bookinfo")
	c.finish("reviews-v1")
	c.finish("reviews-v2")
	return c
}

func (c cluster) workload(config workload.Config) *workload.Deployments {
	w, err := workload.New(c.client, config)
	require.NoError(c, err)
	return w
}

func (c cluster) get(name string) *appsv1.Deployment {
	d, err := c.client.Get(context.Background(), name, metav1.GetOptions{})
	require.NoError(c, err)
	return d
}

// change does what change does to the typed object, status included.
func (c cluster) change(name string, change func(*appsv1.Deployment)) {
	require.NoError(c, c.server.Update(deployments, "bookinfo", name, func(object map[string]any) {
		var d appsv1.Deployment
		data, err := json.Marshal(object)
		require.NoError(c, err)
		require.NoError(c, json.Unmarshal(data, &d))
		change(&d)
		data, err = json.Marshal(&d)
		require.NoError(c, err)
		clear(object)
		require.NoError(c, json.Unmarshal(data, &object))
	}))
}

// finish does what the Deployment controller does in the end.
func (c cluster) finish(name string) {
	c.change(name, func(d *appsv1.Deployment) { d.Status = finished(d.Generation, *d.Spec.Replicas) })
}

func finished(generation int64, replicas int32) appsv1.DeploymentStatus {
	return appsv1.DeploymentStatus{
		ObservedGeneration: generation, Replicas: replicas, UpdatedReplicas: replicas,
		ReadyReplicas: replicas, AvailableReplicas: replicas,
	}
}

// images returns the image of each container by name.
func (c cluster) images(name string) map[string]string {
	images := map[string]string{}
	spec := c.get(name).Spec.Template.Spec
	for _, container := range append(spec.InitContainers, spec.Containers...) {
		images[container.Name] = container.Image
	}
	return images
}

func (c cluster) setImage(name, image string) {
	c.change(name, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

// writes counts the patches that were sent since the last count.
func (c cluster) writes() (n int) {
	for request, times := range c.server.Requests() {
		if request.Verb == "patch" {
			n += times
		}
	}
	c.server.ResetRequests()
	return n
}
