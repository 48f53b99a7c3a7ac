package peers_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis/peers"
)

// drawArm draws values with many ties.
func drawArm(t *rapid.T, name string, most int) []float64 {
	whole := rapid.SliceOfN(rapid.IntRange(-5, 12), 1, most).Draw(t, name)
	values := make([]float64, len(whole))
	for i, v := range whole {
		values[i] = float64(v)
	}
	return values
}

// within says that two chances are the same but for rounding.
func within(t require.TestingT, want, got float64, messages ...any) {
	require.InDelta(t, want, got, 1e-12*max(1, math.Abs(want)), messages...)
}

var tests = map[string]func(x, y []float64) (peers.Test, error){"exact": peers.Exact, "normal": peers.Normal}

func TestWhichArmIsCalledXTurnsTheTestRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 12), drawArm(t, "y", 20)
		for name, test := range tests {
			a, err := test(x, y)
			require.NoError(t, err)
			b, err := test(y, x)
			require.NoError(t, err)
			require.Equal(t, float64(len(x)*len(y)), a.U+b.U, name)
			within(t, a.Less, b.Greater, name)
			within(t, a.Greater, b.Less, name)
			within(t, a.TwoSided, b.TwoSided, name)
			within(t, a.Z, -b.Z, name)
		}
	})
}

func TestOnlyTheOrderOfTheValuesMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 12), drawArm(t, "y", 20)
		grow := func(values []float64) (grown []float64) {
			for _, v := range values {
				grown = append(grown, math.Exp(v)+v)
			}
			return grown
		}
		shuffled := rapid.Permutation(x).Draw(t, "shuffled")
		for name, test := range tests {
			want, err := test(x, y)
			require.NoError(t, err)
			got, err := test(grow(shuffled), grow(y))
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	})
}

// enumerate is the exact test in the plainest words: every way to choose the
// arm x out of all values.
func enumerate(x, y []float64) (less, greater float64) {
	all := slices.Concat(x, y)
	twiceU := func(chosen uint) (sum int) {
		for i, a := range all {
			for j, b := range all {
				if chosen>>i&1 == 1 && chosen>>j&1 == 0 {
					switch {
					case a > b:
						sum += 2
					case a == b:
						sum++
					}
				}
			}
		}
		return sum
	}
	seen := twiceU(1<<len(x) - 1)
	ways := 0.0
	for chosen := uint(0); chosen < 1<<len(all); chosen++ {
		if bits(chosen) != len(x) {
			continue
		}
		ways++
		if u := twiceU(chosen); u <= seen {
			less++
		}
		if u := twiceU(chosen); u >= seen {
			greater++
		}
	}
	return less / ways, greater / ways
}

func bits(n uint) (count int) {
	for ; n > 0; n &= n - 1 {
		count++
	}
	return count
}

func TestTheExactTestCountsEveryWayToDealTheValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawArm(t, "x", 5), drawArm(t, "y", 5)
		less, greater := enumerate(x, y)
		got, err := peers.Exact(x, y)
		require.NoError(t, err)
		within(t, less, got.Less)
		within(t, greater, got.Greater)
		within(t, min(1, 2*min(less, greater)), got.TwoSided)
	})
}

func TestAtModerateSizesTheApproximationIsNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(0, 1), 12, 18).Draw(t, "x")
		y := rapid.SliceOfN(rapid.Float64Range(0, 1.3), 12, 18).Draw(t, "y")
		exact, err := peers.Exact(x, y)
		require.NoError(t, err)
		normal, err := peers.Normal(x, y)
		require.NoError(t, err)
		if normal.Sigma < 1 { // nearly all values are equal
			return
		}
		require.Equal(t, exact.U, normal.U)
		require.InDelta(t, exact.Less, normal.Less, 0.02)
		require.InDelta(t, exact.Greater, normal.Greater, 0.02)
	})
}

func TestTheTestSaysWhetherItCounted(t *testing.T) {
	at := func(n int) (values []float64) {
		for i := range n {
			values = append(values, float64(i))
		}
		return values
	}
	for _, c := range []struct {
		n, m  int
		exact bool
	}{{50, 50, true}, {50, 51, false}, {1, 2500, true}, {2501, 1, false}, {1, 1, true}} {
		got, err := peers.MannWhitney(at(c.n), at(c.m))
		require.NoError(t, err)
		require.Equal(t, c.exact, got.Exact, "%d against %d", c.n, c.m)
	}
	_, err := peers.Exact(at(50), at(51))
	require.ErrorIs(t, err, peers.ErrTooMany)
	apart, err := peers.Exact(at(50), slices.Repeat([]float64{99}, 50))
	require.NoError(t, err)
	require.InEpsilon(t, 9.911653021418849e-30, apart.Less, 1e-12, "one of 100 over 50")
}

func TestEqualValuesTellNothing(t *testing.T) {
	for name, test := range tests {
		got, err := test([]float64{0.1, 0.1, 0.1}, []float64{0.1})
		require.NoError(t, err)
		require.Equal(t, [...]float64{1.5, 1, 1, 1, 0}, [...]float64{got.U, got.Less, got.Greater, got.TwoSided, got.Z}, name)
	}
}

func TestValuesThatCannotBeRankedAreErrors(t *testing.T) {
	one := []float64{1}
	functions := map[string]func(x, y []float64) error{
		"exact":      func(x, y []float64) error { _, err := peers.Exact(x, y); return err },
		"normal":     func(x, y []float64) error { _, err := peers.Normal(x, y); return err },
		"shift":      func(x, y []float64) error { _, err := peers.Shift(x, y, 0.9); return err },
		"cles":       func(x, y []float64) error { _, err := peers.CLES(x, y); return err },
		"mean ratio": func(x, y []float64) error { _, _, err := peers.MeanRatio(x, y); return err },
		"percentile": func(x, y []float64) error {
			if _, err := peers.Percentile(x, 50); err != nil {
				return err
			}
			_, err := peers.Percentile(y, 50)
			return err
		},
	}
	for name, f := range functions {
		require.NoError(t, f(one, one), name)
		require.ErrorIs(t, f(nil, one), peers.ErrEmpty, name)
		require.ErrorIs(t, f(one, nil), peers.ErrEmpty, name)
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e301} {
			require.ErrorIs(t, f(one, []float64{1, bad}), peers.ErrNotFinite, name)
			require.ErrorIs(t, f([]float64{1, bad}, one), peers.ErrNotFinite, name)
		}
	}
}

func TestArgumentsStayAsTheyAre(t *testing.T) {
	x, y := []float64{3, 1, 2}, []float64{2, 9, 0}
	_, _ = peers.MannWhitney(x, y)
	_, _ = peers.Shift(x, y, 0.9)
	_, _ = peers.Percentile(x, 50)
	require.Equal(t, [][]float64{{3, 1, 2}, {2, 9, 0}}, [][]float64{x, y})
}

func FuzzNothingIsNaN(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 0}, []byte{7, 7}, 1.0, 0.98)
	f.Add([]byte{0}, []byte{0}, math.Inf(1), 0.5)
	f.Add([]byte{255, 0}, []byte{1}, 1e298, 1e-9)
	f.Fuzz(func(t *testing.T, a, b []byte, scale, level float64) {
		values := func(bytes []byte) (values []float64) {
			for _, v := range bytes[:min(len(bytes), 40)] {
				values = append(values, scale*float64(int8(v)))
			}
			return values
		}
		x, y := values(a), values(b)
		for _, test := range []func(x, y []float64) (peers.Test, error){peers.MannWhitney, peers.Normal} {
			if got, err := test(x, y); err == nil {
				for _, p := range []float64{got.Less, got.Greater, got.TwoSided} {
					require.True(t, 0 <= p && p <= 1, "%+v", got)
				}
				require.False(t, math.IsNaN(got.Z))
			}
		}
		if got, err := peers.Shift(x, y, level); err == nil {
			require.True(t, got.Lower.Min <= got.Lower.Max && got.Upper.Min <= got.Upper.Max, "%+v", got)
			require.True(t, got.Estimate.Min <= got.Estimate.Mid() && got.Estimate.Mid() <= got.Estimate.Max, "%+v", got)
			require.True(t, got.Lower.Min <= got.Upper.Max, "%+v", got)
		}
		if ratio, ok, err := peers.MeanRatio(x, y); err == nil && ok {
			require.False(t, math.IsNaN(ratio) || math.IsInf(ratio, 0))
		}
		if q, err := peers.Percentile(x, level); err == nil {
			require.False(t, math.IsNaN(q))
		}
		z, p := peers.PooledZ(float64(len(a)), scale, level, scale*level)
		require.False(t, math.IsNaN(z) || !(0 <= p && p <= 1), "%v %v", z, p)
		require.False(t, math.IsNaN(peers.MSPRT(float64(len(a)), scale, level, scale)))
	})
}

func BenchmarkExact(b *testing.B) {
	for name, n := range map[string]int{"20 against 20": 20, "50 against 50": 50} {
		x, y := make([]float64, n), make([]float64, n)
		for i := range n {
			x[i], y[i] = math.Sin(float64(i)), math.Cos(float64(i))
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = peers.Exact(x, y)
			}
		})
	}
}
