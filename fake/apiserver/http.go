package apiserver

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Request is a kind of API call: Request{"get", "virtualservices.networking.istio.io"}.
// For a subresource, Resource ends in "/status" or "/scale".
type Request struct{ Verb, Resource string }

// Requests returns how many calls of each kind have reached the server since New or the
// last [Server.ResetRequests], including calls that a hook refused. Discovery and calls
// for unknown resources are not counted.
func (s *Server) Requests() map[Request]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// ResetRequests sets all counters to zero.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.requests)
}

func (s *Server) count(c Call) {
	r := Request{c.Verb, c.Resource}
	if c.Subresource != "" {
		r.Resource += "/" + c.Subresource
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r]++
}

// target is what the path and the query of a request specify.
type target struct {
	res       *resource
	version   string
	query     url.Values
	mediaType string
	dryRun    bool
}

func (c Call) strict() bool { return c.query.Get("fieldValidation") == "Strict" }

func (c Call) key() key { return key{c.res, c.Namespace, c.Name} }

// ServeHTTP answers one request of the Kubernetes API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.answer(r)
	if a.Lost {
		panic(http.ErrAbortHandler)
	}
	a.writeHeader(w.Header())
	w.WriteHeader(a.Code)
	if a.stream == nil {
		_, _ = w.Write(a.Body) // an error means that the client is gone
		return
	}
	a.stream(r.Context(), responseFlusher{w, http.NewResponseController(w)})
}

func (a Answer) writeHeader(h http.Header) {
	maps.Copy(h, a.Header)
	h.Set("Content-Type", "application/json")
}

// answer executes a request, subject to the hooks.
func (s *Server) answer(r *http.Request) Answer {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if a, ok := discover(parts); ok {
		return a
	}
	call, err := parseCall(r, parts)
	if err != nil {
		return failure(err)
	}
	s.count(call)
	a := s.faults(r.Context(), call, func() Answer { return s.do(call) })
	if a.Code == 0 {
		a.Code = http.StatusOK
	}
	return a
}

// parseCall parses a request whose path is /api/VERSION/... or /apis/GROUP/VERSION/...
func parseCall(r *http.Request, parts []string) (Call, error) {
	group := ""
	if parts[0] == "apis" && len(parts) > 1 {
		group, parts = parts[1], parts[1:]
	}
	if len(parts) < 3 {
		return Call{}, notServed(r.Method, group, "")
	}
	c := parsePath(group, parts[1], parts[2:])
	if c.res == nil {
		return c, notServed(r.Method, group, parts[2])
	}
	return c, c.read(r)
}

func notServed(method, group, name string) error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, method, schema.GroupResource{Group: group, Resource: name}, "", "", 0, false)
}

// parsePath parses [namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]. The resource is
// nil if it is unknown.
func parsePath(group, version string, parts []string) Call {
	c := Call{target: target{version: version}}
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" {
		c.Namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 3 {
		return c
	}
	if c.res = findResource(group, version, parts[0]); c.res == nil {
		return c
	}
	c.Resource = c.res.id()
	parts = append(parts[1:], "", "")
	c.Name, c.Subresource = parts[0], parts[1]
	return c
}

// read reads the verb, the query and the body of a request.
func (c *Call) read(r *http.Request) error {
	c.query = r.URL.Query()
	c.dryRun = c.query.Get("dryRun") == "All"
	c.mediaType, _, _ = strings.Cut(r.Header.Get("Content-Type"), ";")
	c.Verb = c.verb(r.Method)
	if c.Verb == "" || (c.Subresource != "" && !c.subresource()) {
		return apierrors.NewMethodNotSupported(c.res.groupResource(), strings.ToLower(r.Method))
	}
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("reading the body: %v", err))
	}
	c.Body = body
	return nil
}

// namedVerbs maps the HTTP methods on one object to verbs.
var namedVerbs = map[string]string{
	http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
}

// verb returns the verb of an HTTP method; "" if it is invalid for the path.
func (c *Call) verb(method string) string {
	switch {
	case c.res.review && (c.Name != "" || method != http.MethodPost):
		return ""
	case c.Name != "":
		return namedVerbs[method]
	}
	switch method {
	case http.MethodGet:
		if isTrue(c.query.Get("watch")) {
			return "watch"
		}
		return "list"
	case http.MethodPost:
		if c.res.global || c.Namespace != "" {
			return "create"
		}
	case http.MethodDelete:
		return "deletecollection"
	}
	return ""
}

func (c *Call) subresource() bool {
	there := c.Subresource == "status" && !c.res.plain || c.Subresource == "scale" && c.res.scalable
	return there && (c.Verb == "get" || c.Verb == "update" || c.Verb == "patch")
}

func isTrue(s string) bool { return s == "true" || s == "1" }

// do executes a call and calls the listeners.
func (s *Server) do(c Call) Answer {
	var a Answer
	var err error
	switch c.Verb {
	case "get":
		a, err = s.doGet(c)
	case "list":
		a, err = s.doList(c)
	case "watch":
		a, err = s.doWatch(c)
	default:
		defer s.store.delivery.deliver()
		a, err = s.doWrite(c)
	}
	if err != nil {
		return failure(err)
	}
	return a
}
