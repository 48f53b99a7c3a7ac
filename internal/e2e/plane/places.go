package plane

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// places says where on this machine an address of the cluster is. The address of
// a pod is never given to another one, so a request to a pod that is gone is
// refused and reaches no stranger. It is safe for concurrent use.
type places struct {
	// whole is whether all of 127/8 is loopback, as on Linux: then 10.99.a.b is
	// 127.99.a.b and keeps its ports, but for those that only root may listen on.
	// Elsewhere each port of each address has a port of 127.0.0.1.
	whole bool

	mu    sync.Mutex
	given map[string]string // where whole is false
}

func newPlaces() *places {
	l, err := net.Listen("tcp", "127.99.255.254:0")
	if err != nil {
		return &places{given: map[string]string{}}
	}
	_ = l.Close() // nobody has connected
	return &places{whole: true}
}

// of returns where a port of an address is, the same one each time.
func (p *places) of(ip string, port int) (string, error) {
	const privileged, moved = 1024, 10_000
	rest, ok := strings.CutPrefix(ip, "10.")
	if !ok {
		return "", fmt.Errorf("plane: %s is no address of the cluster", ip)
	}
	if p.whole {
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
	l, err := listenFree()
	if err != nil {
		return "", err
	}
	p.given[key] = l.Addr().String()
	return p.given[key], l.Close()
}

// IsPod reports whether an address of the cluster is that of a pod.
func IsPod(ip string) bool { return strings.HasPrefix(ip, "10.99.") }

// Place returns where on this machine a port of an address of the cluster is. It
// is the same one each time, whether or not somebody listens there.
func (p *Plane) Place(ip string, port int) (string, error) { return p.places.of(ip, port) }
