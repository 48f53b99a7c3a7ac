package envoy

import (
	"maps"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

type message = proto.Message

// Config is what istiod told a proxy at one moment. It never changes. The zero
// value routes nothing.
type Config struct {
	ports      map[uint32]string // names of route tables
	routes     map[string]*route.RouteConfiguration
	clusters   map[string]bool
	discovered map[string]bool // clusters whose endpoints istiod tells
	endpoints  map[string]*endpoint.ClusterLoadAssignment
}

// complete reports whether all was told that is named: as with Envoy, a cluster
// without endpoints or a listener without routes waits for them.
func (c *Config) complete() bool {
	if c.clusters == nil || c.ports == nil {
		return false
	}
	for name := range c.discovered {
		if c.endpoints[name] == nil {
			return false
		}
	}
	for _, name := range c.ports {
		if c.routes[name] == nil {
			return false
		}
	}
	return true
}

func (c *Config) setClusters(all []*cluster.Cluster) {
	c.clusters, c.discovered = map[string]bool{}, map[string]bool{}
	for _, one := range all {
		c.clusters[one.Name] = true
		if one.GetType() == cluster.Cluster_EDS {
			c.discovered[one.Name] = true
		}
	}
	c.endpoints = maps.Clone(c.endpoints)
	maps.DeleteFunc(c.endpoints, func(name string, _ *endpoint.ClusterLoadAssignment) bool { return !c.discovered[name] })
}

// setListeners remembers which route table is used for the requests to a port.
func (c *Config) setListeners(all []*listener.Listener) error {
	c.ports = map[uint32]string{}
	for _, l := range all {
		if l.GetTrafficDirection() == core.TrafficDirection_INBOUND {
			continue
		}
		for _, chain := range append(l.GetFilterChains(), l.GetDefaultFilterChain()) {
			name, err := routeTable(chain)
			if err != nil {
				return err
			}
			if name != "" {
				c.ports[l.GetAddress().GetSocketAddress().GetPortValue()] = name
			}
		}
	}
	return nil
}

// routeTable is the name of the routes that a chain of filters uses; "" is none.
func routeTable(chain *listener.FilterChain) (string, error) {
	for _, f := range chain.GetFilters() {
		http := &manager.HttpConnectionManager{}
		if packed := f.GetTypedConfig(); packed.MessageIs(http) {
			if err := packed.UnmarshalTo(http); err != nil {
				return "", err
			}
			return http.GetRds().GetRouteConfigName(), nil
		}
	}
	return "", nil
}

// Endpoint is one pod of a cluster.
type Endpoint struct {
	Address string // with its port
	// Workload, Namespace, Service and Revision are what istiod tells of the pod
	// for telemetry: its workload, and its canonical service and revision.
	Workload, Namespace, Service, Revision string
}

// Endpoints are those of a cluster that may be used, and whether there is such a
// cluster.
func (c *Config) Endpoints(cluster string) ([]Endpoint, bool) {
	var all []Endpoint
	for _, locality := range c.endpoints[cluster].GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			if s := e.GetHealthStatus(); s == core.HealthStatus_HEALTHY || s == core.HealthStatus_UNKNOWN {
				all = append(all, describe(e))
			}
		}
	}
	return all, c.clusters[cluster]
}

func describe(e *endpoint.LbEndpoint) Endpoint {
	text := e.GetMetadata().GetFilterMetadata()["istio"].GetFields()["workload"].GetStringValue()
	parts := append(strings.Split(text, ";"), "", "", "", "")
	address := e.GetEndpoint().GetAddress().GetSocketAddress()
	return Endpoint{
		Address:  join(address.GetAddress(), address.GetPortValue()),
		Workload: parts[0], Namespace: parts[1], Service: parts[2], Revision: parts[3],
	}
}
