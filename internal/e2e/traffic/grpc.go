// Package traffic sends real requests through the routes that istiod serves, and
// answers them.
package traffic

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/serin-go/serin/internal/e2e/plane"
)

const method = "/reviews.Reviews/Version"

// Port is where reviews serves.
const Port = 9080

// Version is a program that tells its version to whoever calls by gRPC.
func Version(version string) plane.Program {
	handler := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		if err := decode(&emptypb.Empty{}); err != nil {
			return nil, err
		}
		return wrapperspb.String(version), ctx.Err()
	}
	service := &grpc.ServiceDesc{
		ServiceName: "reviews.Reviews", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Version", Handler: handler}},
	}
	return func(pod plane.Pod) (func(), error) {
		l, err := pod.Listen(Port)
		if err != nil {
			return nil, err
		}
		s := grpc.NewServer()
		s.RegisterService(service, nil)
		go s.Serve(l) // ends with the server
		return s.GracefulStop, nil
	}
}

// Client calls a service by gRPC without a proxy: it learns the routes, weights
// and endpoints from istiod by itself. It is safe for concurrent use.
type Client struct{ conn *grpc.ClientConn }

// NewClient returns a client in a namespace for a host with its port. Close it.
func NewClient(p *plane.Plane, namespace, host string) (*Client, error) {
	bootstrap := fmt.Sprintf(`{
		"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}],
		"node": {
			"id": "sidecar~10.99.255.254~client.%[2]s~%[2]s.svc.cluster.local",
			"metadata": {"GENERATOR": "grpc", "NAMESPACE": %[2]q, "CLUSTER_ID": "Kubernetes"}
		}
	}`, p.XDS(), namespace)
	resolver, err := xds.NewXDSResolverWithConfigForTesting([]byte(bootstrap))
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("xds:///"+host,
		grpc.WithResolvers(resolver),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(p.Dial))
	if err != nil {
		return nil, err
	}
	return &Client{conn}, nil
}

// Call returns the version that answers. It waits until there are routes, but
// not longer than ctx.
func (c *Client) Call(ctx context.Context) (string, error) {
	answer := &wrapperspb.StringValue{}
	err := c.conn.Invoke(ctx, method, &emptypb.Empty{}, answer)
	return answer.Value, err
}

// Close ends the client.
func (c *Client) Close() error { return c.conn.Close() }
