package e2e_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// sample is what was seen of some equal requests: of each thing that can be seen
// of one how often that was, in sum and squared.
type sample struct {
	n            float64
	sum, squares map[string]float64
	// fates, in the fake mesh, are the shares of what becomes of many requests; nil
	// where it cannot know.
	fates map[string]float64
}

// add adds a request, of which these things were seen.
func (o *sample) add(seen []string) {
	if o.sum == nil {
		o.sum, o.squares = map[string]float64{}, map[string]float64{}
	}
	o.n++
	times := map[string]float64{}
	for _, what := range seen {
		times[what]++
	}
	for what, k := range times {
		o.sum[what] += k
		o.squares[what] += k * k
	}
}

// How many standard deviations are doubtful, and how many are no luck.
const (
	doubt     = 2.5
	certainty = 5
)

// differences says what was seen more often or less often than in the fake mesh.
func differences(seen, want sample, limit float64) []string {
	var all []string
	names := maps.Clone(seen.sum)
	maps.Copy(names, want.sum)
	maps.Copy(names, want.fates)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch k := seen.sum[name]; {
		case isFate(name) && want.fates == nil: // the fake knows them one by one only
		case isFate(name):
			if p := want.fates[name]; unlikely(k, seen.n, p, limit) {
				all = append(all, fmt.Sprintf("  %s: Envoy %v of %v, the fake %.4f %%", name, k, seen.n, 100*p))
			}
		case want.n > 0 && unlike(seen, want, name, limit):
			all = append(all, fmt.Sprintf("  %s: Envoy %v of %v, the fake %v of %v", name, k, seen.n, want.sum[name], want.n))
		}
	}
	return all
}

// unlikely reports whether k of n is far from a share. All and nothing leave
// nothing to luck; small shares are skewed.
func unlikely(k, n, p, limit float64) bool {
	const nothing = 1e-9
	band := 0.5 // of rounding
	if p > nothing && p < 1-nothing {
		band += limit*math.Sqrt(n*p*(1-p)) + limit/2
	}
	return math.Abs(k-n*p) > band
}

// unlike reports whether the means of two samples are far from each other.
func unlike(a, b sample, name string, limit float64) bool {
	_, variance := both(a, b, name)
	const nothing = 1e-9
	return math.Abs(a.sum[name]/a.n-b.sum[name]/b.n) > limit*math.Sqrt(variance*(1/a.n+1/b.n))+nothing
}

// both is the mean and the variance of what was seen of one request.
func both(a, b sample, name string) (mean, variance float64) {
	n := a.n + b.n
	mean = (a.sum[name] + b.sum[name]) / n
	return mean, max(0, (a.squares[name]+b.squares[name])/n-mean*mean)
}

// pools are deviations of many questions, summed up by what they are about: copies,
// retries, faults and weights that are a little off show in the sum.
type pools map[string]*struct{ deviation, variance float64 }

func (p pools) add(seen, want sample) {
	for name, share := range want.fates {
		what, workload, _ := strings.Cut(name, " to ")
		for _, of := range []string{what, "to " + workload} {
			p.sum(of, seen.sum[name]-seen.n*share, seen.n*share*(1-share))
		}
	}
	if want.n == 0 {
		return
	}
	names := maps.Clone(want.sum)
	maps.Copy(names, seen.sum)
	for name := range names {
		if of, _, arrived := strings.Cut(name, ":"); arrived && strings.HasPrefix(of, "arrived") {
			_, variance := both(seen, want, name)
			p.sum(of, seen.sum[name]-seen.n*want.sum[name]/want.n, seen.n*variance*(1+seen.n/want.n))
		}
	}
}

func (p pools) sum(of string, deviation, variance float64) {
	if p[of] == nil {
		p[of] = &struct{ deviation, variance float64 }{}
	}
	p[of].deviation += deviation
	p[of].variance += variance
}

// far says which sums are no luck.
func (p pools) far() (all []string) {
	for _, of := range slices.Sorted(maps.Keys(p)) {
		if s := p[of]; math.Abs(s.deviation) > certainty*math.Sqrt(s.variance)+1 {
			all = append(all, fmt.Sprintf("%s: %+.0f, with a standard deviation of %.0f", of, s.deviation, math.Sqrt(s.variance)))
		}
	}
	return all
}

// fit is how well shares that are neither small nor large fit what was seen: the
// sum of squared deviations, each of which is 1 by luck alone.
type fit struct{ squares, cells float64 }

func (f *fit) add(seen, want sample) {
	for name, p := range want.fates {
		if p > 0.1 && p < 0.9 {
			d := seen.sum[name] - seen.n*p
			f.squares += d * d / (seen.n * p * (1 - p))
			f.cells++
		}
	}
}

// good reports whether luck explains the deviations. The cells of one question
// depend on each other, hence the 2; and Envoy deals requests out to the pods of a
// cluster more evenly than luck would.
func (f *fit) good() bool { return f.squares-f.cells < certainty*2*math.Sqrt(2*f.cells) }

func (f *fit) String() string {
	return fmt.Sprintf("chi-square %.3f per cell of %.0f", f.squares/f.cells, f.cells)
}

func TestTheBandsHoldWhatLuckCanDo(t *testing.T) {
	of := func(n, k int) (o sample) {
		for i := range n {
			if i < k {
				o.add([]string{"a"})
			} else {
				o.add(nil)
			}
		}
		return o
	}
	require.False(t, unlikely(0, 600, 0, certainty))
	require.True(t, unlikely(1, 600, 0, certainty))
	require.True(t, unlikely(599, 600, 1, certainty))
	require.False(t, unlikely(350, 600, 0.5, certainty))
	require.True(t, unlikely(370, 600, 0.5, certainty))
	require.True(t, unlike(of(24, 1), of(24, 24), "a", certainty))
	require.True(t, unlike(of(600, 0), of(2000, 200), "a", certainty))
	require.False(t, unlike(of(600, 70), of(2000, 200), "a", certainty))
	require.NotEmpty(t, differences(of(24, 24), of(24, 0), certainty))
	require.Empty(t, differences(of(24, 24), of(24, 24), certainty))
	missing := of(24, 24)
	missing.fates = map[string]float64{fate(fake.Source{}, "v1", 200, ""): 1}
	require.NotEmpty(t, differences(of(24, 24), missing, certainty), "the log says nothing")
}

func TestSmallDeviationsShowInTheSum(t *testing.T) {
	copies := func(n, k int) (o sample) {
		for i := range n {
			if i < k {
				o.add([]string{"arrived at v2: GET /"})
			} else {
				o.add(nil)
			}
		}
		return o
	}
	good, bad := pools{}, pools{}
	for range 100 {
		good.add(copies(24, 8), copies(72, 24))
		bad.add(copies(24, 10), copies(72, 24))
	}
	require.Empty(t, good.far())
	require.Len(t, bad.far(), 1, "41.7 % are not 33.3 %")
}
