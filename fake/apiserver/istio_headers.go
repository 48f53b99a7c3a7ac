package apiserver

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// headers checks the names of headers that are changed.
func (m *mistakes) headers(h *networking.Headers) {
	set := func(values map[string]string, authority bool) {
		for name, value := range values {
			m.changedHeader(name, authority)
			m.headerValue(value)
		}
	}
	set(h.GetRequest().GetAdd(), true)
	set(h.GetRequest().GetSet(), true)
	set(h.GetResponse().GetAdd(), false)
	set(h.GetResponse().GetSet(), false)
	for _, name := range slices.Concat(h.GetRequest().GetRemove(), h.GetResponse().GetRemove()) {
		m.changedHeader(name, false)
	}
}

func (m *mistakes) changedHeader(name string, authority bool) {
	m.add(name == "", "header name cannot be empty")
	isHost := strings.EqualFold(name, "host") || authority && strings.EqualFold(name, ":authority")
	m.add(isHost && !authority, "invalid header %q: cannot set Host header", name)
	m.add(!isHost && strings.HasPrefix(name, ":"), `invalid header %q: header cannot have ":" prefix`, name)
}

// headerValue checks the value that a header is set to. Text between two percent signs is
// an Envoy command, with arguments in parentheses. Two percent signs in a row stand for
// one.
func (m *mistakes) headerValue(value string) {
	for rest := value; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return
		}
		if escaped, ok := strings.CutPrefix(after, "%"); ok {
			rest = escaped
			continue
		}
		name, tail, closed := strings.Cut(after, "%")
		if open := strings.Index(name, "("); closed && open >= 0 {
			_, tail, closed = strings.Cut(after[open:], ")%")
		}
		if !closed {
			m.add(true, "header value configuration: invalid header configuration: %q has a %% that nothing closes", value)
			return
		}
		rest = tail
	}
}

// authority checks that a rule sets the host of a request only once.
func (m *mistakes) authority(rewrite *networking.HTTPRewrite, request *networking.Headers_HeaderOperations) {
	var names []string
	if name := rewrite.GetAuthority(); name != "" {
		names = append(names, name)
	}
	for _, values := range []map[string]string{request.GetSet(), request.GetAdd()} {
		for header, name := range values {
			if strings.EqualFold(header, "host") || strings.EqualFold(header, ":authority") {
				names = append(names, name)
			}
		}
	}
	m.add(len(names) > 1, "authority header cannot be set multiple times: %q", names)
}
