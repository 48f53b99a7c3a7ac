package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/corpus"
	"github.com/serin-go/serin/routing"
)

// Istio's webhook accepts every state in which Serin leaves an object of other people:
// with header routes, copies and weights, alone and together, and without them again.
func TestIstioAcceptsEveryStateOfTheCorpus(t *testing.T) {
	mesh, _ := clients(t)
	namespace := controlPlane(t).Aside(t, true)
	client := mesh.NetworkingV1().VirtualServices(namespace)
	full := canary.Traffic{HeaderRoutes: true, Mirror: canary.Full}
	course := []canary.Traffic{full, {HeaderRoutes: true, Mirror: 1, Canary: canary.Percent}, {HeaderRoutes: true, Canary: canary.Full}, share(20), {}}
	objects, err := corpus.Load("../..")
	require.NoError(t, err)
	steered, refused, written := 0, 0, 0
	for name, text := range objects {
		vs := &networking.VirtualService{}
		require.NoError(t, json.Unmarshal(text, vs), name)
		vs.ObjectMeta = metav1.ObjectMeta{Name: fmt.Sprintf("corpus-%d", steered+refused), Namespace: namespace}
		made, err := client.Create(t.Context(), vs, metav1.CreateOptions{})
		if err != nil { // an example of what is wrong
			refused++
			continue
		}
		steered++
		for _, to := range corpus.Directions(made) {
			h, err := routing.NewHTTP(to)
			if err != nil {
				continue
			}
			now := made
			for _, traffic := range course {
				p, err := h.Render(now, traffic)
				if err != nil {
					require.ErrorIs(t, err, canary.ErrRefused, name)
					continue
				}
				now, err = client.Patch(t.Context(), now.Name, types.JSONPatchType, p.Bytes(), metav1.PatchOptions{})
				require.NoError(t, err, "%s: %v: %s", name, traffic, &p)
				got, err := h.Read(now, traffic)
				require.NoError(t, err)
				require.Equal(t, traffic, got, name)
				written++
			}
			made = now
		}
		require.NoError(t, client.Delete(t.Context(), made.Name, metav1.DeleteOptions{}))
	}
	t.Logf("corpus: %d objects, %d more refused by Istio, %d states accepted", steered, refused, written)
	require.Greater(t, written, 2*steered)
}
