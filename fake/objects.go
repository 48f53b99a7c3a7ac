package fake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"
	istio "istio.io/client-go/pkg/apis/networking/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// older orders objects as Istio does where they compete: the oldest first, then
// by name and namespace.
func (h header) older(other header) int {
	if c := h.created.Compare(other.created); c != 0 {
		return c
	}
	return strings.Compare(h.name+"."+h.namespace, other.name+"."+other.namespace)
}

type virtualService struct {
	header
	hosts    []string
	gateways []string
	routes   []route
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

type service struct {
	header
	host     string
	selector map[string]string
	ports    []uint32
}

func decodeVirtualService(raw json.RawMessage) (*virtualService, error) {
	var o istio.VirtualService
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	v := &virtualService{header: newHeader(o.ObjectMeta, o.Spec.ExportTo)}
	for _, host := range o.Spec.Hosts {
		v.hosts = append(v.hosts, qualify(host, o.Namespace))
	}
	for _, name := range o.Spec.Gateways {
		v.gateways = append(v.gateways, qualifyGateway(name, o.Namespace))
	}
	if len(v.gateways) == 0 {
		v.gateways = []string{sidecars}
	}
	var err error
	v.routes, err = compileRules(o.Spec.Http, o.Namespace)
	return v, err
}

func decodeDestinationRule(raw json.RawMessage) (*destinationRule, error) {
	var o istio.DestinationRule
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	return &destinationRule{newHeader(o.ObjectMeta, o.Spec.ExportTo), qualify(o.Spec.Host, o.Namespace), o.Spec.Subsets}, nil
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
	s.host = qualify(o.Name, o.Namespace)
	for _, p := range o.Spec.Ports {
		s.ports = append(s.ports, uint32(p.Port))
	}
	if len(s.ports) == 0 {
		return nil, fmt.Errorf("no port")
	}
	return s, nil
}
