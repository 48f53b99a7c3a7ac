package metrics_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/metrics"
)

// The laws of Increases, by which evidence may be gathered again and again.

// drawFractions is drawSeries with counts that are rounded when they are added.
func drawFractions(t *rapid.T) []metrics.Series {
	all := drawSeries(t)
	for _, s := range all {
		for i := range s.Samples {
			s.Samples[i].Total /= 10
			s.Samples[i].Good /= 10
		}
	}
	return all
}

// drawCuts returns at least two times in their order.
func drawCuts(t *rapid.T) []int {
	cuts := rapid.SliceOfNDistinct(rapid.IntRange(-10, 390), 2, 12, rapid.ID[int]).Draw(t, "cuts")
	slices.Sort(cuts)
	return cuts
}

// meeting makes windows of the times between cuts.
func meeting(cuts []int) (windows []metrics.Window) {
	for i := range cuts[1:] {
		windows = append(windows, window(cuts[i], cuts[i+1]))
	}
	return windows
}

// apart leaves some of the windows out, but not all.
func apart(t *rapid.T, windows []metrics.Window) []metrics.Window {
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(windows), 1, len(windows), rapid.ID[metrics.Window]).Draw(t, "windows")
	slices.SortFunc(some, func(a, b metrics.Window) int { return a.From.Compare(b.From) })
	return some
}

// mustIncreases takes having nothing as zeros.
func mustIncreases(t require.TestingT, all []metrics.Series, windows []metrics.Window) []metrics.Counts {
	counts, err := metrics.Increases(all, windows)
	if metrics.NoData(err) {
		return make([]metrics.Counts, len(windows))
	}
	require.NoError(t, err)
	return counts
}

// upTo returns what was known at a window's end.
func upTo(all []metrics.Series, w metrics.Window) (known []metrics.Series) {
	for _, s := range all {
		i := slices.IndexFunc(s.Samples, func(r metrics.Sample) bool { return r.At.After(w.To) })
		if i >= 0 {
			s.Samples = s.Samples[:i]
		}
		known = append(known, s)
	}
	return known
}

func TestWhatWasCountedStaysTheSameBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, windows := drawFractions(t), apart(t, meeting(drawCuts(t)))
		late := mustIncreases(t, all, windows)
		for k := 1; k <= len(windows); k++ {
			known := upTo(all, windows[k-1])
			// Series that have no reading yet are not in the answer of a store.
			seen := slices.DeleteFunc(slices.Clone(known), func(s metrics.Series) bool { return len(s.Samples) == 0 })
			require.Equal(t, bitsOf(late[:k]), bitsOf(mustIncreases(t, known, windows[:k])))
			require.Equal(t, bitsOf(late[:k]), bitsOf(mustIncreases(t, seen, windows[:k])))
		}
	})
}

func bitsOf(counts []metrics.Counts) (bits [][2]uint64) {
	for _, c := range counts {
		bits = append(bits, [2]uint64{math.Float64bits(c.Total), math.Float64bits(c.Bad)})
	}
	return bits
}

func TestManyWindowsThatMeetAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, cuts := drawSeries(t), drawCuts(t)
		var sum metrics.Counts
		for _, c := range mustIncreases(t, all, meeting(cuts)) {
			sum = sum.Add(c)
		}
		require.Equal(t, mustIncrease(t, all, window(cuts[0], cuts[len(cuts)-1])), sum)
	})
}

// A counter may read anything at each scrape: every fall is a reset.
func TestNoWindowCountsLessThanNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := series("a")
		for i := range rapid.IntRange(1, 24).Draw(t, "scrapes") {
			total := rapid.Float64Range(0, 1e12).Draw(t, "total")
			good := total * rapid.Float64Range(0, 1).Draw(t, "good")
			s.Samples = append(s.Samples, metrics.Sample{At: at(15 * i), Total: total, Good: good})
		}
		for _, c := range mustIncreases(t, []metrics.Series{s}, apart(t, meeting(drawCuts(t)))) {
			require.GreaterOrEqual(t, c.Bad, 0.0)
			require.GreaterOrEqual(t, c.Total, c.Bad)
		}
	})
}

func TestTheOrderOfTheSeriesChangesNothingButTheRounding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, windows := drawSeries(t), apart(t, meeting(drawCuts(t)))
		require.Equal(t, mustIncreases(t, whole, windows), mustIncreases(t, rapid.Permutation(whole).Draw(t, "order"), windows))

		all := drawFractions(t)
		want, got := mustIncreases(t, all, windows), mustIncreases(t, rapid.Permutation(all).Draw(t, "order"), windows)
		for i := range want {
			require.InDelta(t, want[i].Total, got[i].Total, 1e-12*(1+want[i].Total))
			require.InDelta(t, want[i].Bad, got[i].Bad, 1e-12*(1+want[i].Total))
		}
	})
}

// Whichever scrapes fail, a window counts what the counter shows at its end more
// than at its start. So what was sent in a gap is in the window of the next
// reading, and the windows in the gap are empty.
func TestAGapBetweenScrapesLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := series("a", metrics.Sample{At: at(0), Total: 40, Good: 30})
		total, good := 40, 30
		last := rapid.IntRange(1, 24).Draw(t, "scrapes")
		for i := 1; i <= last; i++ {
			more := rapid.IntRange(0, 50).Draw(t, "more")
			total, good = total+more, good+rapid.IntRange(0, more).Draw(t, "good")
			if i == last || rapid.Bool().Draw(t, "scraped") {
				s.Samples = append(s.Samples, metrics.Sample{At: at(15 * i), Total: float64(total), Good: float64(good)})
			}
		}
		shown := func(w metrics.Window) (from, to metrics.Sample) {
			from, to = s.Samples[0], s.Samples[0]
			for _, r := range s.Samples {
				if !r.At.After(w.From) {
					from = r
				}
				if !r.At.After(w.To) {
					to = r
				}
			}
			return from, to
		}
		windows := meeting(drawCuts(t))
		for i, c := range mustIncreases(t, []metrics.Series{s}, windows) {
			from, to := shown(windows[i])
			all := to.Total - from.Total
			require.Equal(t, metrics.Counts{Total: all, Bad: all - (to.Good - from.Good)}, c)
		}
		require.Equal(t, float64(total-40), mustIncrease(t, []metrics.Series{s}, window(0, 15*last)).Total)
	})
}

// A process begins anew now and then, and at each reading shows a large counter of
// good requests and those of errors that it has met since. All that was ever read is
// counted, but for what the first reading shows.
func TestNoReadingOfAProcessThatBeganAnewIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const kinds = 3
		good, bad := series("a"), make([]metrics.Series, kinds)
		var want metrics.Counts
		now := 0
		for life := range rapid.IntRange(1, 5).Draw(t, "lives") {
			total, errors := 0, [kinds]int{}
			for reading := range rapid.IntRange(2, 4).Draw(t, "readings") {
				now += rapid.SampledFrom([]int{15, 30}).Draw(t, "seconds")
				if total += rapid.IntRange(50, 99).Draw(t, "good"); reading == 0 && life > 0 {
					total = rapid.IntRange(0, 49).Draw(t, "good at once")
				}
				good.Samples = append(good.Samples, metrics.Sample{At: at(now), Total: float64(total), Good: float64(total)})
				for i := range bad {
					more := rapid.IntRange(0, 2).Draw(t, "bad")
					if errors[i] += more; errors[i] > 0 {
						bad[i].Target = "a"
						bad[i].Samples = append(bad[i].Samples, badReading(now, float64(errors[i])))
					}
					if life+reading > 0 {
						want = want.Add(metrics.Counts{Total: float64(more), Bad: float64(more)})
					}
				}
			}
			want.Total += float64(total)
		}
		want.Total -= good.Samples[0].Total
		got := mustIncrease(t, append(bad, good), window(0, now))
		require.Equal(t, want, got)
	})
}
