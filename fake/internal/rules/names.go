package rules

import (
	"net"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

const clusterDomain = "svc.cluster.local"

// Qualify returns the full name of a host that is named by an object of the
// namespace ns. As in Istio, only a name without any dot is short.
func Qualify(host, ns string) string {
	if strings.Contains(host, ".") || host == "*" {
		return strings.ToLower(host)
	}
	return strings.ToLower(host) + "." + ns + "." + clusterDomain
}

// Dial returns the full name behind the host of a request, as a resolver of the
// namespace ns finds it: "reviews", "reviews.bookinfo" and "reviews.bookinfo.svc"
// are short forms of services; a dot at the end says that a name is full.
func Dial(host, ns string) string {
	if full, ok := strings.CutSuffix(host, "."); ok {
		return full
	}
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

// Covers reports whether the host pattern, "*", "*.suffix" or a name, holds for
// host, or for all that the pattern host holds for.
func Covers(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return pattern == host
}

// Common returns the hosts and patterns that both lists cover: where one is
// within the other, the narrower one.
func Common(a, b []string) []string {
	var both []string
	for _, x := range a {
		for _, y := range b {
			if x == y || Covers(y, x) {
				both = append(both, x)
			} else if Covers(x, y) {
				both = append(both, y)
			}
		}
	}
	return both
}

// QualifyGateway returns namespace/name of a gateway named by an object of ns.
// The word for all sidecars stays as it is.
func QualifyGateway(name, ns string) string {
	if name == Sidecars || strings.Contains(name, "/") {
		return name
	}
	return ns + "/" + name
}

// qualifyRule makes the names in an http rule of namespace ns full ones, in place.
func qualifyRule(r *networking.HTTPRoute, ns string) {
	to := func(d *networking.Destination) {
		if d != nil {
			d.Host = Qualify(d.Host, ns)
		}
	}
	for _, d := range r.Route {
		to(d.Destination)
	}
	to(r.Mirror)
	for _, m := range r.Mirrors {
		to(m.Destination)
	}
	for _, m := range r.Match {
		for i, name := range m.Gateways {
			m.Gateways[i] = QualifyGateway(name, ns)
		}
	}
	if r.Delegate != nil && r.Delegate.Namespace == "" {
		r.Delegate.Namespace = ns
	}
}

// Sidecars is the reserved gateway name that stands for all sidecars.
const Sidecars = "mesh"
