package fake

import "github.com/serin-go/serin/fake/internal/rules"

// Request is what a client sends. The zero value is a GET of "/" from a sidecar
// in namespace default to a host without a name.
type Request struct {
	// Host is the authority of the request: "reviews",
	// "reviews.bookinfo.svc.cluster.local", "shop.example.com". A name without dots is in
	// From.Namespace.
	Host string
	// Path is the path, with a query if there is one; "" is "/".
	Path string
	// Method is "" for GET, Scheme is "" for http.
	Method, Scheme string
	// Port is the port of the request; 0 is the first port of the service or of the
	// gateway.
	Port uint32
	// Headers are single values by name. The case of the names does not matter.
	Headers map[string]string
	// From is the first proxy of the request.
	From Source
}

// Source is a proxy that sends requests: the sidecar of a client, or a gateway.
type Source struct {
	// Gateway is the namespace/name of the Gateway that the request enters by; "" is a
	// sidecar.
	Gateway string
	// Namespace is where the proxy runs; "" is istio-system for a gateway and
	// default for a sidecar.
	Namespace string
	// Workload names the sender in metrics; "" is istio-ingressgateway for a
	// gateway and client for a sidecar.
	Workload string
	// Labels are those of the sender's pod.
	Labels map[string]string
}

// call makes a Request ready for matching.
func (r Request) call() *rules.Call {
	return rules.NewCall(rules.Request{
		Host: r.Host, Path: r.Path, Method: r.Method, Scheme: r.Scheme, Port: r.Port, Headers: r.Headers, From: rules.Source(r.From),
	})
}
