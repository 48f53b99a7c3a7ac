// Package peers judges by the rules of other tools, for teams that come from there:
// [Flagger], [Argo] and [Kayenta] are Analyzers that read the same counts and give the
// verdict that the tool would give. None of them guarantees an error rate; package
// internal/study of this module measures how often each is wrong.
//
// The package also holds the statistics of a fixed sample that these tools are built
// on: the Mann-Whitney U test with the interval and the effect sizes of Kayenta's
// judge, and three more to compare with.
//
// All of them are valid at one look that was fixed beforehand. Who looks after
// every minute and stops at the first p-value below 5 % is wrong far more often
// than at 5 % of the looks; package analysis/sequential is made for that.
//
// # 1. The Mann-Whitney U test
//
// x are the n values of the canary, y the m values of the baseline. U counts the
// pairs in which x is the larger one, equal pairs by half:
//
//	U = #{x > y} + #{x = y}/2        mean n m/2
//
// If both arms are alike, every way to deal the n+m values to them is as likely
// as any other. The exact p-values count these ways, with their ties ([Exact]).
// They take n m (n+m) min(n,m) steps, so [MannWhitney] turns to the normal
// approximation above [MaxPairs] pairs ([Normal]), with N = n+m and groups of t
// equal values:
//
//	sigma^2 = n m/12 (N+1 - sum(t^3-t)/(N (N-1)))
//	z       = (U - n m/2 -+ 1/2)/sigma
//
// # 2. The shift
//
// [Shift] turns the test of section 1 round: it returns the shifts d by which the
// canary's values can be lowered without the normal test telling the arms apart.
// For one d, z(d) is the z of x-d and y. It falls in steps, at the differences of
// the pairs, and so the ends of the interval are where it passes the quantiles of
// the normal distribution, and the estimate is where it passes zero: the median of
// the differences (Hodges and Lehmann), give or take half a pair.
package peers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The errors of this package.
var (
	// ErrEmpty: an arm has no values.
	ErrEmpty = errors.New("rank: no values")
	// ErrNotFinite: a value is not a number, infinite, or beyond 1e300, where
	// sums and differences overflow.
	ErrNotFinite = errors.New("rank: a value that is not finite")
	// ErrTooMany: counting every way to deal the values would take too long.
	ErrTooMany = errors.New("rank: too many values for the exact distribution")
	// ErrLevel: a confidence is not between 0 and 1, or a percentage not from 0
	// to 100.
	ErrLevel = errors.New("rank: level out of range")
)

// Test is the answer of a Mann-Whitney U test.
type Test struct {
	// U counts the pairs in which the canary's value is the larger one, equal
	// pairs by half.
	U float64
	// Less is the chance of a U as small as this or smaller if both arms are
	// alike: small when the canary's values are low. Greater is the same for a U
	// as large or larger. TwoSided is twice the smaller one, at most 1.
	Less, Greater, TwoSided float64
	// Exact says that the chances were counted, not approximated.
	Exact bool
	// Sigma and Z are those of the approximation, with z moved by 1/2 pair towards
	// zero; 0 in an exact test, and when all values are equal.
	Sigma, Z float64
}

// MannWhitney tests whether x and y are alike: exactly up to MaxPairs pairs, by
// the normal approximation above. Test.Exact says which it was. The error is
// ErrEmpty or ErrNotFinite.
func MannWhitney(x, y []float64) (Test, error) {
	if len(x) <= MaxPairs && len(y) <= MaxPairs && len(x)*len(y) <= MaxPairs {
		return Exact(x, y)
	}
	return Normal(x, y)
}

// Normal is the test by the normal approximation, with the corrections for ties
// and for continuity of section 1. R calls it wilcox.test(exact=FALSE).
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

// pooled is what a rank test knows of its values: how many of each arm share a
// value, from the smallest value to the largest.
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

// twiceU is a whole number, unlike U.
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

// sigma is 0 when all values are equal, also if rounding would leave a trace.
func (p pooled) sigma(ties float64) float64 {
	all := float64(p.n) + float64(p.m)
	variance := p.pairs() / 12 * (all + 1 - ties/(all*(all-1)))
	if ties >= cubed(p.n+p.m) || !(variance > 0) {
		return 0
	}
	return math.Sqrt(variance)
}

// z returns how many sigma u is from its mean, half a pair nearer; 0 if sigma is.
func (p pooled) z(u, sigma float64) float64 {
	above := u - p.pairs()/2
	if above == 0 || sigma == 0 {
		return 0
	}
	return (above - math.Copysign(0.5, above)) / sigma
}

// upper returns the chance of a normal value above z.
func upper(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
