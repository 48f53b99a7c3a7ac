package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// Values implements [metrics.Gauger]. The query is PromQL that yields one series, so
// usually an aggregation:
//
//	avg(container_memory_working_set_bytes{namespace="shop",pod=~"cart-canary-.*"})
//
// Values sends one subquery, which evaluates the query every Config.Step. The points are
// at multiples of Step since 1970, so that they are at the same times in every call. The
// value of a window is the mean of its points, after From and up to To. The mean uses all
// measurements. The last point alone would be as noisy in a long window as in a short
// one.
//
// A point shows the last readings before it, which may be older than the window: by one
// scrape interval, or, if a series does not end properly, by the server's lookback,
// usually 5 minutes. A point that is NaN or infinite is ignored: a division by zero means
// that there was nothing to measure, such as CPU time per request without requests. A
// series that has ended has no more points. Neither case is an error, unless no window
// has a value (ErrNoSeries).
//
// Repeated calls return the same values under two conditions: the query only looks back
// (no negative offset, end() or start()), and the server has stored the readings already,
// as a scrape takes some time. If a target is gone, the end of its series is stored 1.1
// scrape intervals later.
//
// The errors are those of [Provider.Counts] except ErrStale. A query that the server
// cannot parse is ErrBadQuery, and several series are ErrManySeries.
func (p *Provider) Values(ctx context.Context, query string, windows []metrics.Window) ([]float64, error) {
	values, err := p.values(ctx, query, windows)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %s: %w", query, err)
	}
	return values, nil
}

func (p *Provider) values(ctx context.Context, query string, windows []metrics.Window) ([]float64, error) {
	if err := metrics.Windows(windows); err != nil {
		return nil, err
	}
	if strings.TrimSpace(query) == "" {
		return nil, fmt.Errorf("%w: the query is empty", metrics.ErrBadQuery)
	}
	subquery, at := subquery(query, windows, p.config.Step)
	answer, err := p.ask(ctx, subquery, at)
	if refused := (*v1.Error)(nil); errors.As(err, &refused) && refused.Type == v1.ErrBadData {
		return nil, fmt.Errorf("%w: %w", metrics.ErrBadQuery, refused)
	}
	if err != nil {
		return nil, err
	}
	points, err := onlySeries(answer)
	if err != nil {
		return nil, err
	}
	values := means(points, windows)
	for _, v := range values {
		if !math.IsNaN(v) {
			return values, nil
		}
	}
	return nil, metrics.ErrNoSeries
}

// subquery returns the query for the points of all windows, and its evaluation time. The
// server knows milliseconds only, so both ends are rounded outwards.
func subquery(query string, windows []metrics.Window, step time.Duration) (string, time.Time) {
	from := windows[0].From.Truncate(time.Millisecond)
	to := windows[len(windows)-1].To.Add(time.Millisecond - 1).Truncate(time.Millisecond)
	return fmt.Sprintf("(%s)[%s:%s]", query, model.Duration(to.Sub(from)), model.Duration(step)), to
}

// onlySeries returns the points of the only series in the answer; nil if there is none.
func onlySeries(answer model.Value) ([]model.SamplePair, error) {
	matrix, ok := answer.(model.Matrix)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: the answer is a %T, not a matrix", metrics.ErrBadQuery, answer)
	case len(matrix) == 0:
		return nil, nil
	case len(matrix) > 1:
		return nil, fmt.Errorf("%w: %s and %s; aggregate them, for example with avg(...)",
			metrics.ErrManySeries, matrix[0].Metric, matrix[1].Metric)
	case len(matrix[0].Histograms) > 0:
		return nil, fmt.Errorf("%w: the query yields native histograms, want numbers", metrics.ErrBadQuery)
	}
	return matrix[0].Values, nil
}

// means returns the mean of the points in each window; NaN for a window without points.
func means(points []model.SamplePair, windows []metrics.Window) []float64 {
	sums, n := make([]float64, len(windows)), make([]float64, len(windows))
	for _, point := range points {
		at, v := point.Timestamp.Time(), float64(point.Value)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		i := sort.Search(len(windows), func(i int) bool { return !at.After(windows[i].To) })
		if i < len(windows) && windows[i].Contains(at) {
			sums[i] += v
			n[i]++
		}
	}
	for i := range sums {
		sums[i] /= n[i] // 0/0 is NaN
		if math.IsInf(sums[i], 0) {
			sums[i] = math.NaN()
		}
	}
	return sums
}
