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

// Request names a kind of API call: Request{"get", "virtualservices.networking.istio.io"}. The resource of a call to a
// subresource ends in "/status".
type Request struct{ Verb, Resource string }

// Requests returns how many calls of each kind have reached the server since it began or since [Server.ResetRequests],
// those that a hook then refused included. Discovery and calls that name no known resource are not counted.
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

// target is what the path and the query of a request say.
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
		_, _ = w.Write(a.Body) // a client that left needs no answer
		return
	}
	a.stream(r.Context(), responseFlusher{w, http.NewResponseController(w)})
}

func (a Answer) writeHeader(h http.Header) {
	maps.Copy(h, a.Header)
	h.Set("Content-Type", "application/json")
}

// answer does what a request asks for, as far as the hooks let it.
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

// parseCall reads a request whose path is /api/VERSION/... or /apis/GROUP/VERSION/...
func parseCall(r *http.Request, parts []string) (Call, error) {
	var c Call
	group := ""
	if parts[0] == "apis" && len(parts) > 1 {
		group, parts = parts[1], parts[1:]
	}
	if len(parts) < 3 {
		return c, apierrors.NewNotFound(schema.GroupResource{Group: group}, r.URL.Path)
	}
	c.version, parts = parts[1], parts[2:]
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" {
		c.Namespace, parts = parts[1], parts[2:]
	}
	c.res = findResource(group, c.version, parts[0])
	if c.res == nil || len(parts) > 3 {
		return c, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{Group: group, Resource: parts[0]},
			"", "", 0, false)
	}
	c.Resource = c.res.id()
	if len(parts) > 1 {
		c.Name = parts[1]
	}
	if len(parts) > 2 {
		c.Subresource = parts[2]
	}
	return c, c.read(r)
}

// read takes the verb, the query and the body of a request.
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

// verb is the verb of a method; empty when it does not fit to the path.
func (c *Call) verb(method string) string {
	named := c.Name != ""
	switch {
	case method == http.MethodGet && named:
		return "get"
	case method == http.MethodGet && isTrue(c.query.Get("watch")):
		return "watch"
	case method == http.MethodGet:
		return "list"
	case method == http.MethodPost && !named && (c.res.global || c.Namespace != ""):
		return "create"
	case method == http.MethodPut && named:
		return "update"
	case method == http.MethodPatch && named:
		return "patch"
	case method == http.MethodDelete && named:
		return "delete"
	case method == http.MethodDelete:
		return "deletecollection"
	}
	return ""
}

func (c *Call) subresource() bool {
	return c.Subresource == "status" && !c.res.plain && (c.Verb == "get" || c.Verb == "update" || c.Verb == "patch")
}

func isTrue(s string) bool { return s == "true" || s == "1" }

// do does what a call asks for and tells the listeners.
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
		defer s.store.deliver()
		a, err = s.doWrite(c)
	}
	if err != nil {
		return failure(err)
	}
	return a
}
