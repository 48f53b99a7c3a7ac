// Package rights tells what a driver of a rollout may have to do in a cluster:
// as Roles, so that it is given that and nothing else, and as questions to the
// API server, so that what is missing is found before the rollout begins and not
// hours later, when stable is promoted.
package rights

import (
	"cmp"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/serin-go/serin/canary"
)

// Part is what talks to the API server in a rollout: a routing.Router,
// routing.Subsets, workload.Deployments, or one of your own.
type Part interface {
	// Rights returns the rights that the part needs in a rollout of the plan,
	// each with one verb, a namespace and a name; without a name it is a right
	// to all objects of the resource.
	Rights(canary.Plan) []authorizationv1.ResourceAttributes
}

// Of returns the rights that a rollout of the plan needs, each once, sorted by
// namespace, group, resource, name and verb. They do for every Runner of the
// rollout and for canary.Send. A client that answers from an informer needs the
// rights of the informer as well.
func Of(plan canary.Plan, parts ...Part) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, p := range parts {
		all = append(all, p.Rights(plan)...)
	}
	return sorted(all)
}

// sorted returns the rights in order, each once.
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

// resource is the resource as a Role names it.
func resource(a authorizationv1.ResourceAttributes) string {
	if a.Subresource == "" {
		return a.Resource
	}
	return a.Resource + "/" + a.Subresource
}
