package mirror

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
)

// Methods are the methods of the requests to mirror, in upper case. The zero value means
// GET, HEAD and OPTIONS: these do not write, so mirroring them does not write twice.
// {Every} mirrors all requests.
type Methods []string

// Every stands for all methods, including those that write.
const Every = "*"

// Every reports whether all requests are mirrored, whatever their method.
func (m Methods) Every() bool { return len(m) == 1 && m[0] == Every }

// Names returns the methods to mirror, with the default for the zero value.
func (m Methods) Names() []string {
	if len(m) == 0 {
		return []string{"GET", "HEAD", "OPTIONS"}
	}
	return slices.Clone(m)
}

// Validate returns an error if an entry is not a method in upper case or is listed twice.
func (m Methods) Validate() error {
	for i, name := range m {
		if m.Every() {
			return nil
		}
		if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" || slices.Contains(m[:i], name) {
			return fmt.Errorf("method %d: %q is listed twice or is not a method in upper case; to mirror all methods, use {%q} alone", i, name, Every)
		}
	}
	return nil
}

// In returns the methods to mirror that also satisfy match, by Istio's rules. If match is
// nil, every method satisfies it. A regular expression is RE2 and must match the whole
// method. An invalid regular expression matches nothing.
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
