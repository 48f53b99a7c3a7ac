// Package envoy does with HTTP requests what Envoy would, told by istiod what to
// do. No Envoy can be built here; so a proxy of this package presents itself to
// istiod as a sidecar or a gateway, follows the listeners, routes, clusters and
// endpoints that it is sent, and counts requests as Istio's proxies do.
//
// It goes by virtual hosts, the order of routes, their conditions on path,
// headers and query, weighted clusters, mirrors, redirects, direct responses,
// rewrites of path and host, timeouts, retries, and endpoints in turn. A route
// that asks for something else is answered 501 and says what, so that no test
// passes because something was overlooked. Ports must be named as those of HTTP.
// Hosts that are not in the mesh are not reached: they are answered 503. TLS, load
// balancing policies, outlier detection, connection pools, filters such as faults
// and CORS, and changes of headers are not there.
package envoy
