package peers_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis/peers"
)

// lowered returns the values less d.
func lowered(values []float64, d float64) []float64 {
	low := make([]float64, len(values))
	for i, v := range values {
		low[i] = v - d
	}
	return low
}

func TestTheShiftIsWhereTheTestPassesItsQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 12), drawArm(t, "y", 20)
		confidence := rapid.SampledFrom([]float64{0.5, 0.9, 0.98}).Draw(t, "confidence")
		q := math.Sqrt2 * math.Erfinv(confidence)
		got, err := peers.Shift(x, y, confidence)
		require.NoError(t, err)
		z := func(d float64) float64 {
			test, err := peers.Normal(lowered(x, d), y)
			require.NoError(t, err)
			return test.Z
		}
		passes := func(name string, r peers.Range, q float64) {
			require.GreaterOrEqual(t, z(r.Min-0.5), q, name) // the values are whole numbers
			require.LessOrEqual(t, z(r.Max+0.5), q, name)
			if r.Min < r.Max {
				require.Equal(t, q, z(r.Mid()+0.25), name)
			}
		}
		if got.Bounded {
			passes("lower", got.Lower, q)
			passes("upper", got.Upper, -q)
		} else {
			require.LessOrEqual(t, z(got.Lower.Min-0.5), q, "no shift is low enough")
			require.GreaterOrEqual(t, z(got.Upper.Max+0.5), -q, "no shift is high enough")
		}
		if len(x)*len(y) > 1 {
			passes("estimate", got.Estimate, 0)
		}
		require.LessOrEqual(t, got.Lower.Min, got.Estimate.Max)
		require.LessOrEqual(t, got.Estimate.Min, got.Upper.Max)
	})
}

func TestTheShiftMovesAndGrowsWithTheValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 12), drawArm(t, "y", 20)
		before, err := peers.Shift(x, y, 0.98)
		require.NoError(t, err)
		moved, err := peers.Shift(lowered(x, -7), y, 0.98)
		require.NoError(t, err)
		turned, err := peers.Shift(y, x, 0.98)
		require.NoError(t, err)
		by := func(r peers.Range) peers.Range { return peers.Range{Min: r.Min + 7, Max: r.Max + 7} }
		turn := func(r peers.Range) peers.Range { return peers.Range{Min: 0 - r.Max, Max: 0 - r.Min} }
		require.Equal(t, peers.Interval{
			Lower: by(before.Lower), Estimate: by(before.Estimate), Upper: by(before.Upper), Bounded: before.Bounded,
		}, moved)
		require.Equal(t, turn(before.Estimate), turned.Estimate)
		require.Equal(t, before.Bounded, turned.Bounded)
		if before.Bounded {
			require.Equal(t, turn(before.Lower), turned.Upper)
		}
	})
}

func TestTheMedianOfTheDifferencesIsAnEstimate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 12), drawArm(t, "y", 20)
		var differences []float64
		for _, a := range x {
			for _, b := range y {
				differences = append(differences, a-b)
			}
		}
		median, err := peers.Percentile(differences, 50)
		require.NoError(t, err)
		got, err := peers.Shift(x, y, 0.98)
		require.NoError(t, err)
		require.LessOrEqual(t, got.Estimate.Min, median)
		require.LessOrEqual(t, median, got.Estimate.Max)
	})
}

func TestTooFewValuesHaveNoInterval(t *testing.T) {
	for _, c := range []struct {
		x, y    []float64
		bounded bool
	}{
		{[]float64{10}, []float64{1}, false},
		{[]float64{10, 11, 12, 13}, []float64{1, 2, 3, 4}, false},
		{[]float64{10, 11, 12, 13, 14}, []float64{1, 2, 3, 4, 5}, true},
		{[]float64{10, 10, 10, 10, 10}, []float64{1, 1, 1, 1, 1}, true},
	} {
		got, err := peers.Shift(c.x, c.y, 0.98)
		require.NoError(t, err)
		require.Equal(t, c.bounded, got.Bounded, "%v", c.x)
	}
}

func TestLevelsAreChecked(t *testing.T) {
	one := []float64{1}
	for _, bad := range []float64{0, 1, -1, math.NaN()} {
		_, err := peers.Shift(one, one, bad)
		require.ErrorIs(t, err, peers.ErrLevel)
	}
	for _, bad := range []float64{-1, 101, math.NaN()} {
		_, err := peers.Percentile(one, bad)
		require.ErrorIs(t, err, peers.ErrLevel)
	}
	for _, good := range []float64{0, 100} {
		q, err := peers.Percentile(one, good)
		require.NoError(t, err)
		require.Equal(t, 1.0, q)
	}
}

func TestThereIsNoRatioToNothing(t *testing.T) {
	for _, c := range [][2][]float64{{{1}, {0}}, {{0}, {1}}, {{1, -1}, {1}}, {{1e300}, {1e-300}}} {
		ratio, ok, err := peers.MeanRatio(c[0], c[1])
		require.NoError(t, err)
		require.False(t, ok)
		require.Zero(t, ratio)
	}
}

func TestWhereNothingCanBeToldTheTwoSharesAreAlike(t *testing.T) {
	for _, c := range [][4]float64{
		{0, 0, 0, 0}, {0, 10, 0, 10}, {10, 10, 10, 10}, {11, 10, 0, 10}, {-1, 10, 1, 10}, {1, math.Inf(1), 1, 10}, {math.NaN(), 1, 1, 1},
		{0, 1, 5e-324, 5e-324},
	} {
		z, p := peers.PooledZ(c[0], c[1], c[2], c[3])
		require.Equal(t, [...]float64{0, 0.5}, [...]float64{z, p}, "%v", c)
	}
	for _, c := range [][4]float64{{0, 1, 1, 1}, {10, 1, 0, 1}, {10, 1, 1, 0}, {math.NaN(), 1, 1, 1}, {math.Inf(1), 1, 1, math.Inf(1)}} {
		require.Zero(t, peers.MSPRT(c[0], c[1], c[2], c[3]), "%v", c)
	}
}

func ExampleMannWhitney() {
	canary := []float64{0.8, 1.1, 0.9, 1.4, 1.2, 1.3} // % bad, by the minute
	stable := []float64{0.7, 0.8, 0.6, 0.9, 0.7, 0.8}
	test, err := peers.MannWhitney(canary, stable)
	fmt.Printf("U %v of 36, p %.4f, exact: %v, %v\n", test.U, test.Greater, test.Exact, err)
	shift, err := peers.Shift(canary, stable, 0.98)
	fmt.Printf("%.2f, from %.2f to %.2f, %v\n", shift.Estimate.Mid(), shift.Lower.Mid(), shift.Upper.Mid(), err)
	// Output:
	// U 33.5 of 36, p 0.0076, exact: true, <nil>
	// 0.40, from 0.00 to 0.70, <nil>
}
