package plane

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// places says where on this machine an address of the cluster is. The address of
// a pod is never given to another one, so a request to a pod that is gone is
// refused and reaches no stranger. It is safe for concurrent use.
type places struct {
	// network is the second number of all addresses of pods: 10.99.0.1 is in 99.
	network int
	// claim is held so that no other plane on this machine has the network. It is
	// nil where 127/8 is not loopback, as it is on Linux. There each port of each
	// address has a port of 127.0.0.1; elsewhere 10.99.a.b is 127.99.a.b and keeps
	// its ports, but for those that only root may listen on.
	claim net.Listener

	mu    sync.Mutex
	given map[string]string // where claim is nil
}

// The networks of pods. That before is the network of Services.
const firstNetwork, lastNetwork = 99, 254

func newPlaces() *places {
	for network := firstNetwork; network <= lastNetwork; network++ {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.%d.255.255:%d", network, MetricsPort)); err == nil {
			return &places{network: network, claim: l}
		}
	}
	return &places{network: firstNetwork, given: map[string]string{}}
}

// close lets other planes have the network.
func (p *places) close() {
	if p.claim != nil {
		_ = p.claim.Close() // nobody has connected
	}
}

// pod is the address of the nth pod.
func (p *places) pod(n int) string { return fmt.Sprintf("10.%d.%d.%d", p.network, n/250, 1+n%250) }

// of returns where a port of an address is, the same one each time.
func (p *places) of(ip string, port int) (string, error) {
	const privileged, moved = 1024, 10_000
	rest, ok := strings.CutPrefix(ip, "10.")
	if !ok {
		return "", fmt.Errorf("plane: %s is no address of the cluster", ip)
	}
	if p.claim != nil {
		if port < privileged {
			port += moved
		}
		return net.JoinHostPort("127."+rest, strconv.Itoa(port)), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := net.JoinHostPort(ip, strconv.Itoa(port))
	if to, ok := p.given[key]; ok {
		return to, nil
	}
	for {
		l, err := listenFree()
		if err != nil {
			return "", err
		}
		to, err := l.Addr().String(), l.Close()
		if err != nil || !slices.Contains(slices.Collect(maps.Values(p.given)), to) {
			p.given[key] = to
			return to, err
		}
	}
}

// IsPod reports whether an address of the cluster is that of a pod.
func (p *Plane) IsPod(ip string) bool {
	return strings.HasPrefix(ip, fmt.Sprintf("10.%d.", p.places.network))
}

// Place returns where on this machine a port of an address of the cluster is. It
// is the same one each time, whether or not somebody listens there.
func (p *Plane) Place(ip string, port int) (string, error) { return p.places.of(ip, port) }
