// Package peers judges by the rules of other tools, for teams that already use them.
// [Flagger], [Argo] and [Kayenta] are Analyzers that read the same counts and give the
// verdict of the tool. None of them guarantees an error rate. Package internal/study of
// this module measures how often each is wrong.
//
// The package also has the fixed-sample statistics behind these tools: the Mann-Whitney U
// test, with the interval and the effect sizes of Kayenta's judge, and three more for
// comparison.
//
// All of them but [MSPRT] and [AsymptoticCS] are valid for one look at a time fixed
// beforehand. If you look every minute and stop at the first p-value below 5 %, you are
// wrong far more often than in 5 % of the rollouts. Use package analysis/sequential to
// look often.
//
// # 1. The Mann-Whitney U test
//
// x are the n values of the canary, y the m values of the baseline. U counts the pairs in
// which x is greater, and half of the pairs in which both are equal:
//
//	U = #{x > y} + #{x = y}/2        mean n m/2
//
// If both arms are alike, every assignment of the n+m values to the arms is equally
// likely. [Exact] counts these assignments, with ties, to get exact p-values. This takes
// n m (n+m) min(n,m) steps. Above [MaxPairs] pairs, [MannWhitney] therefore uses the
// normal approximation ([Normal]), with N = n+m and groups of t equal values:
//
//	sigma^2 = n m/12 (N+1 - sum(t^3-t)/(N (N-1)))
//	z       = (U - n m/2 -+ 1/2)/sigma
//
// # 2. The shift
//
// [Shift] inverts the test of section 1. It returns the shifts d for which the normal
// test does not tell x-d from y. Let z(d) be the z of x-d and y. It falls in steps, at
// the differences of the pairs. The ends of the interval are where z(d) passes the
// quantiles of the normal distribution. The estimate is where z(d) passes zero: the
// median of the differences (Hodges and Lehmann), within half a pair.
package peers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The errors of the statistics in this package.
var (
	// ErrEmpty is returned when an arm has no values.
	ErrEmpty = errors.New("peers: no values")
	// ErrNotFinite is returned when a value is NaN, infinite, or beyond 1e300, where sums
	// and differences overflow.
	ErrNotFinite = errors.New("peers: value is not finite")
	// ErrTooMany is returned when there are too many values to count every assignment.
	ErrTooMany = errors.New("peers: too many values for the exact distribution")
	// ErrLevel is returned when a confidence is not between 0 and 1, or a percentage is
	// not from 0 to 100.
	ErrLevel = errors.New("peers: level out of range")
)

// Test is the result of a Mann-Whitney U test.
type Test struct {
	// U is the number of pairs in which the canary's value is greater, plus half of the
	// pairs in which both values are equal.
	U float64
	// Less is the probability of a U this small or smaller if both arms are alike. It is
	// small if the canary's values are low. Greater is the same for a U this large or
	// larger. TwoSided is twice the smaller of the two, at most 1.
	Less, Greater, TwoSided float64
	// Exact says whether the probabilities are exact, not approximated.
	Exact bool
	// Sigma is the standard deviation of U, and Z the z-score, in the normal approximation
	// with a continuity correction of 1/2. Both are 0 in an exact test, and if all values
	// are equal.
	Sigma, Z float64
}

// MannWhitney tests whether x and y are alike: exactly for up to MaxPairs pairs, and by
// the normal approximation above. Test.Exact says which. The error is ErrEmpty or
// ErrNotFinite.
func MannWhitney(x, y []float64) (Test, error) {
	if len(x) <= MaxPairs && len(y) <= MaxPairs && len(x)*len(y) <= MaxPairs {
		return Exact(x, y)
	}
	return Normal(x, y)
}

// Normal is the test by the normal approximation, with the corrections for ties and
// continuity of section 1. In R it is wilcox.test(exact=FALSE). The error is ErrEmpty or
// ErrNotFinite.
func Normal(x, y []float64) (Test, error) {
	p, err := pool(x, y)
	if err != nil {
		return Test{}, err
	}
	t := Test{U: p.u(), Sigma: p.sigma(p.ties()), Less: 1, Greater: 1, TwoSided: 1}
	if t.Sigma == 0 {
		return t, nil
	}
	above := t.U - p.pairs()/2
	t.Z = p.z(t.U, t.Sigma)
	t.Less = upper(-(above + 0.5) / t.Sigma)
	t.Greater = upper((above - 0.5) / t.Sigma)
	t.TwoSided = math.Min(1, 2*upper(math.Abs(t.Z)))
	return t, nil
}

// pooled is the input of a rank test: how many values of each arm are equal, from the
// smallest value to the greatest.
type pooled struct {
	n, m   int
	groups []group
}

type group struct {
	value float64
	x, y  int
}

func pool(x, y []float64) (pooled, error) {
	groups := make([]group, 0, len(x)+len(y))
	for _, v := range x {
		groups = append(groups, group{v, 1, 0})
	}
	for _, v := range y {
		groups = append(groups, group{v, 0, 1})
	}
	if err := errors.Join(checkValues("x", x), checkValues("y", y)); err != nil {
		return pooled{}, err
	}
	slices.SortFunc(groups, func(a, b group) int { return cmp.Compare(a.value, b.value) })
	kept := groups[:0]
	for _, g := range groups {
		if last := len(kept) - 1; last >= 0 && kept[last].value == g.value {
			kept[last].x += g.x
			kept[last].y += g.y
			continue
		}
		kept = append(kept, g)
	}
	return pooled{len(x), len(y), kept}, nil
}

func checkValues(name string, values []float64) error {
	if len(values) == 0 {
		return fmt.Errorf("%w: %s", ErrEmpty, name)
	}
	for i, v := range values {
		if !(math.Abs(v) <= 1e300) {
			return fmt.Errorf("%w: %s[%d] is %v", ErrNotFinite, name, i, v)
		}
	}
	return nil
}

// twiceU returns 2U, which is an integer.
func (p pooled) twiceU() int {
	sum, below := 0, 0
	for _, g := range p.groups {
		sum += g.x * (2*below + g.y)
		below += g.y
	}
	return sum
}

func (p pooled) u() float64 { return float64(p.twiceU()) / 2 }

func (p pooled) pairs() float64 { return float64(p.n) * float64(p.m) }

// ties returns the sum of t^3-t.
func (p pooled) ties() float64 {
	sum := 0.0
	for _, g := range p.groups {
		sum += cubed(g.x + g.y)
	}
	return sum
}

func cubed(t int) float64 { f := float64(t); return f*f*f - f }

// sigma returns the standard deviation of U. It is exactly 0 if all values are equal,
// whatever rounding does.
func (p pooled) sigma(ties float64) float64 {
	all := float64(p.n) + float64(p.m)
	variance := p.pairs() / 12 * (all + 1 - ties/(all*(all-1)))
	if ties >= cubed(p.n+p.m) || !(variance > 0) {
		return 0
	}
	return math.Sqrt(variance)
}

// z returns how many sigma u is from its mean, half a pair nearer; 0 if sigma is 0.
func (p pooled) z(u, sigma float64) float64 {
	above := u - p.pairs()/2
	if above == 0 || sigma == 0 {
		return 0
	}
	return (above - math.Copysign(0.5, above)) / sigma
}

// upper returns the probability of a normal value above z.
func upper(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
