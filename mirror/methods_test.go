package mirror_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/mirror"
)

func TestMethodsAreThoseThatARuleLetsThrough(t *testing.T) {
	exact := func(s string) *api.StringMatch { return &api.StringMatch{MatchType: &api.StringMatch_Exact{Exact: s}} }
	prefix := func(s string) *api.StringMatch {
		return &api.StringMatch{MatchType: &api.StringMatch_Prefix{Prefix: s}}
	}
	regex := func(s string) *api.StringMatch { return &api.StringMatch{MatchType: &api.StringMatch_Regex{Regex: s}} }
	writes := mirror.Methods{"POST", "PUT"}
	for name, c := range map[string]struct {
		methods mirror.Methods
		match   *api.StringMatch
		want    []string
	}{
		"no condition":              {nil, nil, []string{"GET", "HEAD", "OPTIONS"}},
		"an empty condition":        {mirror.Methods{}, &api.StringMatch{}, []string{"GET", "HEAD", "OPTIONS"}},
		"one that is exact":         {nil, exact("GET"), []string{"GET"}},
		"another one":               {nil, exact("POST"), nil},
		"a prefix":                  {nil, prefix("H"), []string{"HEAD"}},
		"an expression":             {nil, regex("[GH].*"), []string{"GET", "HEAD"}},
		"it matches as a whole":     {nil, regex("GE|EAD|OPTIONS"), []string{"OPTIONS"}},
		"one that does not compile": {nil, regex("("), nil},
		"other methods":             {writes, regex("P.*"), []string{"POST", "PUT"}},
		"other methods, narrowed":   {writes, exact("PUT"), []string{"PUT"}},
	} {
		require.ElementsMatch(t, c.want, c.methods.In(c.match), name)
	}
	require.Equal(t, mirror.Methods{"POST", "PUT"}, writes, "the methods are not changed")
	writes.Names()[0] = "changed"
	require.Equal(t, "POST", writes[0])
}

func TestMethodsThatAreNoneAreTold(t *testing.T) {
	for _, m := range []mirror.Methods{nil, {}, {"POST"}, {"GET", "M-SEARCH"}, {mirror.Every}} {
		require.NoError(t, m.Validate(), m)
	}
	for _, m := range []mirror.Methods{{"get"}, {"GET", "GET"}, {""}, {"A|B"}, {mirror.Every, "GET"}, {"GET", mirror.Every}, {mirror.Every, mirror.Every}} {
		require.ErrorContains(t, m.Validate(), "is listed twice or is not a method in upper case", m)
		require.False(t, m.Every())
	}
	require.True(t, mirror.Methods{mirror.Every}.Every())
}
