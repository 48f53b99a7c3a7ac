package fake_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// V18: a canary that sends its clients away has no server errors, and is fast. The default judge
// finds it all the same, and lets versions be that send as many away as before.
func TestACanaryThatSendsItsClientsAwayIsRolledBack(t *testing.T) {
	for _, c := range []struct {
		status int
		v1, v2 float64 // of the requests
		want   phase.Phase
	}{
		{401, 0, 1, phase.RolledBack},
		{403, 0, 1, phase.RolledBack},
		{404, 0.02, 1, phase.RolledBack},
		{429, 0, 0.3, phase.RolledBack},
		{403, 0.2, 1, phase.RolledBack},
		{404, 0.05, 0.05, phase.Promoted},
		{404, 0.6, 0.6, phase.Promoted},
		{401, 0, 0.03, phase.Promoted},
		{422, 0.01, 1, phase.RolledBack},
	} {
		t.Run(fmt.Sprintf("%d in %v and %v", c.status, c.v1, c.v2), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t)
				setWeights(t, server, 100, 0)
				mesh := fake.NewMesh(server, fake.Config{Seed: 3, Versions: map[string]fake.Behaviour{
					"reviews:1": {Status: c.status, ErrorRate: c.v1}, "reviews:2": {Status: c.status, ErrorRate: c.v2},
				}})
				load := mesh.Load(50, client)
				state, err := rollout(t, server, sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1}).Run(t.Context())
				sent := load.Stop()
				away := sent.Sum(func(o fake.Outcome) bool { return o.Image == "reviews:2" && o.Code == c.status && !o.Mirrored })
				require.Equal(t, c.want, state.Phase, "%v: %s", err, state.Reason)
				if c.want == phase.RolledBack {
					require.Contains(t, state.Reason, "client errors (4xx, or the client left)")
					require.LessOrEqual(t, away, uint64(5*15*50*c.v2), "five looks at a fifth of the requests, and until they are seen")
				}
				t.Logf("%d sent away; %s", away, state.Reason)
			})
		})
	}
}
