package routing

import (
	"slices"
	"strings"

	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Hosts returns the hosts that the VirtualService and the arms of the target are for, fully qualified:
// what proxies call the service in their metrics.
func (h *HTTP) Hosts(vs *networking.VirtualService) []string {
	all := make([]string, 0, len(vs.Spec.Hosts)+2)
	for _, host := range vs.Spec.Hosts {
		if host != "*" && !strings.Contains(host, ".") {
			host += h.suffix
		}
		all = append(all, host)
	}
	for _, p := range append(slices.Clip(h.own), h.common) {
		for arm := range p {
			if p[arm].full != "" {
				all = append(all, p[arm].full)
			}
		}
	}
	return all
}

func (o Object[T]) hosts(object metav1.Object) []string {
	if h, ok := o.Renderer.(interface{ Hosts(object *T) []string }); ok {
		return h.Hosts(any(object).(*T))
	}
	return nil
}

// hostsOf are those of all objects, each once.
func (r *Router) hostsOf(objects []metav1.Object) (all []string) {
	for i, o := range objects {
		if o != nil {
			all = append(all, r.objects[i].hosts(o)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
