package routing

import (
	"fmt"
	"strings"

	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/mirror"
)

// Destination is one version of a service, as Istio names it.
type Destination struct {
	// Host is the host of the service. A name without dots is a service in the namespace
	// of the VirtualService, as in Istio.
	Host string
	// Subset is a subset of the host's DestinationRule; "" means none.
	Subset string
	// Port is the port's number; 0 means the port that the rule uses.
	Port uint32
	// Sets is a header that the destination sets on requests. It tells versions apart
	// that share one address, such as the models of a model server. The zero value leaves
	// the rule's headers as they are. A canary with Sets cannot get mirrored requests,
	// because these have no headers of their own.
	Sets Header
}

// Header is the name and the value of a request header.
type Header struct{ Name, Value string }

// String prints host, port, subset and header: "reviews:9080, subset v2".
func (d Destination) String() string {
	s := d.Host
	if d.Port != 0 {
		s = fmt.Sprintf("%s:%d", s, d.Port)
	}
	if d.Subset != "" {
		s += ", subset " + d.Subset
	}
	if d.Sets != (Header{}) {
		s += fmt.Sprintf(", %s: %s", d.Sets.Name, d.Sets.Value)
	}
	return s
}

// Arms are the destinations that divide the traffic of a rollout.
type Arms struct {
	Stable Destination
	Canary Destination
	// Baseline is a fresh copy of stable. The zero Destination means that there is no
	// baseline.
	Baseline Destination
}

// ArmHeader is the default of Target.Header. Its values are "stable", "canary" and
// "baseline".
const ArmHeader = "x-serin-arm"

// Rule selects one http rule: by Name, or by Match if the rule has no name. Exactly one
// of the two must be set.
type Rule struct {
	Name string
	// Match selects the rule that has an equal block in its match.
	Match *api.HTTPMatchRequest
	// Arms are the destinations of this rule alone, for a rule that is shifted in another
	// direction. The zero value means the Arms of the Target.
	Arms Arms
}

// Target says which rules of which VirtualService to steer, and between which
// destinations.
type Target struct {
	Namespace string
	Name      string
	// ID is part of the names of the target's annotations, and tells it from other
	// targets of the same VirtualService. It has at most 54 lower-case letters, digits,
	// "-" and ".". "" means the name of the service: payments for
	// payments.pay.svc.cluster.local. If each version has a host of its own, "" means the
	// host that sorts first; then set an ID that the next rollout can use too.
	ID string
	// Rules are the rules to steer. If empty, all rules that lead to stable are steered,
	// with or without a name. They are chosen when the canary or the baseline gets its
	// first live traffic. A rule that is added later and leads to stable only is left
	// alone.
	Rules []Rule
	// Arms are the destinations of every rule without Arms of its own.
	Arms Arms
	// Overlapping allows one arm to be a host without a subset while another arm is a
	// subset of the same host. Set it only if the Service selects the pods of one of
	// these arms. If the Service selects the pods of both, requests to the host reach the
	// pods of the subset whatever the weights are.
	Overlapping bool
	// Mirror says which requests are mirrored to the canary; the zero value means GET,
	// HEAD and OPTIONS. With any value but mirror.Every, a derived rule stands before
	// each steered rule while traffic is mirrored.
	Mirror mirror.Methods
	// Exclusive says that no other VirtualService has rules for the same hosts at the
	// same gateways. Istio merges such VirtualServices and puts a rule that matches
	// everything last. A header route or copy derived from this rule would come before
	// the rules of the other VirtualServices and take their requests. Without Exclusive,
	// header routes and copies of such a rule are therefore refused with ErrShared.
	Exclusive bool
	// Header is the request header, in lower case, that selects the version while header
	// routes are on; "" means ArmHeader.
	Header string
	// ClusterDomain is the DNS domain of the cluster; "" means cluster.local.
	ClusterDomain string
}

// The arms of a rule, as indexes.
const (
	stable = iota
	canaryArm
	baseline
	armCount
)

var armNames = [armCount]string{"stable", "canary", "baseline"}

// id returns the ID in use.
func (t Target) id() string {
	if t.ID != "" {
		return t.ID
	}
	arms := t.Arms
	if arms == (Arms{}) && len(t.Rules) > 0 {
		arms = t.Rules[0].Arms
	}
	suffix := t.suffix()
	return min(strings.TrimSuffix(arms.Stable.Host, suffix), strings.TrimSuffix(arms.Canary.Host, suffix))
}

// place is a Destination with its host fully qualified.
type place struct {
	Destination
	full string
	key  string // host, subset and header
}

type places [armCount]place

// suffix is what Istio appends to a host without dots.
func (t Target) suffix() string {
	domain := t.ClusterDomain
	if domain == "" {
		domain = "cluster.local"
	}
	return "." + t.Namespace + ".svc." + domain
}

func (a Arms) places(suffix string) places {
	var p places
	for i, d := range [armCount]Destination{a.Stable, a.Canary, a.Baseline} {
		full := d.Host
		if full != "" && !strings.Contains(full, ".") {
			full += suffix
		}
		p[i] = place{d, full, full + "/" + d.Subset}
		if d.Sets != (Header{}) {
			p[i].key += "/" + d.Sets.Name + ":" + d.Sets.Value
		}
	}
	return p
}

// serves reports whether a destination of a rule is p, including the header that it sets.
func (p *place) serves(d *api.HTTPRouteDestination, suffix string) bool {
	if h := p.Sets; h != (Header{}) && d.GetHeaders().GetRequest().GetSet()[h.Name] != h.Value {
		return false
	}
	return p.is(d.GetDestination(), suffix)
}

// is reports whether d is p. suffix completes hosts without dots.
func (p *place) is(d *api.Destination, suffix string) bool {
	if p.full == "" || d.GetSubset() != p.Subset || p.Port != 0 && d.GetPort().GetNumber() != p.Port {
		return false
	}
	host := d.GetHost()
	if strings.Contains(host, ".") {
		return host == p.full
	}
	return host != "" && len(p.full) == len(host)+len(suffix) &&
		strings.HasPrefix(p.full, host) && strings.HasSuffix(p.full, suffix)
}

// overlaps reports whether a destination could be both p and q.
func (p *place) overlaps(q *place) bool {
	apart := p.Sets != q.Sets && p.Sets.Name == q.Sets.Name
	return p.full == q.full && p.Subset == q.Subset && (p.Port == q.Port || p.Port == 0 || q.Port == 0) && !apart
}
