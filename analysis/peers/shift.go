package peers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Range is all numbers from Min to Max. Often it is a single number.
type Range struct{ Min, Max float64 }

// Mid returns the middle of the range.
func (r Range) Mid() float64 { return r.Min + (r.Max-r.Min)/2 }

// Interval says by how much the values of one arm are greater than those of another. Each
// Range holds all numbers that are equally good answers.
type Interval struct {
	Lower, Estimate, Upper Range
	// Bounded is false if the arms have too few values for the confidence. Then the test
	// would not tell the arms apart even if every value of one were greater than all
	// values of the other. The true interval is infinite, and Lower and Upper are only
	// the smallest and the greatest difference of a pair.
	Bounded bool
}

// Shift returns by how much x is greater than y: the estimate, and the interval at a
// confidence such as 0.98 (section 2). Kayenta's judge finds the same numbers with a root
// finder that stops within 1e-4; these are exact. Kayenta also accepts an interval that
// is not Bounded.
//
// Shift needs memory for every pair. The error is ErrEmpty, ErrNotFinite or ErrLevel.
func Shift(x, y []float64, confidence float64) (Interval, error) {
	if !(0 < confidence && confidence < 1) {
		return Interval{}, fmt.Errorf("%w: the confidence is %v", ErrLevel, confidence)
	}
	p, err := pool(x, y)
	if err != nil {
		return Interval{}, err
	}
	s, q := p.stairs(), math.Sqrt2*math.Erfinv(confidence)
	return Interval{
		Lower: s.passes(q), Estimate: s.passes(0), Upper: s.passes(-q),
		Bounded: p.z(p.pairs(), p.sigma(s.ties)) > q,
	}, nil
}

// stairs is z as a function of the shift. It changes only at the differences. At a
// difference the pairs with it are equal, below it x is greater, above it y is greater.
type stairs struct {
	pooled
	ties  float64 // within the arms
	diffs []diff
}

// diff is a difference of pairs.
type diff struct {
	at    float64
	pairs float64 // that have it
	above float64 // that have a larger one
	ties  float64 // that are added to those within the arms at this shift
}

func (p pooled) stairs() stairs {
	s := stairs{pooled: p}
	for _, g := range p.groups {
		s.ties += cubed(g.x) + cubed(g.y)
	}
	for _, a := range p.groups {
		for _, b := range p.groups {
			if a.x > 0 && b.y > 0 {
				// (x+y)^3-(x+y) less the same of x and of y is 3 x y (x+y)
				xy := float64(a.x) * float64(b.y)
				s.diffs = append(s.diffs, diff{at: a.value - b.value, pairs: xy, ties: 3 * xy * float64(a.x+b.y)})
			}
		}
	}
	slices.SortFunc(s.diffs, func(a, b diff) int { return cmp.Compare(a.at, b.at) })
	kept := s.diffs[:0]
	above := p.pairs()
	for _, d := range s.diffs {
		above -= d.pairs
		if last := len(kept) - 1; last >= 0 && kept[last].at == d.at {
			kept[last].pairs += d.pairs
			kept[last].ties += d.ties
			kept[last].above = above
			continue
		}
		d.above = above
		kept = append(kept, d)
	}
	s.diffs = kept
	return s
}

// stair returns z at a difference if i is even, and between two differences if i is odd.
func (s stairs) stair(i int) float64 {
	d := s.diffs[i/2]
	if i%2 == 0 {
		return s.z(d.above+d.pairs/2, s.sigma(s.ties+d.ties))
	}
	return s.z(d.above, s.sigma(s.ties))
}

// passes returns where z passes q: at a difference, or anywhere between two of them if z
// equals q there. It does not look below the smallest or above the greatest difference,
// where z is constant.
func (s stairs) passes(q float64) Range {
	last := 2*len(s.diffs) - 2
	from := min(last, sort.Search(last+1, func(i int) bool { return s.stair(i) <= q }))
	past := sort.Search(last+1, func(i int) bool { return s.stair(i) < q })
	if past <= from { // it jumps over q
		return Range{s.diffs[from/2].at, s.diffs[from/2].at}
	}
	return Range{s.diffs[from/2].at, s.diffs[past/2].at}
}
