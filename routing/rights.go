package routing

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/serin-go/serin/canary"
)

// Rights are those to get and to patch the lead and the followers, whatever the
// plan.
func (r *Router) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for i := range 1 + len(r.followers) {
		o := r.object(i)
		all = append(all, toSteer("virtualservices", o.Namespace, o.Name)...)
	}
	return all
}

// Rights are those to get and to patch the DestinationRule, whatever the plan.
func (s *Subsets) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	return toSteer("destinationrules", s.c.Namespace, s.c.Name)
}

// Rights are those to get and to patch the VirtualService, whatever the plan.
func (d *Doors) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	return toSteer("virtualservices", d.object.Namespace, d.object.Name)
}

func toSteer(resource, namespace, name string) []authorizationv1.ResourceAttributes {
	get := authorizationv1.ResourceAttributes{
		Verb: "get", Group: "networking.istio.io", Resource: resource, Namespace: namespace, Name: name,
	}
	patch := get
	patch.Verb = "patch"
	return []authorizationv1.ResourceAttributes{get, patch}
}
