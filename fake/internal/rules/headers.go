package rules

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// Changes are what a rule or one of its destinations does to the headers of a
// request and of its answer. The zero value does nothing.
type Changes struct {
	// Request and Response are the headers of both.
	Request, Response Edit
	// Authority is the new Host; "" keeps it.
	Authority string
}

// Edit removes headers, then sets some, then adds some.
type Edit struct {
	remove   []string
	set, add []field
}

// field is a header and how to make its value.
type field struct {
	name  string
	value format
}

// compileHeaders makes a list of changes ready. The errors say what no Envoy
// takes.
func compileHeaders(h *networking.Headers) (Changes, error) {
	if h == nil {
		return Changes{}, nil
	}
	request, err := compileEdit(h.Request)
	response, err2 := compileEdit(h.Response)
	return Changes{request, response, authorityIn(h.Request)}, errors.Join(place("request headers", err), place("response headers", err2))
}

// authorityIn returns the Host among the headers to set, or else among those to
// add: Istio makes a rewrite of it. The last one counts, in the order of the names:
// Istio's webhook refuses several on a rule, but not on a destination.
func authorityIn(o *networking.Headers_HeaderOperations) string {
	find := func(values map[string]string) (found string) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if isAuthority(name) {
				found = values[name]
			}
		}
		return found
	}
	return cmp.Or(find(o.GetSet()), find(o.GetAdd()))
}

func isAuthority(name string) bool {
	return strings.EqualFold(name, ":authority") || strings.EqualFold(name, "host")
}

// untouchable reports a name that Istio leaves out of every list of changes.
func untouchable(name string) bool {
	return strings.HasPrefix(name, ":") || strings.EqualFold(name, "host")
}

// maxChanges is how many headers Envoy sets and adds by one list.
const maxChanges = 1000

func compileEdit(o *networking.Headers_HeaderOperations) (Edit, error) {
	if o == nil {
		return Edit{}, nil
	}
	var e Edit
	var errs []error
	for _, name := range o.Remove {
		if !untouchable(name) {
			e.remove = append(e.remove, name)
			errs = append(errs, badName(name))
		}
	}
	e.set, errs = compileFields(o.Set, errs)
	e.add, errs = compileFields(o.Add, errs)
	return e, errors.Join(errs...)
}

// compileFields returns the headers in the order of their names.
func compileFields(values map[string]string, errs []error) ([]field, []error) {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if untouchable(name) {
			continue
		}
		value, err := compileFormat(values[name])
		fields = append(fields, field{name, value})
		errs = append(errs, badName(name), place(name, err))
	}
	return fields, errs
}

func badName(name string) error {
	if name == "" {
		return fmt.Errorf("empty header name")
	}
	return place(fmt.Sprintf("name %q", name), badText(name))
}

// and is both lists as one.
func (e Edit) and(other Edit) Edit {
	return Edit{
		slices.Concat(e.remove, other.remove), slices.Concat(e.set, other.set), slices.Concat(e.add, other.add),
	}
}

// join adds what the only destination of a rule changes, as Istio writes it: the
// Host of the rule counts before that of the destination.
func (c *Changes) join(own Changes) {
	c.Request, c.Response = c.Request.and(own.Request), c.Response.and(own.Response)
	c.Authority = cmp.Or(c.Authority, own.Authority)
}

// tooMany reports lists that are longer than Envoy takes.
func (c *Changes) tooMany() error {
	return errors.Join(place("request headers", c.Request.tooMany()), place("response headers", c.Response.tooMany()))
}

func (e Edit) tooMany() error {
	if len(e.set)+len(e.add) > maxChanges {
		return fmt.Errorf("more than %d headers", maxChanges)
	}
	return nil
}

// Apply changes headers. All values are made before the first one is set; one
// that is empty changes nothing.
func (e Edit) Apply(h http.Header, v Values) {
	for _, name := range e.remove {
		h.Del(name)
	}
	set, add := e.render(e.set, v), e.render(e.add, v)
	for i, value := range set {
		if value != "" {
			h.Set(e.set[i].name, value)
		}
	}
	for i, value := range add {
		if value != "" {
			h.Add(e.add[i].name, value)
		}
	}
}

func (e Edit) render(fields []field, v Values) []string {
	rendered := make([]string, len(fields))
	for i, f := range fields {
		rendered[i] = f.value.render(v)
	}
	return rendered
}
