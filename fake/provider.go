package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/metrics"
)

// baseLine is how long before a window its base lines are looked for, at least.
const baseLine = 2 * time.Minute

// Counts implements metrics.Provider on the readings that were taken: what was
// counted since the last one is not seen. Metrics and labels have their standard
// names.
func (m *Mesh) Counts(ctx context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	counts, err := m.Sequence(ctx, q, []metrics.Window{w})
	if err != nil {
		return metrics.Counts{}, err
	}
	return counts[0], nil
}

// Sequence implements metrics.Sequencer.
func (m *Mesh) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := m.sequence(ctx, q, windows)
	if err != nil {
		return nil, fmt.Errorf("fake: %s: %w", q, err)
	}
	return counts, nil
}

// Slow implements metrics.Sequencer.
func (m *Mesh) Slow(
	ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window,
) ([][]metrics.Counts, error) {
	if len(bounds) == 0 {
		return nil, fmt.Errorf("fake: %w: there is no bound", metrics.ErrBadQuery)
	}
	counts := make([][]metrics.Counts, len(bounds))
	for i, bound := range bounds {
		var err error
		q.Signal = metrics.SlowerThan(bound)
		if counts[i], err = m.Sequence(ctx, q, windows); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func (m *Mesh) sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", metrics.ErrUnavailable, err)
	}
	if err := errors.Join(q.Validate(), metrics.Windows(windows)); err != nil {
		return nil, err
	}
	good, err := goodRequests(q.Signal)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	from := windows[0].From.Add(-max(baseLine, 2*m.config.Scrape))
	var all []metrics.Series
	for i, s := range m.counters.all {
		if !s.belongs(q) {
			continue
		}
		one := metrics.Series{Target: s.instance()}
		for _, row := range m.history.between(from, windows[len(windows)-1].To) {
			if i < len(row.readings) {
				r := &row.readings[i]
				one.Samples = append(one.Samples, metrics.Sample{At: row.at, Total: float64(r.requests), Good: good(s, r)})
			}
		}
		if len(one.Samples) > 0 {
			all = append(all, one)
		}
	}
	return metrics.Increases(all, windows)
}

// goodRequests returns how to tell the good requests of a reading.
func goodRequests(signal metrics.Signal) (func(*series, *reading) float64, error) {
	bound, ok := signal.Bound()
	if !ok {
		return func(s *series, r *reading) float64 {
			if signal.Failed(s.code(), "") {
				return 0
			}
			return float64(r.requests)
		}, nil
	}
	ms := float64(bound) / float64(time.Millisecond)
	i := slices.Index(bounds[:], ms)
	if i < 0 {
		return nil, fmt.Errorf("%w: %g ms", metrics.ErrNoBucket, ms)
	}
	return func(_ *series, r *reading) float64 { return float64(r.buckets.upTo(i)) }, nil
}

// belongs reports whether the query asks for the series.
func (s *series) belongs(q metrics.Query) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	to := s.to
	return !q.Signal.GRPC() && q.Reporter.String() == string(s.key.by) &&
		same(q.Arm.Workload, to.Workload) && same(q.Arm.Namespace, to.Namespace) &&
		same(q.Arm.Revision, to.Revision) && same(q.Arm.Service, to.Host)
}
