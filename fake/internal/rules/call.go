package rules

import "strings"

// Request is what a client sends, with defaults for what is empty: a GET of "/" by
// http.
type Request struct {
	// Host is the authority that the client names.
	Host string
	// Path is with a query if there is one.
	Path string
	// Method is "" for GET, Scheme is "" for http.
	Method, Scheme string
	// Port is the port that the client dials; 0 is the first one.
	Port uint32
	// Headers are single values by name; case of the names does not matter.
	Headers map[string]string
	// From is the proxy that the request passes first.
	From Source
}

// Source is a proxy that sends requests: the sidecar of a client, or a gateway. The
// defaults are a client in namespace default and istio-ingressgateway in
// istio-system.
type Source struct {
	// Gateway is namespace/name of a Gateway; "" is a sidecar.
	Gateway string
	// Namespace and Workload are those of the proxy's pod, and Labels its labels.
	Namespace string
	Workload  string
	Labels    map[string]string
}

// entry returns the name by which VirtualServices know the proxy.
func (s Source) entry() string {
	if s.Gateway == "" {
		return Sidecars
	}
	return s.Gateway
}

func (s Source) withDefaults() Source {
	namespace, workload := "default", "client"
	if s.Gateway != "" {
		namespace, workload = "istio-system", "istio-ingressgateway"
	}
	if s.Namespace == "" {
		s.Namespace = namespace
	}
	if s.Workload == "" {
		s.Workload = workload
	}
	return s
}

func (r Request) withDefaults() Request {
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Method == "" {
		r.Method = "GET"
	}
	if r.Scheme == "" {
		r.Scheme = "http"
	}
	r.From = r.From.withDefaults()
	return r
}

// Call is a Request made ready for matching.
type Call struct {
	Request
	// Bare is Host without port, in lower case.
	Bare  string
	path  string // without query
	query map[string]string
}

// NewCall makes a Request ready.
func NewCall(r Request) *Call {
	c := &Call{Request: r.withDefaults()}
	c.Bare = bareHost(c.Host)
	path, query, _ := strings.Cut(c.Path, "?")
	c.path, c.query = path, parseQuery(query)
	return c
}

// parseQuery returns the first value of each parameter, as it was sent: Envoy
// does not decode them.
func parseQuery(query string) map[string]string {
	if query == "" {
		return nil
	}
	values := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if _, ok := values[key]; !ok {
			values[key] = value
		}
	}
	return values
}

// header returns the value of a header by its name in any case, and of one that
// is there in several cases the first one in the order of the names.
func (c *Call) header(name string) (string, bool) {
	found, ok := "", false
	for key := range c.Headers {
		if strings.EqualFold(key, name) && (!ok || key < found) {
			found, ok = key, true
		}
	}
	return c.Headers[found], ok
}
