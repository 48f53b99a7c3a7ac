package workload

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/serin-go/serin/canary"
)

// Rights returns the rights to get both Deployments, to watch the canary if there is a
// Config.Watcher, to patch stable if the plan promotes it, those of Config.Scaling, and to list
// the Config.Pods and Config.Quotas. The last two have no name, because a Role cannot restrict a
// list to some objects: they apply to all of the namespace.
func (d *Deployments) Rights(plan canary.Plan) []authorizationv1.ResourceAttributes {
	may := func(verb, name string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{
			Verb: verb, Group: "apps", Resource: "deployments", Namespace: d.config.Namespace, Name: name,
		}
	}
	all := []authorizationv1.ResourceAttributes{may("get", d.config.Stable), may("get", d.config.Canary)}
	if d.config.Watcher != nil {
		all = append(all, may("watch", d.config.Canary))
	}
	if plan.End().Kind == canary.PromoteStable {
		all = append(all, may("patch", d.config.Stable))
	}
	for _, f := range d.config.Scaling.floors() {
		all = append(all, rightsOf(f, plan)...)
	}
	list := func(resource string) {
		all = append(all, authorizationv1.ResourceAttributes{Verb: "list", Resource: resource, Namespace: d.config.Namespace})
	}
	if d.config.Quotas != nil {
		list("resourcequotas")
	}
	if d.config.Pods != nil {
		list("pods")
	}
	return all
}

// rightsOf returns the rights that a Floor needs, if it tells them.
func rightsOf(f Floor, plan canary.Plan) []authorizationv1.ResourceAttributes {
	if part, ok := f.(interface {
		Rights(canary.Plan) []authorizationv1.ResourceAttributes
	}); ok {
		return part.Rights(plan)
	}
	return nil
}
