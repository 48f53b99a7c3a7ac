package fake_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake/apiserver"
)

// path walks down a document.
func path(o any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			o = o.(map[string]any)[k]
		case int:
			o = o.([]any)[k]
		}
	}
	return o
}

func setImage(t testing.TB, server *apiserver.Server, deployment, image string) {
	t.Helper()
	require.NoError(t, server.Update("deployments.apps", ns, deployment, func(o map[string]any) {
		path(o, "spec", "template", "spec", "containers", 0).(map[string]any)["image"] = image
	}))
}

func deploymentStatus(t testing.TB, server *apiserver.Server, deployment string) map[string]any {
	t.Helper()
	raw, ok := server.Get("deployments.apps", ns, deployment)
	require.True(t, ok)
	var o struct{ Status map[string]any }
	require.NoError(t, json.Unmarshal(raw, &o))
	return o.Status
}
