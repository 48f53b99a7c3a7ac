package peers

import (
	"fmt"
	"math"
)

// MaxPairs is the greatest number of pairs for the exact distribution. 50 against 50
// values take about 30 ms, 20 against 20 about 2 ms.
const MaxPairs = 2500

// Exact is the test that counts every assignment of the values to the arms (section 1).
// It is exact with any ties. The error is ErrEmpty, ErrNotFinite, or ErrTooMany above
// MaxPairs pairs.
func Exact(x, y []float64) (Test, error) {
	p, err := pool(x, y)
	if err != nil {
		return Test{}, err
	}
	if p.pairs() > MaxPairs {
		return Test{}, fmt.Errorf("%w: %d against %d", ErrTooMany, p.n, p.m)
	}
	small, at := p, p.twiceU()
	if p.m < p.n { // counting is faster from the smaller arm's side
		small, at = p.swapped(), 2*p.n*p.m-at
	}
	less, greater := tails(small.ways(), at)
	if p.m < p.n {
		less, greater = greater, less
	}
	return Test{
		U: p.u(), Less: less, Greater: greater, TwoSided: math.Min(1, 2*math.Min(less, greater)), Exact: true,
	}, nil
}

func (p pooled) swapped() pooled {
	s := pooled{p.m, p.n, make([]group, len(p.groups))}
	for i, g := range p.groups {
		s.groups[i] = group{g.value, g.y, g.x}
	}
	return s
}

// ways returns, for every 2U, the number of assignments of n of the values with this U.
// It adds the groups one after the other. After some groups, ways[j][u] is the number of
// assignments with j values in x and 2U = u so far. k values of a group of t are greater
// than the values of earlier groups in y, and equal to the t-k others of the group.
func (p pooled) ways() []float64 {
	most := 2 * p.n * p.m
	ways := make([][]float64, p.n+1)
	for j := range ways {
		ways[j] = make([]float64, most+1)
	}
	ways[0][0] = 1
	dealt := 0
	for _, g := range p.groups {
		t := g.x + g.y
		for j := min(p.n, dealt); j >= max(0, dealt-p.m); j-- {
			for k := min(t, p.n-j); k >= 1; k-- {
				add(ways[j+k], ways[j], k*(2*(dealt-j)+t-k), choose(t, k))
			}
		}
		dealt += t
	}
	return ways[p.n]
}

// add adds times from[u] to to[u+by], for every u within the range.
func add(to, from []float64, by int, times float64) {
	if by >= len(to) {
		return
	}
	to = to[by:]
	for u, ways := range from[:len(to)] {
		to[u] += times * ways
	}
}

// choose returns n over k.
func choose(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return math.Round(c)
}

// tails returns the share of the assignments up to at, and from at.
func tails(ways []float64, at int) (less, greater float64) {
	below, above := 0.0, 0.0
	for u, w := range ways {
		if u < at {
			below += w
		}
		if u > at {
			above += w
		}
	}
	all := below + ways[at] + above
	return (below + ways[at]) / all, (above + ways[at]) / all
}
