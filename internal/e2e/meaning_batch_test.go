package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// batch is objects of about the same age, in chains. Those of a chain are created
// in its order.
type batch [][]manifest

type manifest struct {
	resource        schema.GroupVersionResource
	namespace, text string
}

// begin begins a chain.
func (b *batch) begin() { *b = append(*b, nil) }

// add adds an object to the last chain and returns it as text.
func (b *batch) add(namespace, api, kind, name string, spec object) string {
	text, err := json.Marshal(object{
		"apiVersion": api, "kind": kind, "metadata": object{"name": name, "namespace": namespace}, "spec": spec,
	})
	must(err)
	return b.put(namespace, api, kind, string(text))
}

func (b *batch) put(namespace, api, kind, text string) string {
	group, err := schema.ParseGroupVersion(api)
	must(err)
	last := len(*b) - 1
	(*b)[last] = append((*b)[last], manifest{group.WithResource(strings.ToLower(kind) + "s"), namespace, text})
	return text
}

// create creates the objects in a control plane, several chains at once.
func (b batch) create(t *testing.T, config *rest.Config) {
	config.WarningHandler = rest.NoWarnings{} // about rules that nothing reaches
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	all, ctx := errgroup.WithContext(t.Context())
	all.SetLimit(8)
	for _, chain := range b {
		all.Go(func() error {
			for _, m := range chain {
				if err := m.create(ctx, client); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
}

func (m manifest) create(ctx context.Context, client dynamic.Interface) error {
	var o unstructured.Unstructured
	if err := json.Unmarshal([]byte(m.text), &o.Object); err != nil {
		return err
	}
	_, err := client.Resource(m.resource).Namespace(m.namespace).Create(ctx, &o, metav1.CreateOptions{})
	return err
}

// documents is all objects as a stream of YAML.
func (b batch) documents() []byte {
	var all []string
	for _, chain := range b {
		for _, m := range chain {
			all = append(all, m.text)
		}
	}
	return []byte(strings.Join(all, "\n---\n"))
}
