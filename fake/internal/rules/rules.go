// Package rules compiles the http rules of Istio's VirtualServices: which calls they
// match, and what is done with these. It knows no objects but the rule itself.
package rules

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// Rule is an http rule with its names qualified, which is never changed.
type Rule struct {
	*networking.HTTPRoute
	// Routes are what it is by itself, without a delegate.
	Routes []Route
}

// Route is what one match block of an http rule leads to, or a whole rule
// without match blocks.
type Route struct {
	Block
	// Action is what is done with a matching request.
	Action *Action
	// Refused is why no Envoy takes the route, nil if all do.
	Refused error
}

// Action is what is done with a request that a rule matches.
type Action struct {
	// Abort and Delay are the injected faults.
	Abort Fault
	Delay Pause
	// Answer is a redirect or a direct response, if nothing is sent on; else nil.
	Answer *Answer
	// Split is where requests are sent, and Mirrors where copies are.
	Split   []Share
	Mirrors []Mirror
	// Changes are those of the headers; nil for none.
	Changes *Changes
	// Path makes the new path; nil keeps it.
	Path Rewriter
	// Timeout is the time for all tries; 0 is without limit.
	Timeout time.Duration
	// Retry is what is tried again; nil is nothing.
	Retry *Retries
}

// Plain is what is done with requests to a service that no rule is for.
func Plain(to Destination) *Action {
	return &Action{Split: []Share{{To: to, Weight: 1}}, Retry: usual}
}

// Answer is given by the proxy itself.
type Answer struct {
	// Code is the status.
	Code int
	// Body is that of a direct response.
	Body string
	// Redirect is where the client is sent; nil for a direct response.
	Redirect *Redirect
}

// Decode takes over the http rules of a VirtualService of namespace ns, or
// tells what Istio's validation would refuse.
func Decode(rules []*networking.HTTPRoute, ns string) ([]Rule, error) {
	decoded := make([]Rule, len(rules))
	var errs []error
	for i, r := range rules {
		qualifyRule(r, ns)
		routes, err := compileRule(r)
		if r.Mirror != nil && len(r.Mirrors) > 0 {
			err = errors.Join(err, errors.New("mirror and mirrors together"))
		}
		if err != nil {
			errs = append(errs, place(Title(i, Rule{HTTPRoute: r}), err))
		}
		decoded[i] = Rule{r, routes}
	}
	return decoded, errors.Join(errs...)
}

// compileRule makes an http rule ready whose names are qualified.
func compileRule(r *networking.HTTPRoute) ([]Route, error) {
	blocks := r.Match
	if len(blocks) == 0 {
		blocks = []*networking.HTTPMatchRequest{{}}
	}
	what, refused, err := compileAction(r)
	if err != nil {
		return nil, err
	}
	routes := make([]Route, len(blocks))
	for i, m := range blocks {
		b, badMatch, err := compileBlock(m)
		if err != nil {
			return nil, err
		}
		own, badPath, err := what.below(r, m)
		if err != nil {
			return nil, err
		}
		routes[i] = Route{b, own, errors.Join(place(fmt.Sprintf("match %d", i), badMatch), badPath, refused)}
	}
	return routes, nil
}

// compileAction makes ready what does not depend on the match block. It returns
// what no Envoy takes, and what Istio's validation refuses.
func compileAction(r *networking.HTTPRoute) (a *Action, refused, err error) {
	a = &Action{Mirrors: compileMirrors(r), Delay: compileDelay(r.Fault.GetDelay()), Timeout: max(0, r.Timeout.AsDuration())}
	a.Abort, refused = compileAbort(r.Fault.GetAbort())
	of, bad := compileHeaders(r.Headers)
	refused = errors.Join(refused, bad, badOrigins(r.CorsPolicy))
	of.Authority = cmp.Or(r.Rewrite.GetAuthority(), of.Authority)
	switch {
	case r.Redirect != nil:
	case r.DirectResponse != nil:
		a.Answer, bad = compileDirect(r.DirectResponse)
		refused = errors.Join(refused, bad)
	case r.Delegate == nil:
		a.Retry = compileRetries(r.Retries)
		a.Split, bad, err = compileSplit(r.Route, &of)
		refused = errors.Join(refused, bad)
	}
	refused = errors.Join(refused, of.tooMany()) // with those of its only destination
	if r.Headers != nil || of.Authority != "" || len(r.Route) == 1 && r.Route[0].Headers != nil {
		a.Changes = &of
	}
	return a, refused, err
}

// below returns a with what depends on a match block.
func (a *Action) below(r *networking.HTTPRoute, m *networking.HTTPMatchRequest) (own *Action, refused, err error) {
	if r.Redirect == nil && (r.Rewrite == nil || a.Answer != nil) {
		return a, nil, nil
	}
	copied := *a
	if r.Redirect != nil {
		copied.Answer, refused = compileRedirect(r.Redirect, m)
		return &copied, refused, nil
	}
	copied.Path, refused, err = compileRewrite(r.Rewrite, m)
	return &copied, refused, err
}

func compileDirect(d *networking.HTTPDirectResponse) (*Answer, error) {
	a := &Answer{Code: int(d.Status), Body: d.Body.GetString_()}
	if b := d.Body.GetBytes(); b != nil {
		a.Body = string(b)
	}
	return a, place("directResponse.status", badStatus(a.Code))
}
