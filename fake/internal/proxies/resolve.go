package proxies

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/rules"
)

// resolve returns the routes of v, with those of its delegates in their place. A
// delegate that is not there, or not for the namespace of v, has no routes.
func resolve(v *virtualService, all map[types.NamespacedName]*virtualService) []rules.Route {
	var routes []rules.Route
	for i, r := range v.rules {
		if r.Delegate == nil {
			routes = rules.Append(routes, rules.Title(i, r), r.Routes)
			continue
		}
		id := types.NamespacedName{Namespace: r.Delegate.Namespace, Name: r.Delegate.Name}
		to := all[id]
		if to == nil || len(to.hosts) > 0 || !to.visible(v.namespace) {
			continue
		}
		for j, below := range to.rules {
			where := fmt.Sprintf("%s: delegate %s: %s", rules.Title(i, r), id, rules.Title(j, below))
			routes = rules.Append(routes, where, r.Delegated(below))
		}
	}
	return routes
}
