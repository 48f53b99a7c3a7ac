package apiserver

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	networking "istio.io/api/networking/v1alpha3"
	"k8s.io/apimachinery/pkg/util/validation"
)

// mistakes are the texts with which Istio's webhook refuses an object whose structure is
// valid. They are worded much like Istio's.
type mistakes []string

func (m *mistakes) add(wrong bool, format string, args ...any) {
	if wrong {
		*m = append(*m, fmt.Sprintf(format, args...))
	}
}

// istioMistakes returns the mistakes in the spec of an object.
func istioMistakes(k key, spec any) mistakes {
	raw, err := json.Marshal(spec)
	if err != nil {
		return mistakes{err.Error()}
	}
	var found mistakes
	switch k.res.kind {
	case "VirtualService":
		var v networking.VirtualService
		if err := v.UnmarshalJSON(raw); err != nil {
			return mistakes{err.Error()}
		}
		found.virtualService(&v, k.namespace)
	case "DestinationRule":
		var d networking.DestinationRule
		if err := d.UnmarshalJSON(raw); err != nil {
			return mistakes{err.Error()}
		}
		found.destinationRule(&d, k.namespace)
	}
	slices.Sort(found)
	return found
}

func (m *mistakes) virtualService(v *networking.VirtualService, namespace string) {
	delegate := len(v.Hosts) == 0
	m.add(delegate && len(v.Gateways) > 0, "delegate virtual service must have no gateways specified")
	m.add(delegate && len(v.Tls) > 0, "delegate virtual service must have no tls route specified")
	m.add(delegate && len(v.Tcp) > 0, "delegate virtual service must have no tcp route specified")
	m.gateways(v.Gateways)
	m.hosts(v.Hosts, len(v.Gateways) == 0 || slices.Contains(v.Gateways, "mesh"))
	m.add(len(v.Http)+len(v.Tcp)+len(v.Tls) == 0, "http, tcp or tls must be provided in virtual service")
	for _, rule := range v.Http {
		m.rule(rule, delegate)
	}
	for _, rule := range v.Tls {
		m.add(len(rule.Match) == 0, "TLS route must have at least one match condition")
		for _, match := range rule.Match {
			for _, name := range match.SniHosts {
				m.sni(name, v.Hosts)
			}
		}
		m.add(len(rule.Route) == 0, "TLS route is required")
		m.destinations(rule.Route)
	}
	for _, rule := range v.Tcp {
		m.add(len(rule.Route) == 0, "TCP route is required")
		m.destinations(rule.Route)
	}
	m.exportTo(v.ExportTo, namespace)
}

// hosts checks the hosts of a VirtualService, which must not overlap.
func (m *mistakes) hosts(hosts []string, mesh bool) {
	before := len(*m)
	for _, host := range hosts {
		if _, err := netip.ParseAddr(host); err != nil {
			m.domain(host)
		}
		m.add(mesh && host == "*", "wildcard host * is not allowed for virtual services bound to the mesh gateway")
	}
	if len(*m) > before {
		return
	}
	for i, a := range hosts {
		for _, b := range hosts[i+1:] {
			m.add(overlap(a, b), "duplicate hosts in virtual service: %s & %s", a, b)
		}
	}
}

// sni checks an SNI host of a tls rule, which must be one of the hosts or covered by one
// of them.
func (m *mistakes) sni(name string, hosts []string) {
	if _, err := netip.ParseAddr(name); err == nil {
		return
	}
	before := len(*m)
	if m.domain(name); len(*m) > before {
		return
	}
	within := slices.ContainsFunc(hosts, func(h string) bool {
		return name == h || strings.HasPrefix(h, "*") && strings.HasSuffix(strings.TrimPrefix(name, "*"), h[1:])
	})
	m.add(!within, "SNI host %q is not a compatible subset of any of the virtual service hosts: [%s]", name, strings.Join(hosts, ", "))
}

// overlap reports whether two hosts, possibly with wildcards, have a name in common.
func overlap(a, b string) bool {
	wildA, wildB := strings.HasPrefix(a, "*"), strings.HasPrefix(b, "*")
	switch {
	case wildA && wildB:
		return strings.HasSuffix(a[1:], b[1:]) || strings.HasSuffix(b[1:], a[1:])
	case wildA:
		return strings.HasSuffix(b, a[1:])
	case wildB:
		return strings.HasSuffix(a, b[1:])
	}
	return a == b
}

const dnsLabel = `[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?`

var (
	dnsLabels   = regexp.MustCompile(`^` + dnsLabel + `$`)
	wildLabels  = regexp.MustCompile(`^(\*|(\*|\*-)?` + dnsLabel + `)$`)
	labelValues = regexp.MustCompile(`^((?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`)
)

func isLabel(s string) bool {
	return len(s) <= validation.DNS1123LabelMaxLength && dnsLabels.MatchString(s)
}

// domain checks the name of a host, whose first label may be a wildcard.
func (m *mistakes) domain(name string) {
	first, rest, more := strings.Cut(name, ".")
	switch {
	case name == "" || len(name) > 255:
		m.add(true, "domain name %q must be of 1 to 255 characters", name)
	case len(first) > validation.DNS1123LabelMaxLength || !wildLabels.MatchString(first):
		m.add(true, "domain name %q invalid (label %q invalid)", name, first)
	case more:
		m.labels(rest)
	}
}

// labels checks the labels of a name without a wildcard.
func (m *mistakes) labels(name string) {
	parts := strings.Split(name, ".")
	last := parts[len(parts)-1]
	if _, err := strconv.Atoi(last); err == nil {
		m.add(true, "domain name %q invalid (top level domain %q cannot be all-numeric)", name, last)
		return
	}
	for i, label := range parts {
		m.add(!isLabel(label) && (label != "" || i < len(parts)-1), "domain name %q invalid (label %q invalid)", name, label)
	}
}

func (m *mistakes) gateways(names []string) {
	for _, name := range names {
		namespace, gateway, qualified := strings.Cut(name, "/")
		if !qualified {
			m.add(name == "", "gateway name cannot be empty")
			m.labels(name)
			return
		}
		m.add(!isLabel(namespace), "invalid value for namespace: %q", namespace)
		m.add(!isLabel(gateway), "invalid value for gateway name: %q", gateway)
	}
}

func (m *mistakes) exportTo(names []string, own string) {
	seen := map[string]bool{}
	for _, name := range names {
		if name == "." {
			name = own
		}
		m.add(seen[name], "duplicate entries in exportTo for entry %s", name)
		seen[name] = true
		m.add(name == "~", "exportTo ~ (none) is not allowed for Istio configuration objects")
		m.add(name != "*" && name != "~" && !isLabel(name), "only .,*, or a valid DNS 1123 label is allowed as exportTo entry")
	}
	m.add(seen["*"] && len(names) > 1, "cannot have both public (*) and non-public exportTo values for a resource")
}

func (m *mistakes) destinationRule(d *networking.DestinationRule, namespace string) {
	m.domain(d.Host)
	m.policy(d.TrafficPolicy)
	seen := map[string]bool{}
	for _, subset := range d.Subsets {
		m.add(seen[subset.Name], "duplicate subset names: %s", subset.Name)
		seen[subset.Name] = true
		m.subset(subset.Name)
		m.podLabels(subset.Labels)
		m.policy(subset.TrafficPolicy)
	}
	m.exportTo(d.ExportTo, namespace)
}

func (m *mistakes) subset(name string) {
	m.add(name == "", "subset name cannot be empty")
	m.add(name != "" && !isLabel(name), "subset name is invalid: %s", name)
}

func (m *mistakes) podLabels(labels map[string]string) {
	for name, value := range labels {
		m.add(len(validation.IsQualifiedName(strings.ToLower(name))) > 0, "invalid tag key: %q", name)
		m.add(!labelValues.MatchString(value), "invalid tag value: %q", value)
	}
}

// policy checks that a traffic policy is not empty, and its percentages of hosts, but
// nothing else in it.
func (m *mistakes) policy(p *networking.TrafficPolicy) {
	if p == nil {
		return
	}
	m.add(p.OutlierDetection == nil && p.ConnectionPool == nil && p.LoadBalancer == nil && p.Tls == nil && p.PortLevelSettings == nil &&
		p.Tunnel == nil && p.ProxyProtocol == nil && p.RetryBudget == nil, "traffic policy must have at least one field")
	if pool := p.ConnectionPool; pool != nil {
		m.add(pool.Http == nil && pool.Tcp == nil, "connection pool must have at least one field")
	}
	if o := p.OutlierDetection; o != nil {
		m.duration(o.BaseEjectionTime)
		m.duration(o.Interval)
		for _, share := range []int32{o.MaxEjectionPercent, o.MinHealthPercent} {
			m.add(share < 0 || share > 100, "percentage %d is not in range 0..100", share)
		}
	}
}

func (m *mistakes) duration(d *durationpb.Duration) {
	m.add(d != nil && d.AsDuration() < time.Millisecond, "duration must be greater than 1ms")
	m.add(d != nil && d.AsDuration()%time.Millisecond != 0, "only durations to ms precision are supported")
}
