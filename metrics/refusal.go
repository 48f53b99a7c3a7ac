package metrics

import "context"

// Resource is a kind of configuration that the control plane sends to proxies.
type Resource string

// The kinds of configuration.
const (
	Listeners Resource = "listeners"
	Routes    Resource = "routes"
	Clusters  Resource = "clusters"
	Endpoints Resource = "endpoints"
)

// Refusal says that a proxy refused configuration. It then keeps its last configuration,
// although the API server shows a newer one.
type Refusal struct {
	// Pod and Namespace are where the proxy runs. Both are "" if the control plane counted a
	// refusal but does not name the proxy.
	Pod, Namespace string
	Resource       Resource
}

// String returns "web-7d9f-x2lqp.shop refused routes".
func (r Refusal) String() string {
	name := r.Pod
	if r.Namespace != "" {
		name += "." + r.Namespace
	}
	if name == "" {
		name = "a proxy"
	}
	return name + " refused " + string(r.Resource)
}

// RefusalReader reads from the control plane's metrics which proxies refuse configuration.
// It tells why a proxy does not route as written: see package canary/verify. It is
// optional for a ProxyCounter. Implementations must be safe for concurrent use, and return
// when ctx ends.
type RefusalReader interface {
	// Refusals returns the proxies that refused configuration in the window, in the order of
	// their names. The list may be too long: a proxy that refused the same kind of
	// configuration before the window may be in it. It is empty if nothing was refused.
	// ErrNoSeries means that the store has no metrics of the control plane, so this cannot
	// be told.
	Refusals(ctx context.Context, w Window) ([]Refusal, error)
}
