package fake_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

func TestMirrors(t *testing.T) {
	const stable = "- route: [{destination: {host: reviews, subset: v1}}]\n  "
	cases := []struct {
		name, mirror string
		share        float64
	}{
		{"without percentage are all", "mirror: {host: reviews, subset: v2}", 1},
		{"of 0 percent are off", "mirror: {host: reviews, subset: v2}\n  mirrorPercentage: {value: 0}", 0},
		{"take their percentage", "mirror: {host: reviews, subset: v2}\n  mirrorPercentage: {value: 12.5}", 0.125},
		{"know the older field", "mirror: {host: reviews, subset: v2}\n  mirrorPercent: 25", 0.25},
		{"prefer the newer field", "mirror: {host: reviews, subset: v2}\n  mirrorPercent: 25\n  mirrorPercentage: {value: 50}", 0.5},
		{"truncate to parts per million", "mirror: {host: reviews, subset: v2}\n  mirrorPercentage: {value: 0.57}", 0.005699},
		{"resolve one part per million", "mirror: {host: reviews, subset: v2}\n  mirrorPercentage: {value: 0.0001}", 0.000001},
		{"in a list have their own percentages", "mirrors: [{destination: {host: reviews, subset: v2}, percentage: {value: 10}}, {destination: {host: reviews, subset: v9}}]", 0.1},
		{"in a list are all without percentage", "mirrors: [{destination: {host: reviews, subset: v2}}]", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, stable+c.mirror)
			mesh := fake.NewMesh(server, fake.Config{Seed: 3})
			require.Empty(t, mesh.Problems())
			n, times := 1_000_000_000, 1000 // enough to tell 5699 from 5700 parts per million
			if strconv.IntSize == 64 {
				n, times = n*times, 1
			}
			var mirrored uint64
			for range times {
				result := mesh.Send(n, client)
				require.EqualValues(t, n, result.Sent())
				require.EqualValues(t, n, result.To("reviews-v1"), "users see stable only")
				mirrored += result.Mirrored("reviews-v2")
			}
			within(t, int64(n)*int64(times), c.share, mirrored)
		})
	}
}

func TestCopiesThatFailHarmNobody(t *testing.T) {
	for name, mirror := range map[string]string{
		"missing subset": "{host: reviews, subset: v9}",
		"no pod":         "{host: reviews, subset: v3}",
		"unknown host":   "{host: nobody}",
	} {
		t.Run(name, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, "[{route: [{destination: {host: reviews, subset: v1}}], mirror: "+mirror+"}]")
			result := fake.NewMesh(server, fake.Config{}).Send(10, client)
			require.Equal(t, "10 x {Workload:reviews-v1 Revision:v1 Image:reviews:1 Code:200 Flags: Mirrored:false}\n", outcomes(result))
		})
	}
}

func TestRequestsThatReachNoPodAreNotCopied(t *testing.T) {
	server := bookinfo(t)
	setRules(t, server, "[{route: [{destination: {host: reviews, subset: v9}}], mirror: {host: reviews, subset: v2}}]")
	result := fake.NewMesh(server, fake.Config{}).Send(10, client)
	require.EqualValues(t, 10, result.Broken())
	require.Zero(t, result.Mirrored("reviews-v2"))
}
