package routing

import (
	"fmt"
	"strings"

	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/mirror"
)

// Destination is one version of a service as Istio names it.
type Destination struct {
	// Host is a service. A name without dots is one in the namespace of the
	// VirtualService, as Istio resolves it.
	Host string
	// Subset is a subset of the host's DestinationRule; "" is none.
	Subset string
	// Port is the port's number. 0 is whatever port the rule uses.
	Port uint32
	// Sets is a header that the destination sets on requests, for versions behind one
	// address that are told apart by it alone: a model server's models. The zero value
	// is whatever headers the rule sets. Such an arm gets no copies, as those have no
	// headers of their own.
	Sets Header
}

// Header is a header of a request and its value.
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
	// Baseline is a fresh copy of stable; the zero Destination is none.
	Baseline Destination
}

// ArmHeader is the header by which a request chooses its version, unless the Target
// says another. Its values are "stable", "canary" and "baseline".
const ArmHeader = "x-serin-arm"

// Rule says which http rule is to be steered: the one with a name, or the one that
// matches on something.
type Rule struct {
	Name string
	// Match, for a rule without a name, equals one of the blocks of its match.
	Match *api.HTTPMatchRequest
	// Arms are those of this rule alone, for a rule that is to go in another
	// direction. The zero value is the Arms of the Target.
	Arms Arms
}

// Target says which rules of which VirtualService are to be steered, and
// between which destinations.
type Target struct {
	Namespace string
	Name      string
	// ID tells the target from others that share the VirtualService: the State of
	// its rollout is kept under this name. It has at most 54 letters in lower case,
	// digits, "-" and ".". "" is the host of stable or of the canary, whichever comes first in
	// the alphabet, without the suffix of the namespace. So it is the service's name
	// where the arms are subsets; where each version has a service of its own, give
	// one that will be that of the next rollout as well.
	ID string
	// Rules are the rules to steer. None means every rule that leads to stable: it is
	// chosen by that, whether it has a name or not, when the canary gets its first
	// live traffic, so that a rule which somebody adds meanwhile is left alone.
	Rules []Rule
	// Arms are those of every rule that has none of its own.
	Arms Arms
	// Overlapping: an arm is a host without a subset and another one a subset of that
	// host. If the Service selects the pods of both, requests to the one reach the
	// other whatever the weights say, so that is refused unless it is said here.
	Overlapping bool
	// Mirror says of which requests the canary gets copies while traffic is mirrored;
	// the zero value is those that only read. All but mirror.Every need a rule of
	// their own before each steered one, which is there while traffic is mirrored.
	Mirror mirror.Methods
	// Exclusive says that no other VirtualService has rules for the same hosts at the
	// same gateways. Istio merges such objects, and puts a rule that matches everything
	// last. A header route or a copy made from it would come before the rules of the
	// other objects, and take their requests. Without Exclusive, a rule that matches
	// everything at a gateway therefore gets neither.
	Exclusive bool
	// Header is the header, in lower case, by which a request chooses its version
	// while header routes stand; "" is ArmHeader.
	Header string
	// ClusterDomain is the DNS domain of the cluster; "" is cluster.local.
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
	key  string // host and subset in one
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

// serves reports whether a destination of a rule is this place.
func (p *place) serves(d *api.HTTPRouteDestination, suffix string) bool {
	if h := p.Sets; h != (Header{}) && d.GetHeaders().GetRequest().GetSet()[h.Name] != h.Value {
		return false
	}
	return p.is(d.GetDestination(), suffix)
}

// is reports whether d is this place, given what short hosts stand for.
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
