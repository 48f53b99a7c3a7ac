package mirror

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
)

// allowed returns those of the methods that m lets pass. Nil lets all pass.
func allowed(m *api.StringMatch, methods []string) []string {
	var match func(method string) bool
	switch m := m.GetMatchType().(type) {
	case *api.StringMatch_Exact:
		match = func(method string) bool { return method == m.Exact }
	case *api.StringMatch_Prefix:
		match = func(method string) bool { return strings.HasPrefix(method, m.Prefix) }
	case *api.StringMatch_Regex:
		// As in Istio, the expression is RE2 and matches the whole value. One that
		// does not compile matches nothing.
		re, err := regexp.Compile("^(?:" + m.Regex + ")$")
		if err != nil {
			return nil
		}
		match = re.MatchString
	default:
		return methods
	}
	return slices.DeleteFunc(slices.Clone(methods), func(method string) bool { return !match(method) })
}

// condition returns what lets exactly the methods pass.
func condition(methods []string) *api.StringMatch {
	if len(methods) == 1 {
		return &api.StringMatch{MatchType: &api.StringMatch_Exact{Exact: methods[0]}}
	}
	return &api.StringMatch{MatchType: &api.StringMatch_Regex{Regex: strings.Join(methods, "|")}}
}

// encodeCondition returns condition as JSON.
func encodeCondition(methods []string) []byte {
	member := "regex"
	if len(methods) == 1 {
		member = "exact"
	}
	b, _ := json.Marshal(map[string]string{member: strings.Join(methods, "|")}) // strings always have an encoding
	return b
}

// narrow returns the blocks with the methods ANDed into each. A block that lets
// none of the methods pass is left out.
func narrow(blocks []*api.HTTPMatchRequest, methods []string) []*api.HTTPMatchRequest {
	if len(blocks) == 0 {
		return []*api.HTTPMatchRequest{{Method: condition(methods)}}
	}
	var narrowed []*api.HTTPMatchRequest
	for _, b := range blocks {
		if pass := allowed(b.GetMethod(), methods); len(pass) > 0 {
			b = b.DeepCopy()
			b.Method = condition(pass)
			narrowed = append(narrowed, b)
		}
	}
	return narrowed
}

// isToken reports whether s can be an HTTP method in upper case.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
}
