package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
)

func TestARefusalNamesTheProxyIfItIsKnown(t *testing.T) {
	for want, r := range map[string]metrics.Refusal{
		"web-7d9f-x2lqp.shop refused routes": {Pod: "web-7d9f-x2lqp", Namespace: "shop", Resource: metrics.Routes},
		"web refused clusters":               {Pod: "web", Resource: metrics.Clusters},
		"a proxy refused listeners":          {Resource: metrics.Listeners},
	} {
		require.Equal(t, want, r.String())
	}
}
