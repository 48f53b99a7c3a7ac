package envoy

import (
	"context"
	"errors"
	"net"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoints "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// relay stands between one Envoy and istiod. What istiod says is changed only
// where it names addresses of the cluster, and by a header that tells pods who
// asks them.
type relay struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	plane    *plane.Plane
	pod      plane.Pod
	istiod   *grpc.ClientConn
	server   *grpc.Server
	listener net.Listener
}

// ahead is how many bytes may be sent in one response and before they are read.
// istiod does not read requests while it waits to send.
const ahead = 1 << 28

// newRelay serves an Envoy until close.
func newRelay(p *plane.Plane, pod plane.Pod) (*relay, error) {
	istiod, err := grpc.NewClient(p.XDS(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(ahead), grpc.WithInitialConnWindowSize(ahead),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(ahead)))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, istiod.Close())
	}
	r := &relay{plane: p, pod: pod, istiod: istiod, server: grpc.NewServer(), listener: l}
	discovery.RegisterAggregatedDiscoveryServiceServer(r.server, r)
	go r.server.Serve(l) // ends with the server
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) close() {
	r.server.Stop()
	_ = r.istiod.Close() // nothing is left of it either way
}

// StreamAggregatedResources relays one stream. When istiod is away the stream ends,
// and Envoy opens another one, which waits for istiod.
func (r *relay) StreamAggregatedResources(envoy discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	ctx, cancel := context.WithCancel(envoy.Context())
	defer cancel()
	istiod, err := discovery.NewAggregatedDiscoveryServiceClient(r.istiod).StreamAggregatedResources(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	go func() {
		defer cancel()
		for {
			request, err := envoy.Recv()
			if err != nil {
				return
			}
			if refusal := request.ErrorDetail; refusal != nil {
				r.plane.Refused(r.pod, refusal.Message)
			}
			if istiod.Send(request) != nil {
				return
			}
		}
	}()
	for {
		response, err := istiod.Recv()
		if err != nil {
			return err
		}
		if err := r.translate(response); err != nil {
			return err
		}
		if err := envoy.Send(response); err != nil {
			return err
		}
	}
}

// translate changes a response into one for this machine.
func (r *relay) translate(response *discovery.DiscoveryResponse) error {
	const types = "type.googleapis.com/envoy.config."
	switch response.TypeUrl {
	case types + "listener.v3.Listener":
		return rewrite(response, r.listens)
	case types + "endpoint.v3.ClusterLoadAssignment":
		return rewrite(response, func(a *endpoints.ClusterLoadAssignment) (bool, error) { return true, r.place(a) })
	case types + "cluster.v3.Cluster":
		return rewrite(response, func(c *cluster.Cluster) (bool, error) { return true, r.place(c.GetLoadAssignment()) })
	case types + "route.v3.RouteConfiguration":
		return rewrite(response, func(c *route.RouteConfiguration) (bool, error) {
			c.RequestHeadersToAdd = append(c.RequestHeadersToAdd, &core.HeaderValueOption{
				Header:       &core.HeaderValue{Key: peerHeader, Value: self(r.pod).encode()},
				AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			})
			return true, nil
		})
	}
	return nil
}

// rewrite changes the resources of a response, and leaves out those that change
// does not keep.
func rewrite[T any, P interface {
	*T
	proto.Message
}](response *discovery.DiscoveryResponse, change func(P) (keep bool, err error)) error {
	var kept []*anypb.Any
	for _, packed := range response.Resources {
		resource := P(new(T))
		if err := packed.UnmarshalTo(resource); err != nil {
			return err
		}
		keep, err := change(resource)
		if err != nil {
			return err
		}
		if !keep {
			continue
		}
		if err := packed.MarshalFrom(resource); err != nil {
			return err
		}
		kept = append(kept, packed)
	}
	response.Resources = kept
	return nil
}

// listens keeps the listeners for all that leaves the pod by a port, and has them
// listen at the pod's address.
func (r *relay) listens(l *listener.Listener) (bool, error) {
	const everywhere, redirected = "0.0.0.0", "virtualOutbound" // that iptables leads to
	at := l.GetAddress().GetSocketAddress()
	if l.TrafficDirection != core.TrafficDirection_OUTBOUND || at.GetAddress() != everywhere || l.Name == redirected {
		return false, nil
	}
	l.BindToPort = nil // that is, yes
	return true, r.move(at, r.pod.Address)
}

// place moves the endpoints of a cluster that are pods.
func (r *relay) place(a *endpoints.ClusterLoadAssignment) error {
	for _, locality := range a.GetEndpoints() {
		for _, e := range locality.GetLbEndpoints() {
			at := e.GetEndpoint().GetAddress().GetSocketAddress()
			if !r.plane.IsPod(at.GetAddress()) {
				continue
			}
			if err := r.move(at, at.Address); err != nil {
				return err
			}
		}
	}
	return nil
}

// move makes an address the one that a pod's address has on this machine.
func (r *relay) move(at *core.SocketAddress, pod string) error {
	to, err := r.plane.Place(pod, int(at.GetPortValue()))
	if err != nil {
		return err
	}
	here := split(to)
	at.Address, at.PortSpecifier = here.Host, &core.SocketAddress_PortValue{PortValue: uint32(here.Port)}
	return nil
}
