// Package rights computes the rights that the driver of a rollout needs in a cluster.
// [Roles] renders them as Roles that grant these rights and nothing else. [Check] asks
// the API server for each of them, so that a missing right is found before the rollout
// begins, and not hours later when stable is promoted.
package rights

import (
	"cmp"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/serin-go/serin/canary"
)

// Part is a part of a rollout that talks to the API server: a routing.Router,
// routing.Subsets, workload.Deployments, or one of your own.
type Part interface {
	// Rights returns the rights that the part needs in a rollout of the plan. Each has
	// one verb, a namespace and a name. A right without a name applies to all objects of
	// the resource.
	Rights(canary.Plan) []authorizationv1.ResourceAttributes
}

// Of returns the rights that a rollout of the plan needs, without duplicates, sorted by
// namespace, group, resource, name and verb. They suffice for every Runner of the rollout
// and for canary.Send. A client that reads from an informer also needs the informer's
// rights.
func Of(plan canary.Plan, parts ...Part) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, p := range parts {
		all = append(all, p.Rights(plan)...)
	}
	return sorted(all)
}

// sorted returns the rights in order, without duplicates.
func sorted(rights []authorizationv1.ResourceAttributes) []authorizationv1.ResourceAttributes {
	rights = slices.Clone(rights)
	slices.SortFunc(rights, func(a, b authorizationv1.ResourceAttributes) int {
		return cmp.Or(
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Group, b.Group), cmp.Compare(resource(a), resource(b)),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Verb, b.Verb),
		)
	})
	return slices.Compact(rights)
}

// resource returns the resource in the spelling of a Role.
func resource(a authorizationv1.ResourceAttributes) string {
	if a.Subresource == "" {
		return a.Resource
	}
	return a.Resource + "/" + a.Subresource
}
