package proxies

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"
	istio "istio.io/client-go/pkg/apis/networking/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/endpoint"
	"github.com/serin-go/serin/fake/internal/rules"
)

// header is what all objects of the mesh have.
type header struct {
	namespace, name string
	created         time.Time
	exportTo        []string
}

func newHeader(m meta.ObjectMeta, exportTo []string) header {
	return header{m.Namespace, m.Name, m.CreationTimestamp.Time, exportTo}
}

// visible reports whether proxies of namespace ns see the object.
func (h header) visible(ns string) bool {
	return len(h.exportTo) == 0 || slices.Contains(h.exportTo, "*") || slices.Contains(h.exportTo, ns) ||
		ns == h.namespace && slices.Contains(h.exportTo, ".")
}

// offered reports whether the object is looked at for proxies of namespace ns,
// whether or not they see it: all that leaves its own namespace is.
func (h header) offered(ns string) bool {
	return h.visible(ns) ||
		ns != h.namespace && slices.ContainsFunc(h.exportTo, func(to string) bool { return to != "." && to != h.namespace })
}

// joins reports whether the object is exported to where another one says that
// itself is exported to.
func (h header) joins(first header) bool {
	if len(first.exportTo) == 0 {
		return len(h.exportTo) == 0
	}
	return !slices.ContainsFunc(first.exportTo, func(to string) bool { return !slices.Contains(h.exportTo, to) })
}

// nearness orders what proxies of namespace ns see of VirtualServices: their own
// namespace's private ones come first, then what is exported to them by name, and
// what is for all last.
func (h header) nearness(ns string) int {
	switch {
	case len(h.exportTo) == 0 || slices.Contains(h.exportTo, "*"):
		return 2
	case h.namespace == ns:
		return 0
	}
	return 1
}

// older orders objects as Istio does where they compete: the oldest first, then
// by name and namespace.
func (h header) older(other header) int {
	return cmp.Or(
		h.created.Compare(other.created),
		strings.Compare(h.name, other.name),
		strings.Compare(h.namespace, other.namespace))
}

type virtualService struct {
	header
	hosts    []string
	gateways []string
	rules    []rules.Rule
	refused  bool // no Envoy takes one of its rules
}

type destinationRule struct {
	header
	host    string
	subsets []*networking.Subset
}

type gateway struct {
	header
	servers []*networking.Server
}

// gateway returns one by namespace/name, nil if there is none.
func (w World) gateway(id string) *gateway {
	namespace, id, _ := strings.Cut(id, "/")
	return w.gateways[types.NamespacedName{Namespace: namespace, Name: id}]
}

// hostsFor returns the hosts of one of the servers that are for VirtualServices of
// namespace ns.
func (g *gateway) hostsFor(s *networking.Server, ns string) []string {
	var hosts []string
	for _, host := range s.Hosts {
		from, bare, ok := strings.Cut(host, "/")
		if !ok {
			from, bare = "*", host
		}
		if from == "*" || from == ns || from == "." && g.namespace == ns {
			hosts = append(hosts, strings.ToLower(bare))
		}
	}
	return hosts
}

type service struct {
	header
	host     string
	selector map[string]string
	ports    []uint32
}

func (s *service) called() endpoint.Service {
	return endpoint.Service{Host: s.host, Name: s.name, Namespace: s.namespace}
}

func decodeVirtualService(raw json.RawMessage) (*virtualService, error) {
	var o istio.VirtualService
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	v := &virtualService{header: newHeader(o.ObjectMeta, o.Spec.ExportTo)}
	for _, host := range o.Spec.Hosts {
		v.hosts = append(v.hosts, rules.Qualify(host, o.Namespace))
	}
	for _, name := range o.Spec.Gateways {
		v.gateways = append(v.gateways, rules.QualifyGateway(name, o.Namespace))
	}
	if len(v.gateways) == 0 {
		v.gateways = []string{rules.Sidecars}
	}
	var err error
	v.rules, err = rules.Decode(o.Spec.Http, o.Namespace)
	v.refused = slices.ContainsFunc(v.rules, func(r rules.Rule) bool {
		return slices.ContainsFunc(r.Routes, func(r rules.Route) bool { return r.Refused != nil })
	})
	return v, err
}

func decodeDestinationRule(raw json.RawMessage) (*destinationRule, error) {
	var o istio.DestinationRule
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	return &destinationRule{newHeader(o.ObjectMeta, o.Spec.ExportTo), rules.Qualify(o.Spec.Host, o.Namespace), o.Spec.Subsets}, nil
}

func decodeGateway(raw json.RawMessage) (*gateway, error) {
	var o istio.Gateway
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	return &gateway{newHeader(o.ObjectMeta, nil), o.Spec.Servers}, nil
}

func decodeService(raw json.RawMessage) (*service, error) {
	var o core.Service
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	s := &service{header: newHeader(o.ObjectMeta, nil), selector: o.Spec.Selector}
	s.host = rules.Qualify(o.Name, o.Namespace)
	for _, p := range o.Spec.Ports {
		s.ports = append(s.ports, uint32(p.Port))
	}
	if len(s.ports) == 0 {
		return nil, fmt.Errorf("no port")
	}
	return s, nil
}
