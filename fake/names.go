package fake

import (
	"net"
	"strings"
)

const clusterDomain = "svc.cluster.local"

// qualify returns the full name of a host that is named by an object of the
// namespace ns. As in Istio, only a name without any dot is short.
func qualify(host, ns string) string {
	if strings.Contains(host, ".") || host == "*" {
		return strings.ToLower(host)
	}
	return strings.ToLower(host) + "." + ns + "." + clusterDomain
}

// dial returns the full name behind the host of a request, as a resolver of the
// namespace ns finds it: "reviews", "reviews.bookinfo" and "reviews.bookinfo.svc"
// are short forms of services.
func dial(host, ns string) string {
	switch dots := strings.Count(host, "."); {
	case dots == 0:
		return host + "." + ns + "." + clusterDomain
	case dots == 1:
		return host + "." + clusterDomain
	case dots == 2 && strings.HasSuffix(host, ".svc"):
		return host + ".cluster.local"
	}
	return host
}

// bareHost returns the host of an authority without port, in lower case.
func bareHost(authority string) string {
	if strings.Contains(authority, ":") {
		if host, _, err := net.SplitHostPort(authority); err == nil {
			authority = host
		}
	}
	return strings.ToLower(authority)
}

// covers reports whether the host pattern, "*", "*.suffix" or a name, holds for
// host.
func covers(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return pattern == host
}

// qualifyGateway returns namespace/name of a gateway named by an object of ns.
// The word for all sidecars stays as it is.
func qualifyGateway(name, ns string) string {
	if name == sidecars || strings.Contains(name, "/") {
		return name
	}
	return ns + "/" + name
}

// sidecars is the reserved gateway name that stands for all sidecars.
const sidecars = "mesh"
