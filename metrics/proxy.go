package metrics

import (
	"context"
	"fmt"
)

// Proxy is a proxy that reports the requests it sends: the sidecar of a client, or a
// gateway.
type Proxy struct {
	Workload, Namespace string // of the client
	// Instance is the name of the proxy in the store: Series.Target.
	Instance string
}

// String names the proxy: "web.shop at 10.0.0.7:15020".
func (p Proxy) String() string {
	name := p.Workload
	if p.Namespace != "" {
		name += "." + p.Namespace
	}
	switch {
	case name == "":
		return p.Instance
	case p.Instance == "":
		return name
	}
	return name + " at " + p.Instance
}

// ProxyCounter counts requests by the proxy that sent them. So it tells whether each proxy
// routes as written: see package canary/verify.
type ProxyCounter interface {
	// Proxies returns the counts of each proxy that sent requests to the arm in the window.
	// The map is empty if the store has readings of the arm and no counter grew.
	// ErrNoSeries means that it has none. The query's Reporter is Source.
	Proxies(ctx context.Context, q Query, w Window) (map[Proxy]Counts, error)
}

// ProxyIncreases is Increase for each proxy. A proxy without evidence in the window is left
// out. The error is ErrNoSeries if there are no proxies.
func ProxyIncreases(series map[Proxy][]Series, w Window) (map[Proxy]Counts, error) {
	if len(series) == 0 {
		return nil, ErrNoSeries
	}
	counts := make(map[Proxy]Counts, len(series))
	for proxy, own := range series {
		switch c, err := Increase(own, w); {
		case err == nil:
			counts[proxy] = c
		case !NoData(err):
			return nil, fmt.Errorf("%v: %w", proxy, err)
		}
	}
	return counts, nil
}
