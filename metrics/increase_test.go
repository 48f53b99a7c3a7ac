package metrics_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/metrics"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at returns noon plus seconds.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func window(from, to int) metrics.Window { return metrics.Window{From: at(from), To: at(to)} }

// reading is a Sample of a counter of good requests.
func reading(seconds int, total float64) metrics.Sample {
	return metrics.Sample{At: at(seconds), Total: total, Good: total}
}

// badReading is a Sample of a counter of bad requests.
func badReading(seconds int, total float64) metrics.Sample {
	return metrics.Sample{At: at(seconds), Total: total}
}

func series(target string, samples ...metrics.Sample) metrics.Series {
	return metrics.Series{Target: target, Samples: samples}
}

func TestIncreaseCountsTheStepsOfReadingsInTheWindow(t *testing.T) {
	var (
		steady  = series("a", reading(0, 100), reading(15, 110), reading(30, 125), reading(45, 130))
		restart = series("a", reading(0, 100), reading(15, 4), reading(30, 9))
	)
	for name, c := range map[string]struct {
		series []metrics.Series
		window metrics.Window
		want   metrics.Counts
		err    error
	}{
		"the last reading at the start is the base line":  {[]metrics.Series{steady}, window(15, 45), metrics.Counts{Total: 20}, nil},
		"a reading before the start is the base line too": {[]metrics.Series{steady}, window(20, 45), metrics.Counts{Total: 20}, nil},
		"a reading at the end counts, one after does not": {[]metrics.Series{steady}, window(0, 30), metrics.Counts{Total: 25}, nil},
		"without a base line the first reading is one":    {[]metrics.Series{steady}, window(-60, 45), metrics.Counts{Total: 30}, nil},
		"a counter that fell counts from zero":            {[]metrics.Series{restart}, window(0, 30), metrics.Counts{Total: 9}, nil},
		"a counter that was not there when another fell counts from zero": {
			[]metrics.Series{restart, series("a", badReading(0, 2), badReading(30, 3))},
			window(0, 30), metrics.Counts{Total: 12, Bad: 3}, nil},
		"a counter that has overtaken itself when another fell counts from zero": {
			[]metrics.Series{restart, series("a", badReading(0, 2), badReading(15, 2), badReading(30, 3))},
			window(0, 30), metrics.Counts{Total: 12, Bad: 3}, nil},
		"a counter that had read more than what fell goes on": {
			[]metrics.Series{steady, series("a", badReading(0, 9), badReading(15, 1))},
			window(0, 15), metrics.Counts{Total: 11, Bad: 1}, nil},
		"a counter that was read before another fell goes on": {
			[]metrics.Series{restart, series("a", badReading(5, 2), badReading(15, 2))},
			window(0, 15), metrics.Counts{Total: 6, Bad: 2}, nil},
		"a counter of another process goes on": {
			[]metrics.Series{restart, series("b", badReading(0, 2), badReading(30, 3))},
			window(0, 30), metrics.Counts{Total: 10, Bad: 1}, nil},
		"good and bad counters add up": {
			[]metrics.Series{steady, series("a", badReading(0, 1), badReading(15, 3), badReading(30, 3))},
			window(0, 30), metrics.Counts{Total: 27, Bad: 2}, nil},
		"the first error of a known process counts": {
			[]metrics.Series{steady, series("a", badReading(30, 3), badReading(45, 4))},
			window(0, 45), metrics.Counts{Total: 34, Bad: 4}, nil},
		"the first reading of an unknown process is a base line": {
			[]metrics.Series{steady, series("b", reading(30, 1e6), reading(45, 1e6+2)), series("b", badReading(30, 500))},
			window(0, 45), metrics.Counts{Total: 32}, nil},
		"without the name of the process it is unknown": {
			[]metrics.Series{series("", reading(0, 1), reading(15, 2)), series("", reading(15, 1e6))},
			window(0, 45), metrics.Counts{Total: 1}, nil},
		"a histogram that was reset is seen by either bucket": {
			[]metrics.Series{series("a",
				metrics.Sample{At: at(0), Total: 100, Good: 90},
				metrics.Sample{At: at(15), Total: 110, Good: 20})},
			window(0, 15), metrics.Counts{Total: 110, Bad: 90}, nil},
		"buckets read a request apart give no negative count": {
			[]metrics.Series{series("a",
				metrics.Sample{At: at(0), Total: 100, Good: 98},
				metrics.Sample{At: at(15), Total: 110, Good: 109})},
			window(0, 15), metrics.Counts{Total: 10}, nil},

		"no series":                          {nil, window(0, 15), metrics.Counts{}, metrics.ErrNoSeries},
		"series without readings":            {[]metrics.Series{series("a")}, window(0, 15), metrics.Counts{}, metrics.ErrNoSeries},
		"a single reading":                   {[]metrics.Series{series("a", reading(10, 5))}, window(0, 15), metrics.Counts{}, metrics.ErrTooFewSamples},
		"two readings, none in the window":   {[]metrics.Series{steady}, window(46, 59), metrics.Counts{}, metrics.ErrTooFewSamples},
		"counters that stand still":          {[]metrics.Series{series("a", reading(0, 5), reading(15, 5))}, window(0, 15), metrics.Counts{}, metrics.ErrNoTraffic},
		"NaN":                                {[]metrics.Series{series("a", reading(0, math.NaN()))}, window(0, 15), metrics.Counts{}, metrics.ErrNotANumber},
		"infinity":                           {[]metrics.Series{series("a", reading(0, math.Inf(1)))}, window(0, 15), metrics.Counts{}, metrics.ErrInfinite},
		"a sum beyond all numbers":           {[]metrics.Series{series("a", reading(0, 0), reading(1, 1e308), reading(2, 0), reading(3, 1e308))}, window(0, 15), metrics.Counts{}, metrics.ErrInfinite},
		"a negative counter":                 {[]metrics.Series{series("a", reading(0, -1))}, window(0, 15), metrics.Counts{}, metrics.ErrNotCounter},
		"more good requests than all":        {[]metrics.Series{series("a", metrics.Sample{At: at(0), Total: 1, Good: 2})}, window(0, 15), metrics.Counts{}, metrics.ErrNotCounter},
		"readings out of order":              {[]metrics.Series{series("a", reading(15, 1), reading(0, 2))}, window(0, 15), metrics.Counts{}, metrics.ErrNotCounter},
		"two readings at the same time":      {[]metrics.Series{series("a", reading(15, 1), reading(15, 2))}, window(0, 15), metrics.Counts{}, metrics.ErrNotCounter},
		"a window that ends before it began": {[]metrics.Series{steady}, window(15, 0), metrics.Counts{}, metrics.ErrBadQuery},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := metrics.Increase(c.series, c.window)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, got)
		})
	}
}

// drawSeries makes the readings of a few processes that are scraped every 15 s:
// each has several counters of whole numbers, which appear late and are reset
// now and then.
func drawSeries(t *rapid.T) []metrics.Series {
	var all []metrics.Series
	targets := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "c"}), 0, 5).Draw(t, "targets")
	for _, target := range targets {
		s := metrics.Series{Target: target}
		first := rapid.IntRange(0, 20).Draw(t, "first")
		last := rapid.IntRange(first, 24).Draw(t, "last")
		total, good := 0, 0
		for i := first; i <= last; i++ {
			if rapid.IntRange(0, 5).Draw(t, "reset") == 0 {
				total, good = 0, 0
			}
			more := rapid.IntRange(0, 50).Draw(t, "more")
			total += more
			good += rapid.IntRange(0, more).Draw(t, "good")
			s.Samples = append(s.Samples, metrics.Sample{At: at(15 * i), Total: float64(total), Good: float64(good)})
		}
		all = append(all, s)
	}
	return all
}

// mustIncrease takes having nothing as zero.
func mustIncrease(t require.TestingT, all []metrics.Series, w metrics.Window) metrics.Counts {
	c, err := metrics.Increase(all, w)
	if !metrics.NoData(err) {
		require.NoError(t, err)
	}
	return c
}

func TestWindowsThatMeetAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawSeries(t)
		from := rapid.IntRange(-10, 370).Draw(t, "from")
		middle := rapid.IntRange(from+1, 380).Draw(t, "middle")
		to := rapid.IntRange(middle+1, 390).Draw(t, "to")

		parts := mustIncrease(t, all, window(from, middle)).Add(mustIncrease(t, all, window(middle, to)))
		require.Equal(t, mustIncrease(t, all, window(from, to)), parts)
	})
}

func TestCountsAreNeverNegativeAndNeverMoreBadThanAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(-10, 370).Draw(t, "from")
		c := mustIncrease(t, drawSeries(t), window(from, rapid.IntRange(from+1, 400).Draw(t, "to")))
		require.GreaterOrEqual(t, c.Bad, 0.0)
		require.GreaterOrEqual(t, c.Total, c.Bad)
	})
}

// A proxy restarts at times between two scrapes; what it counted since the last
// scrape is lost. Nothing may be counted that was not sent.
func TestNoRequestIsInvented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent, counter float64
		s := series("a", reading(0, 0))
		for i := 1; i <= rapid.IntRange(1, 40).Draw(t, "scrapes"); i++ {
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				sent, counter = sent+float64(rapid.IntRange(0, 30).Draw(t, "unseen")), 0
			}
			more := float64(rapid.IntRange(0, 30).Draw(t, "more"))
			sent, counter = sent+more, counter+more
			s.Samples = append(s.Samples, reading(15*i, counter))
		}
		require.LessOrEqual(t, mustIncrease(t, []metrics.Series{s}, window(0, 1000)).Total, sent)
	})
}

func TestWithoutRestartsEveryRequestIsCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good, bad := series("a", reading(0, 7)), series("a")
		var all, failed float64
		for i := 1; i <= rapid.IntRange(1, 40).Draw(t, "scrapes"); i++ {
			g, b := float64(rapid.IntRange(0, 30).Draw(t, "good")), float64(rapid.IntRange(0, 3).Draw(t, "bad"))
			all, failed = all+g+b, failed+b
			good.Samples = append(good.Samples, reading(15*i, 7+all-failed))
			if failed > 0 {
				bad.Samples = append(bad.Samples, badReading(15*i, failed))
			}
		}
		got := mustIncrease(t, []metrics.Series{good, bad}, window(0, 1000))
		require.Equal(t, metrics.Counts{Total: all, Bad: failed}, got)
	})
}

func FuzzIncrease(f *testing.F) {
	bytesOf := func(values ...float64) (b []byte) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return b
	}
	f.Add(bytesOf(1, 1, 5, 4, 2, 0), uint8(1), int64(0), int64(30))
	f.Add(bytesOf(math.NaN(), 0), uint8(0), int64(0), int64(1))
	f.Add(bytesOf(0, 0, 1e308, 0, 0, 0, 1e308, 1e308), uint8(3), int64(-5), int64(60))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8, from, to int64) {
		all := []metrics.Series{{Target: "a"}, {Target: "a"}}
		for i := 0; len(data) >= 16; i, data = i+1, data[16:] {
			s := &all[0]
			if i >= int(cut) {
				s = &all[1]
			}
			s.Samples = append(s.Samples, metrics.Sample{
				At:    at(i),
				Total: math.Float64frombits(binary.LittleEndian.Uint64(data)),
				Good:  math.Float64frombits(binary.LittleEndian.Uint64(data[8:])),
			})
		}
		c, err := metrics.Increase(all, metrics.Window{From: noon.Add(time.Duration(from)), To: noon.Add(time.Duration(to))})
		if err != nil {
			require.Equal(t, metrics.Counts{}, c)
			return
		}
		require.True(t, 0 <= c.Bad && c.Bad <= c.Total && c.Total > 0 && !math.IsInf(c.Total, 0), "%v", c)
	})
}

func TestNothingIsHavingNoEvidenceYet(t *testing.T) {
	for _, err := range []error{metrics.ErrNoSeries, metrics.ErrNoTraffic, metrics.ErrTooFewSamples} {
		require.True(t, metrics.NoData(errors.Join(err)), "%v", err)
	}
	for _, err := range []error{
		metrics.ErrUnavailable, metrics.ErrPartial, metrics.ErrStale, metrics.ErrNotANumber, metrics.ErrInfinite,
		metrics.ErrNotCounter, metrics.ErrManySeries, metrics.ErrNoBucket, metrics.ErrNoLabel, metrics.ErrBadQuery, nil,
	} {
		require.False(t, metrics.NoData(err), "%v", err)
	}
}

// A hundred proxies over an hour at a scrape every 15 s.
func BenchmarkIncrease(b *testing.B) {
	all := make([]metrics.Series, 100)
	for i := range all {
		for j := range 240 {
			all[i].Samples = append(all[i].Samples, reading(15*j, float64(i*j)))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := metrics.Increase(all, window(0, 3600)); err != nil {
			b.Fatal(err)
		}
	}
}
