package plane

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
)

// Namespace creates a namespace for one test, whose objects Istio's webhook
// validates. It goes away after the test.
func (p *Plane) Namespace(t testing.TB) string { return p.Named(t, p.newName()) }

// Named is Namespace with a name of one's own.
func (p *Plane) Named(t testing.TB, name string) string { return p.namespace(t, name, inMesh) }

// Aside creates a namespace for one test that istiod does not look at, so that
// what is written there reaches no Envoy. Istio's webhook may be away as well, as
// on a cluster that has none.
func (p *Plane) Aside(t testing.TB, webhook bool) string {
	labels := validated
	if !webhook {
		labels = nil
	}
	return p.namespace(t, p.newName(), labels)
}

func (p *Plane) newName() string { return fmt.Sprintf("test-%d", p.namespaces.Add(1)) }

func (p *Plane) namespace(t testing.TB, name string, labels map[string]string) string {
	t.Helper()
	if err := p.createNamespace(t.Context(), name, labels); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client, err := kubernetes.NewForConfig(p.config)
		if err == nil {
			err = client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	})
	return name
}

// Apply creates the objects of YAML documents in a namespace.
func (p *Plane) Apply(t testing.TB, namespace, manifests string) {
	t.Helper()
	if err := p.apply(t.Context(), namespace, manifests); err != nil {
		t.Fatal(err)
	}
}

func (p *Plane) apply(ctx context.Context, namespace, manifests string) error {
	objects, err := readObjects(strings.NewReader(manifests))
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(p.config)
	if err != nil {
		return err
	}
	known, err := discovery.NewDiscoveryClientForConfig(p.config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(known))
	for _, o := range objects {
		kind := o.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return err
		}
		if mapping.Scope.Name() == meta.RESTScopeNameRoot {
			return fmt.Errorf("%s %s is in no namespace", kind.Kind, o.GetName())
		}
		if _, err := client.Resource(mapping.Resource).Namespace(namespace).Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("%s %s/%s: %w", kind.Kind, namespace, o.GetName(), err)
		}
	}
	return nil
}
