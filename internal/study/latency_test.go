package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestsFallIntoBucketsAsTheDistributionHasIt(t *testing.T) {
	mean := buckets(1000, lognormal(1))
	total := 0.0
	for _, m := range mean {
		total += m
	}
	require.InDelta(t, 1000, total, 1e-9)
	require.InDelta(t, 0.5, above(80, 1), 1e-12)
	require.InDelta(t, above(80, 1), above(120, 1.5), 1e-12)
	_, useful := before(lognormal(1))
	require.Equal(t, []int{4, 5, 6, 7}, useful, "50 to 500 ms")
}
