package mirror

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
)

// Methods says of which requests the canary gets copies: those with one of these
// methods, in upper case. None, the zero value, is GET, HEAD and OPTIONS, which
// write nothing, so that copies write nothing twice. For copies of all requests
// there is {Every}.
type Methods []string

// Every is any method, also one that writes.
const Every = "*"

// Every reports whether all requests are copied, whatever their method.
func (m Methods) Every() bool { return len(m) == 1 && m[0] == Every }

// Names returns the methods in use.
func (m Methods) Names() []string {
	if len(m) == 0 {
		return []string{"GET", "HEAD", "OPTIONS"}
	}
	return slices.Clone(m)
}

// Validate reports what is no method, or named twice.
func (m Methods) Validate() error {
	for i, name := range m {
		if m.Every() {
			return nil
		}
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" || slices.Contains(m[:i], name) {
			return fmt.Errorf("method %d: %q is named twice or not a method in upper case; for all there is {%q} alone", i, name, Every)
		}
	}
	return nil
}

// In returns those of the methods that a rule which matches on m lets through, as
// Istio matches: no condition lets all through, and a regular expression is RE2
// and matches the whole value. One that does not compile matches nothing.
func (m Methods) In(match *api.StringMatch) []string {
	var lets func(method string) bool
	switch is := match.GetMatchType().(type) {
	case *api.StringMatch_Exact:
		lets = func(method string) bool { return method == is.Exact }
	case *api.StringMatch_Prefix:
		lets = func(method string) bool { return strings.HasPrefix(method, is.Prefix) }
	case *api.StringMatch_Regex:
		re, err := regexp.Compile("^(?:" + is.Regex + ")$")
		if err != nil {
			return nil
		}
		lets = re.MatchString
	default:
		return m.Names()
	}
	return slices.DeleteFunc(m.Names(), func(method string) bool { return !lets(method) })
}
