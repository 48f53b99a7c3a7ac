package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// accessLog counts the requests that Envoy's access log tells, a line of JSON
// each, as the source of them. It is written to by one goroutine.
type accessLog struct {
	telemetry *telemetry
	self      peer
	proxy     Proxy
	part      []byte // of a line
	// unreadable ends Envoy: after a line that is not understood, nothing that is
	// counted could be relied on.
	unreadable func()
}

// Entry is a line of the access log, as the plane's mesh.yaml makes it. What Envoy
// does not know of a request is zero.
type Entry struct {
	Code        int
	Flags       string
	Duration    float64 // in milliseconds
	Authority   string
	UserAgent   string
	ContentType string
	GRPCStatus  json.Number
	Cluster     string
	Services    []service // of the cluster
	Workload    string    // of the pod, with its namespace, and its canonical service and revision
}

// Write counts the lines that are complete.
func (a *accessLog) Write(b []byte) (int, error) {
	a.part = append(a.part, b...)
	for {
		line, rest, ok := bytes.Cut(a.part, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		a.part = rest
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			a.unreadable()
			return 0, fmt.Errorf("envoy: access log: %w: %q", err, line)
		}
		a.telemetry.count(a.report(e))
		if a.proxy.Log != nil {
			a.proxy.Log(e)
		}
	}
}

func (a *accessLog) report(e Entry) report {
	r := report{
		reporter: "source", source: a.self, destination: e.destination(), code: e.Code, flags: e.Flags,
		took: time.Duration(e.Duration * float64(time.Millisecond)),
	}
	if strings.HasPrefix(e.ContentType, "application/grpc") {
		r.grpc, r.status = true, e.GRPCStatus.String()
	}
	switch {
	case len(e.Services) > 0:
		r.service = e.Services[0]
	case !a.proxy.Gateway: // there is no cluster: Istio takes what the client has said
		r.service = service{Host: e.Authority, Name: e.Authority}
	}
	return r
}

// destination is the pod, as istiod describes it for telemetry.
func (e Entry) destination() peer {
	parts := append(strings.Split(e.Workload, ";"), "", "", "", "")
	return peer{parts[0], parts[1], parts[2], parts[3]}
}
