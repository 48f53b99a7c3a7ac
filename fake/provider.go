package fake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/fake/internal/telemetry"
	"github.com/serin-go/serin/metrics"
)

// baseLine is how long before a window its base lines are looked for, at least.
const baseLine = 2 * time.Minute

// Counts implements metrics.Provider. It uses the readings so far: requests since the
// last reading are not counted yet. Metrics and labels have their standard names.
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

// SlowerThan implements metrics.Sequencer.
func (m *Mesh) SlowerThan(
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

func (m *Mesh) sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) (counts []metrics.Counts, err error) {
	err = m.read(ctx, q.Validate(), windows, func(from, to time.Time) error {
		all, err := m.net.Recorder.Series(q, from, to)
		if err == nil {
			counts, err = metrics.Increases(all, windows)
		}
		return err
	})
	return counts, err
}

// Reach implements metrics.ReachReader.
func (m *Mesh) Reach(ctx context.Context, hosts metrics.Hosts, arms []metrics.Arm, windows []metrics.Window) (reached []metrics.Reached, err error) {
	var mistake error
	if hosts.Pattern() == "" {
		mistake = fmt.Errorf("%w: there is no host", metrics.ErrBadQuery)
	}
	err = m.read(ctx, mistake, windows, func(from, to time.Time) (err error) {
		reached, err = metrics.ReachOf(hosts, arms, m.net.Recorder.Requests(from, to), windows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("fake: requests to %v that reach no pod: %w", hosts, err)
	}
	return reached, nil
}

// read reads what the windows need, unless there is a mistake.
func (m *Mesh) read(ctx context.Context, mistake error, windows []metrics.Window, read func(from, to time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", metrics.ErrUnavailable, err)
	}
	if err := errors.Join(mistake, metrics.Windows(windows)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	return read(m.history(windows[0]), windows[len(windows)-1].To)
}

func (m *Mesh) history(w metrics.Window) time.Time {
	return w.From.Add(-max(baseLine, 2*m.config.Scrape))
}

// Proxies implements metrics.ProxyCounter.
func (m *Mesh) Proxies(ctx context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	counts, err := m.proxies(ctx, q, w)
	if err != nil {
		return nil, fmt.Errorf("fake: %s: %w", q, err)
	}
	return counts, nil
}

func (m *Mesh) proxies(ctx context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", metrics.ErrUnavailable, err)
	}
	if err := errors.Join(q.Validate(), w.Validate()); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	all, err := m.net.Recorder.Proxies(q, m.history(w), w.To)
	if err != nil {
		return nil, err
	}
	return metrics.ProxyIncreases(all, w)
}

// Refusals implements metrics.RefusalReader: it returns the proxies that refuse their routes
// now, one for each workload, which is named as its pod. In this it knows more than istiod's
// counters say, and the window only has to be valid. Proxies that never sent a request are
// not in the list. [Mesh.Prometheus] does not have these counters.
func (m *Mesh) Refusals(ctx context.Context, w metrics.Window) ([]metrics.Refusal, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("fake: refusals: %w: %w", metrics.ErrUnavailable, err)
	}
	if err := w.Validate(); err != nil {
		return nil, fmt.Errorf("fake: refusals: %w", err)
	}
	found := map[metrics.Refusal]bool{}
	m.look(func() {
		for _, from := range m.net.Refusing() {
			found[metrics.Refusal{Pod: from.Workload, Namespace: from.Namespace, Resource: metrics.Routes}] = true
		}
	})
	return slices.SortedFunc(maps.Keys(found), func(a, b metrics.Refusal) int { return strings.Compare(a.String(), b.String()) }), nil
}

// Prometheus returns a handler like the HTTP API of a Prometheus server that scrapes the
// mesh: GET and POST of /api/v1/query with an instant selector or a range selector.
// Functions and operators are not simulated; such a query is answered with 422.
func (m *Mesh) Prometheus() http.Handler {
	return telemetry.API(func(look func(*telemetry.Recorder)) {
		m.look(func() { look(m.net.Recorder) })
	})
}

// Metrics returns a handler that writes all present counters in Prometheus' text format,
// as a proxy does.
func (m *Mesh) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		now := time.Now()
		m.advance(now)
		m.flowUntil(now)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = m.net.Recorder.WriteText(w) // a client that left needs no answer
	})
}
