package rules

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// condition is one part of a match block, made ready to be asked often.
type condition func(*Call) bool

// Block is one match block of an http rule: all its conditions must hold. The
// zero block matches everything.
type Block struct {
	sources  []condition // on the sender, which decide what its proxy is told
	requests []condition
	port     uint32 // that the client dialled; 0 is any
	// Open: every request of the sources matches, so that no later block of the
	// same source can ever match.
	Open bool
}

// Known reports whether the sender's proxy is told of b at all.
func (b Block) Known(c *Call, port uint32) bool {
	return (b.port == 0 || b.port == port) && all(b.sources, c)
}

// Everywhere reports whether all proxies are told of b, for all ports.
func (b Block) Everywhere() bool { return b.port == 0 && len(b.sources) == 0 }

// Holds reports whether b matches a call to a port.
func (b Block) Holds(c *Call, port uint32) bool { return b.Known(c, port) && all(b.requests, c) }

func all(conditions []condition, c *Call) bool {
	for _, ok := range conditions {
		if !ok(c) {
			return false
		}
	}
	return true
}

// compileBlock makes a match block ready. It returns what no Envoy takes, and what
// Istio's validation refuses.
func compileBlock(m *networking.HTTPMatchRequest) (b Block, refused, err error) {
	var c blockCompiler
	c.uri(m)
	c.text("scheme", m.Scheme, func(c *Call) string { return c.Scheme })
	c.text("method", m.Method, func(c *Call) string { return c.Method })
	c.text("authority", m.Authority, func(c *Call) string { return c.Host })
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		c.header(name, m.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.WithoutHeaders)) {
		c.withoutHeader(name, m.WithoutHeaders[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.QueryParams)) {
		c.parameter(name, m.QueryParams[name])
	}
	b = Block{compileSources(m), c.conditions, m.Port, len(c.conditions) == 0}
	return b, badMatch(m), errors.Join(c.errs...)
}

// compileSources makes ready what asks for the sender. As with Istio, nothing but
// the gateways counts where there are any.
func compileSources(m *networking.HTTPMatchRequest) []condition {
	if len(m.Gateways) > 0 {
		return []condition{func(c *Call) bool { return slices.Contains(m.Gateways, c.From.entry()) }}
	}
	var sources []condition
	if m.SourceNamespace != "" {
		sources = append(sources, func(c *Call) bool { return c.From.Namespace == m.SourceNamespace })
	}
	for name, value := range m.SourceLabels {
		sources = append(sources, func(c *Call) bool { return c.From.Labels[name] == value })
	}
	return sources
}

type blockCompiler struct {
	conditions []condition
	errs       []error
}

func (b *blockCompiler) add(c condition) { b.conditions = append(b.conditions, c) }

func (b *blockCompiler) uri(m *networking.HTTPMatchRequest) {
	if everyPath(m.Uri) {
		return
	}
	match, err := compileText(m.Uri, m.IgnoreUriCase)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("uri: %w", err))
		return
	}
	b.add(func(c *Call) bool { return match(c.path) })
}

// everyPath reports the ways to write a match that every path passes.
func everyPath(m *networking.StringMatch) bool {
	return m.GetMatchType() == nil || m.GetPrefix() == "/" || m.GetRegex() == ".*"
}

func (b *blockCompiler) text(what string, m *networking.StringMatch, of func(*Call) string) {
	if m.GetMatchType() != nil {
		b.value(what, m, func(c *Call) (string, bool) { return of(c), true })
	}
}

func (b *blockCompiler) header(name string, m *networking.StringMatch) {
	b.value("header "+name, m, func(c *Call) (string, bool) { return c.header(name) })
}

func (b *blockCompiler) parameter(name string, m *networking.StringMatch) {
	b.value("query parameter "+name, m, func(c *Call) (string, bool) {
		value, ok := c.query[name]
		return value, ok
	})
}

// value adds the condition that there is a value, and that it matches.
func (b *blockCompiler) value(what string, m *networking.StringMatch, of func(*Call) (string, bool)) {
	match, err := compileValue(m)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("%s: %w", what, err))
		return
	}
	b.add(func(c *Call) bool {
		value, ok := of(c)
		return ok && match(value)
	})
}

// withoutHeader: a header that is not there counts as empty, and an empty match
// asks whether it is there.
func (b *blockCompiler) withoutHeader(name string, m *networking.StringMatch) {
	match, err := compileValue(m)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("without header %s: %w", name, err))
		return
	}
	presence := anything(m)
	b.add(func(c *Call) bool {
		value, ok := c.header(name)
		if presence {
			return !ok
		}
		return !match(value)
	})
}

// anything reports whether a match only asks whether something is there. The star
// is Istio's word for that, and no regular expression.
func anything(m *networking.StringMatch) bool {
	return m.GetMatchType() == nil || m.GetRegex() == "*"
}

// compileValue makes the match of something ready that may not be there.
func compileValue(m *networking.StringMatch) (func(string) bool, error) {
	if anything(m) {
		return func(string) bool { return true }, nil
	}
	return compileText(m, false)
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
