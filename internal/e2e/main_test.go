package e2e_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/internal/e2e/plane"
)

var running atomic.Pointer[plane.Plane]

func TestMain(m *testing.M) {
	if namespace := os.Getenv(driverNamespace); namespace != "" {
		if err := drive(namespace); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if p := running.Load(); p != nil {
		p.Stop()
	}
	os.Exit(code)
}

// start starts the one control plane of all tests when the first one needs it.
var start = sync.OnceValues(func() (*plane.Plane, error) {
	p, err := plane.Start(context.Background(), func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	})
	running.Store(p)
	return p, err
})

func controlPlane(t testing.TB) *plane.Plane {
	p, err := start()
	require.NoError(t, err)
	return p
}

// clients are those of the control plane.
func clients(t testing.TB) (istio.Interface, kubernetes.Interface) {
	return clientsOf(t, controlPlane(t).Config())
}

func clientsOf(t testing.TB, config *rest.Config) (istio.Interface, kubernetes.Interface) {
	mesh, err := istio.NewForConfig(config)
	require.NoError(t, err)
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return mesh, kube
}
