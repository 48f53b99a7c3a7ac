package plane

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// ports are those of the parts, all on 127.0.0.1.
type ports struct {
	etcd, etcdPeer, apiServer, controllers             int
	istioHTTP, istioWebhook, istioXDS, istioMonitoring int
	prometheus                                         int
}

// freePorts finds ports that nobody uses now.
func freePorts() (ports, error) {
	var p ports
	var errs []error
	for _, port := range []*int{
		&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllers,
		&p.istioHTTP, &p.istioWebhook, &p.istioXDS, &p.istioMonitoring,
		&p.prometheus,
	} {
		l, err := listenFree()
		if err != nil {
			return p, err
		}
		defer func() { errs = append(errs, l.Close()) }() // when all are found, so that none is found twice
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return p, errors.Join(errs...)
}

// listenFree listens on a port that nobody uses now, and that no system gives to
// who asks for any: a part that is away for a while finds its port free.
func listenFree() (l net.Listener, err error) {
	const first, last, tries = 10_000, 32_000, 1000
	for range tries {
		if l, err = net.Listen("tcp", address(first+rand.IntN(last-first))); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
