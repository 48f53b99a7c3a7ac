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

// freePorts finds ports that nobody uses now, and that no system gives to who asks
// for any: a part that is away for a while finds its port free.
func freePorts() (ports, error) {
	const first, last, tries = 10_000, 32_000, 1000
	var p ports
	var errs []error
	var held []net.Listener
	for _, port := range []*int{
		&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllers,
		&p.istioHTTP, &p.istioWebhook, &p.istioXDS, &p.istioMonitoring,
		&p.prometheus,
	} {
		var err error
		for range tries {
			*port = first + rand.IntN(last-first)
			var l net.Listener
			if l, err = net.Listen("tcp", address(*port)); err == nil {
				held = append(held, l) // until all are found, so that none is found twice
				break
			}
		}
		errs = append(errs, err)
	}
	for _, l := range held {
		errs = append(errs, l.Close())
	}
	return p, errors.Join(errs...)
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
