package plane

import (
	"errors"
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
	var held []net.Listener
	for _, port := range []*int{
		&p.etcd, &p.etcdPeer, &p.apiServer, &p.controllers,
		&p.istioHTTP, &p.istioWebhook, &p.istioXDS, &p.istioMonitoring,
		&p.prometheus,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			errs = append(errs, err)
			break
		}
		held = append(held, l) // until all are found, so that none is found twice
		*port = l.Addr().(*net.TCPAddr).Port
	}
	for _, l := range held {
		errs = append(errs, l.Close())
	}
	return p, errors.Join(errs...)
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
