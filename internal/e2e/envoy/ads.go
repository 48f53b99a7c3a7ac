package envoy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// Node is who asks istiod.
type Node struct {
	Namespace, Name string // of the pod
	Address         string
	Labels          map[string]string
	// Gateway makes it a gateway; otherwise it is a sidecar.
	Gateway bool
}

func (n Node) proto() (*core.Node, error) {
	kind := "sidecar"
	if n.Gateway {
		kind = "router"
	}
	labels := map[string]any{}
	for k, v := range n.Labels {
		labels[k] = v
	}
	metadata, err := structpb.NewStruct(map[string]any{
		"NAMESPACE": n.Namespace, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.31.0", "LABELS": labels,
	})
	return &core.Node{
		Id:       fmt.Sprintf("%s~%s~%s.%[4]s~%[4]s.svc.cluster.local", kind, n.Address, n.Name, n.Namespace),
		Cluster:  n.Name + "." + n.Namespace,
		Metadata: metadata,
	}, err
}

// Watch is what istiod last told a node. It is safe for concurrent use.
type Watch struct {
	node   *core.Node
	conn   *grpc.ClientConn
	cancel context.CancelFunc
	done   sync.WaitGroup
	config atomic.Pointer[Config]
}

// ahead is how many bytes istiod may send, in one response and before they are
// read. It does not read requests while it waits to send, and the watch does not
// read while it waits to ask: with less, both could wait for each other.
const ahead = 1 << 28

// NewWatch asks istiod at an address, from now until Close. A stream that breaks
// is opened again; what was told before holds meanwhile.
func NewWatch(address string, n Node) (*Watch, error) {
	node, err := n.proto()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(ahead), grpc.WithInitialConnWindowSize(ahead),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(ahead)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{node: node, conn: conn, cancel: cancel}
	w.config.Store(&Config{})
	w.done.Go(func() {
		for ctx.Err() == nil {
			_ = w.follow(ctx) // istiod may be gone for a while; the next stream waits for it
		}
	})
	return w, nil
}

// Close ends the watch.
func (w *Watch) Close() error {
	w.cancel()
	w.done.Wait()
	return w.conn.Close()
}

// Config is what istiod has told so far.
func (w *Watch) Config() *Config { return w.config.Load() }

// follow reads one stream to its end.
func (w *Watch) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(w.conn).StreamAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	s := &subscription{
		stream: stream, node: w.node,
		names: map[string][]string{}, last: map[string]*discovery.DiscoveryResponse{},
	}
	for _, kind := range []string{clusterType, listenerType} {
		if err := s.ask(&discovery.DiscoveryRequest{TypeUrl: kind}); err != nil {
			return err
		}
	}
	config := &Config{}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if config, err = config.apply(response); err != nil {
			return errors.Join(err, s.refuse(response, err))
		}
		if config.complete() {
			w.config.Store(config)
		}
		if err := s.accept(response, config); err != nil {
			return err
		}
	}
}

// subscription is what one stream has asked for.
type subscription struct {
	stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	node   *core.Node          // nil when it was told
	names  map[string][]string // by type
	last   map[string]*discovery.DiscoveryResponse
}

func (s *subscription) ask(r *discovery.DiscoveryRequest) error {
	r.Node, s.node = s.node, nil
	return s.stream.Send(r)
}

func (s *subscription) refuse(r *discovery.DiscoveryResponse, why error) error {
	return s.ask(&discovery.DiscoveryRequest{
		TypeUrl: r.TypeUrl, ResponseNonce: r.Nonce, ResourceNames: s.names[r.TypeUrl],
		ErrorDetail: status.New(codes.InvalidArgument, why.Error()).Proto(),
	})
}

// accept acknowledges a response, and asks for what it names.
func (s *subscription) accept(r *discovery.DiscoveryResponse, c *Config) error {
	s.last[r.TypeUrl] = r
	if err := s.subscribe(r.TypeUrl); err != nil {
		return err
	}
	kind, names := endpointType, slices.Sorted(maps.Keys(c.discovered))
	switch r.TypeUrl {
	case clusterType:
	case listenerType:
		kind, names = routeType, slices.Compact(slices.Sorted(maps.Values(c.ports)))
	default:
		return nil
	}
	if slices.Equal(s.names[kind], names) {
		return nil
	}
	s.names[kind] = names
	return s.subscribe(kind)
}

// subscribe asks for the names of a type, and acknowledges its last response.
func (s *subscription) subscribe(kind string) error {
	r := &discovery.DiscoveryRequest{TypeUrl: kind, ResourceNames: s.names[kind]}
	if last := s.last[kind]; last != nil {
		r.VersionInfo, r.ResponseNonce = last.VersionInfo, last.Nonce
	}
	return s.ask(r)
}

const (
	prefix       = "type.googleapis.com/envoy.config."
	clusterType  = prefix + "cluster.v3.Cluster"
	endpointType = prefix + "endpoint.v3.ClusterLoadAssignment"
	listenerType = prefix + "listener.v3.Listener"
	routeType    = prefix + "route.v3.RouteConfiguration"
)

// apply returns the configuration after a response, which tells all clusters or
// listeners, but only those routes or endpoints that have changed.
func (c *Config) apply(r *discovery.DiscoveryResponse) (*Config, error) {
	next := *c
	switch r.TypeUrl {
	case clusterType:
		all, err := decode[cluster.Cluster](r)
		if err != nil {
			return nil, err
		}
		next.setClusters(all)
	case endpointType:
		changed, err := decode[endpoint.ClusterLoadAssignment](r)
		if err != nil {
			return nil, err
		}
		next.endpoints = replaced(next.endpoints, changed, (*endpoint.ClusterLoadAssignment).GetClusterName)
	case listenerType:
		all, err := decode[listener.Listener](r)
		if err != nil {
			return nil, err
		}
		return &next, next.setListeners(all)
	case routeType:
		changed, err := decode[route.RouteConfiguration](r)
		if err != nil {
			return nil, err
		}
		next.routes = replaced(next.routes, changed, (*route.RouteConfiguration).GetName)
	}
	return &next, nil
}

// decode returns the resources of a response.
func decode[T any, P interface {
	*T
	message
}](r *discovery.DiscoveryResponse) ([]P, error) {
	all := make([]P, len(r.Resources))
	for i, packed := range r.Resources {
		all[i] = P(new(T))
		if err := packed.UnmarshalTo(all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// replaced is a copy of m with the changed values in their places.
func replaced[V any](m map[string]V, changed []V, name func(V) string) map[string]V {
	next := maps.Clone(m)
	if next == nil {
		next = map[string]V{}
	}
	for _, v := range changed {
		next[name(v)] = v
	}
	return next
}
