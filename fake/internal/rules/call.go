package rules

import "strings"

// Request has the fields of fake.Request.
type Request struct {
	Host, Path, Method, Scheme string
	Port                       uint32
	Headers                    map[string]string
	From                       Source
}

// Source has the fields of fake.Source.
type Source struct {
	Gateway, Namespace, Workload string
	Labels                       map[string]string
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
