package fake

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// condition is one part of a match block, made ready to be asked often.
type condition func(*call) bool

// block is one match block of an http rule: all its conditions must hold. The
// zero block matches everything.
type block struct {
	conditions []condition
	port       uint32 // that the client dialled; 0 is any
	// open: only the kind of source is looked at, so that no later block of the
	// same source can ever match.
	open bool
}

func (b block) holds(c *call, port uint32) bool {
	if b.port != 0 && b.port != port {
		return false
	}
	for _, ok := range b.conditions {
		if !ok(c) {
			return false
		}
	}
	return true
}

// call is a Request made ready for matching.
type call struct {
	Request
	host  string // without port, lower case
	full  string // what a resolver makes of it; gateways take it as it is
	path  string // without query
	query url.Values
}

func newCall(r Request) *call {
	c := &call{Request: r.withDefaults()}
	c.host = bareHost(c.Host)
	c.full = c.host
	if c.From.Gateway == "" {
		c.full = dial(c.host, c.From.Namespace)
	}
	path, query, ok := strings.Cut(c.Path, "?")
	c.path = path
	if ok {
		c.query, _ = url.ParseQuery(query) // what can be read of it counts
	}
	return c
}

// header returns the value of a header by its name in any case.
func (c *call) header(name string) (string, bool) {
	for key, value := range c.Headers {
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

// compileBlock makes a match block of an object of namespace ns ready.
func compileBlock(m *networking.HTTPMatchRequest, ns string) (block, error) {
	var c blockCompiler
	c.source(m, ns)
	sourceOnly := len(c.conditions)
	c.uri(m)
	c.text("scheme", m.Scheme, func(c *call) string { return c.Scheme })
	c.text("method", m.Method, func(c *call) string { return c.Method })
	c.text("authority", m.Authority, func(c *call) string { return c.Host })
	for name, want := range m.Headers {
		c.header(name, want)
	}
	for name, want := range m.WithoutHeaders {
		c.withoutHeader(name, want)
	}
	for name, want := range m.QueryParams {
		c.parameter(name, want)
	}
	b := block{c.conditions, m.Port, len(c.conditions) == sourceOnly}
	return b, errors.Join(c.errs...)
}

type blockCompiler struct {
	conditions []condition
	errs       []error
}

func (b *blockCompiler) add(c condition) { b.conditions = append(b.conditions, c) }

// source adds what asks for the sender and its listener, not for the request.
func (b *blockCompiler) source(m *networking.HTTPMatchRequest, ns string) {
	if len(m.Gateways) > 0 {
		names := make([]string, len(m.Gateways))
		for i, name := range m.Gateways {
			names[i] = qualifyGateway(name, ns)
		}
		b.add(func(c *call) bool { return slices.Contains(names, c.From.entry()) })
	}
	if m.SourceNamespace != "" {
		b.add(func(c *call) bool { return c.From.Namespace == m.SourceNamespace })
	}
	for name, value := range m.SourceLabels {
		b.add(func(c *call) bool { return c.From.Labels[name] == value })
	}
}

func (b *blockCompiler) uri(m *networking.HTTPMatchRequest) {
	if everyPath(m.Uri) {
		return
	}
	match, err := compileText(m.Uri, m.IgnoreUriCase)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("uri: %w", err))
		return
	}
	b.add(func(c *call) bool { return match(c.path) })
}

// everyPath reports the ways to write a match that every path passes.
func everyPath(m *networking.StringMatch) bool {
	return m.GetMatchType() == nil || m.GetPrefix() == "/" || m.GetRegex() == "*" || m.GetRegex() == ".*"
}

func (b *blockCompiler) text(what string, m *networking.StringMatch, of func(*call) string) {
	if m.GetMatchType() == nil {
		return
	}
	match, err := compileText(m, false)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("%s: %w", what, err))
		return
	}
	b.add(func(c *call) bool { return match(of(c)) })
}

// reserved are the header names that Istio ignores in a match.
var reserved = []string{"uri", "scheme", "method", "authority"}

func (b *blockCompiler) header(name string, m *networking.StringMatch) {
	if slices.Contains(reserved, name) {
		return
	}
	match, err := compileText(m, false)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("header %s: %w", name, err))
		return
	}
	b.add(func(c *call) bool {
		value, ok := c.header(name)
		return ok && match(value)
	})
}

// withoutHeader: a header that is not there counts as empty, and an empty match
// asks whether it is there.
func (b *blockCompiler) withoutHeader(name string, m *networking.StringMatch) {
	match, err := compileText(m, false)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("without header %s: %w", name, err))
		return
	}
	presence := m.GetMatchType() == nil
	b.add(func(c *call) bool {
		value, ok := c.header(name)
		if presence {
			return !ok
		}
		return !match(value)
	})
}

func (b *blockCompiler) parameter(name string, m *networking.StringMatch) {
	match, err := compileText(m, false)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("query parameter %s: %w", name, err))
		return
	}
	b.add(func(c *call) bool { return c.query.Has(name) && match(c.query.Get(name)) })
}

// compileText makes one of Istio's string matches ready: exact, prefix, or a
// regular expression over the full value. A match that says nothing accepts
// every text. fold ignores case, but not in regular expressions.
func compileText(m *networking.StringMatch, fold bool) (func(string) bool, error) {
	switch m := m.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		if fold {
			return func(s string) bool { return strings.EqualFold(s, m.Exact) }, nil
		}
		return func(s string) bool { return s == m.Exact }, nil
	case *networking.StringMatch_Prefix:
		if fold {
			lower := strings.ToLower(m.Prefix)
			return func(s string) bool { return strings.HasPrefix(strings.ToLower(s), lower) }, nil
		}
		return func(s string) bool { return strings.HasPrefix(s, m.Prefix) }, nil
	case *networking.StringMatch_Regex:
		expr, err := regexp.Compile(`\A(?:` + m.Regex + `)\z`)
		if err != nil {
			return nil, err
		}
		return expr.MatchString, nil
	}
	return func(string) bool { return true }, nil
}
