package routing

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/serin-go/serin/canary"
)

// Rights returns the rights to get and to patch the lead and the followers. They do not
// depend on the plan.
func (r *Router) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, o := range r.objects {
		all = append(all, o.rights()...)
	}
	return all
}

// Rights returns the rights to get and to patch the DestinationRule. They do not depend
// on the plan.
func (s *Subsets) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	return destinationRules.toSteer(s.c.Namespace, s.c.Name)
}

// toSteer returns the rights to get and to patch one object.
func (k Kind) toSteer(namespace, name string) []authorizationv1.ResourceAttributes {
	get := authorizationv1.ResourceAttributes{
		Verb: "get", Group: k.Group, Resource: k.Resource, Namespace: namespace, Name: name,
	}
	patch := get
	patch.Verb = "patch"
	return []authorizationv1.ResourceAttributes{get, patch}
}
