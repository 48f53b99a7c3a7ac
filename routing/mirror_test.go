package routing_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
)

// R11, R12: a mirror to the canary is the rollout's, in whichever of the ways that
// Istio takes it is written; others stay as they are.
func TestAMirrorToTheCanaryIsTheRolloutsHoweverItIsWritten(t *testing.T) {
	const to, log = `{host: reviews, subset: v2}`, `{destination: {host: log}, percentage: {value: 3}}`
	for name, c := range map[string]struct {
		mirror string
		reads  canary.Weight
		left   string // of what is not the rollout's
	}{
		"one":                         {"mirror: " + to, canary.Full, ""},
		"with a percentage":           {"mirror: " + to + ", mirrorPercentage: {value: 20}", 20 * canary.Percent, ""},
		"by its other name":           {"mirror: " + to + ", mirror_percentage: {value: 20}", 20 * canary.Percent, ""},
		"with an old percentage":      {"mirror: " + to + ", mirrorPercent: 20", 20 * canary.Percent, ""},
		"by its other name, old":      {"mirror: " + to + ", mirror_percent: 20", 20 * canary.Percent, ""},
		"in a list":                   {"mirrors: [{destination: " + to + ", percentage: {value: 20}}]", 20 * canary.Percent, ""},
		"in a list, all":              {"mirrors: [{destination: " + to + "}]", canary.Full, ""},
		"twice in a list":             {"mirrors: [{destination: " + to + ", percentage: {value: 20}}, {destination: " + to + ", percentage: {value: 30}}]", 50 * canary.Percent, ""},
		"in a list, with others":      {"mirrors: [" + log + ", {destination: " + to + ", percentage: {value: 20}}, " + log + "]", 20 * canary.Percent, "mirrors: [" + log + ", " + log + "]"},
		"others in a list":            {"mirrors: [" + log + "]", 0, "mirrors: [" + log + "]"},
		"to somewhere else, two ways": {"mirror: {host: log}, mirror_percent: 50", 0, "mirror: {host: log}, mirror_percent: 50"},
	} {
		t.Run(name, func(t *testing.T) {
			h := renderer(t, target())
			rule := func(mirror string) object {
				return service(t, "[{"+strings.Trim("route: ["+v1+"], "+mirror, ", ")+"}]")
			}
			o := rule(c.mirror)
			got, err := h.Read(o.typed(t), canary.Traffic{})
			require.NoError(t, err)
			require.Equal(t, canary.Traffic{Mirror: c.reads}, got)
			if !strings.Contains(name, "two ways") {
				for _, w := range []canary.Weight{canary.Full, 7 * canary.Percent, 1, 20 * canary.Percent} {
					o = o.render(t, h, canary.Traffic{Mirror: w})
				}
			}
			o = o.render(t, h, share(30)).render(t, h, canary.Traffic{})
			require.JSONEq(t, encode(t, rule(c.left).rules(t)), encode(t, o.rules(t)))
		})
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
