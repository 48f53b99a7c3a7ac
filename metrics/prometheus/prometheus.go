// Package prometheus implements [metrics.Sequencer], [metrics.Gauger],
// [metrics.ProxyCounter], [metrics.RefusalReader] and [metrics.ReachReader] with a Prometheus
// server, or with anything that has the same API.
//
// It queries raw counters and adds up their increments itself. PromQL's increase
// extrapolates: it reports requests that were never sent, and misses the first requests
// of a new series.
package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// API is the part of [v1.API] that a Provider uses.
type API interface {
	Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, error)
}

// Config describes the mesh's metrics. The zero value suits Istio's standard metrics,
// scraped at least once a minute.
type Config struct {
	// Names are the names of metrics and labels; the zero value means Istio's.
	Names metrics.Names
	// MaxAge is the greatest age of a reading, at least two scrape intervals. If the
	// newest reading of an arm is older at the end of the last window, the error is
	// ErrStale. A count of a window starts from the last reading before the window, which
	// may be as old as MaxAge. Zero means DefaultMaxAge.
	MaxAge time.Duration
	// Step is the interval at which Values evaluates its query, in whole milliseconds.
	// The value of a window is the mean of its points, so another Step gives another
	// mean. A window shorter than Step may have no point, and then has no value. Zero
	// means DefaultStep.
	Step time.Duration
}

// DefaultMaxAge is twice the default scrape interval of Prometheus.
const DefaultMaxAge = 2 * time.Minute

// DefaultStep is the scrape interval of Istio's own Prometheus.
const DefaultStep = 15 * time.Second

// Provider is a [metrics.Sequencer], a [metrics.Gauger], a [metrics.ProxyCounter], a
// [metrics.RefusalReader] and a [metrics.ReachReader]. It is safe for concurrent use if its API is.
type Provider struct {
	api    API
	config Config
}

// New returns a Provider that queries api. It reports every mistake in the Config at
// once, in an error that wraps metrics.ErrBadQuery.
func New(api API, c Config) (*Provider, error) {
	errs := []error{c.Names.Validate()}
	if api == nil {
		errs = append(errs, fmt.Errorf("prometheus: %w: the API is nil", metrics.ErrBadQuery))
	}
	if c.MaxAge < 0 {
		errs = append(errs, fmt.Errorf("prometheus: %w: MaxAge is %v; want 0 or more", metrics.ErrBadQuery, c.MaxAge))
	}
	if c.Step < 0 || c.Step%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("prometheus: %w: Step is %v; want whole milliseconds, 0 or more", metrics.ErrBadQuery, c.Step))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.MaxAge = cmp.Or(c.MaxAge, DefaultMaxAge)
	c.Step = cmp.Or(c.Step, DefaultStep)
	c.Names = c.Names.OrStandard()
	return &Provider{api, c}, nil
}

// Counts sends one query for the readings up to w.To, and adds up their increments with
// metrics.Increase. The cost is proportional to the number of the arm's series times the
// length of the window.
//
// The errors are those of package metrics. An error of the server or of the network wraps
// ErrUnavailable, and also the [v1.Error] or the error of ctx. There is no timeout but
// that of ctx.
func (p *Provider) Counts(ctx context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	counts, err := p.Sequence(ctx, q, []metrics.Window{w})
	if err != nil {
		return metrics.Counts{}, err
	}
	return counts[0], nil
}

// Sequence implements [metrics.Sequencer]. It sends one query, for all readings from
// MaxAge before the first window to the end of the last.
func (p *Provider) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := p.sequence(ctx, q, boundsOf(q.Signal), windows)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %s: %w", q, err)
	}
	return counts[0], nil
}

// SlowerThan implements [metrics.Sequencer]. It sends one query, for the buckets of all bounds.
func (p *Provider) SlowerThan(
	ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window,
) ([][]metrics.Counts, error) {
	if len(bounds) == 0 {
		return nil, fmt.Errorf("prometheus: %w: want at least one bound", metrics.ErrBadQuery)
	}
	for _, bound := range bounds {
		q.Signal = metrics.SlowerThan(bound)
		if err := q.Validate(); err != nil {
			return nil, fmt.Errorf("prometheus: %s: %w", q, err)
		}
	}
	counts, err := p.sequence(ctx, q, bounds, windows)
	if err != nil {
		return nil, fmt.Errorf("prometheus: slow requests to %s, reported by the %s: %w", q.Arm, q.Reporter, err)
	}
	return counts, nil
}

// sequence counts once for each bound, or once if there are no bounds.
func (p *Provider) sequence(
	ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window,
) ([][]metrics.Counts, error) {
	if err := metrics.Windows(windows); err != nil {
		return nil, err
	}
	w := metrics.Window{From: windows[0].From, To: windows[len(windows)-1].To}
	matrix, err := p.readings(ctx, q, bounds, w)
	if err != nil {
		return nil, err
	}
	all, err := decode(matrix, q, bounds, p.config.Names)
	if err != nil {
		return nil, err
	}
	counts := make([][]metrics.Counts, len(all))
	for i, series := range all {
		if err := fresh(series, w.To, p.config.MaxAge); err != nil {
			return nil, err
		}
		if counts[i], err = metrics.Increases(series, windows); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// readings asks for the readings that counts in the window need.
func (p *Provider) readings(ctx context.Context, q metrics.Query, bounds []time.Duration, w metrics.Window) (model.Matrix, error) {
	selector, err := selector(q, bounds, p.config.Names, w.Length()+p.config.MaxAge)
	if err != nil {
		return nil, err
	}
	return p.matrix(ctx, selector, w.To)
}

func (p *Provider) matrix(ctx context.Context, selector string, at time.Time) (model.Matrix, error) {
	answer, err := p.ask(ctx, selector, at)
	if err != nil {
		return nil, err
	}
	return asMatrix(answer)
}

// ask sends a query. It returns an error if the answer has warnings.
func (p *Provider) ask(ctx context.Context, query string, at time.Time) (model.Value, error) {
	answer, warnings, err := p.api.Query(ctx, query, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", metrics.ErrUnavailable, redacted(err))
	}
	if len(warnings) > 0 {
		return nil, fmt.Errorf("%w: %s", metrics.ErrPartial, strings.Join(warnings, "; "))
	}
	return answer, nil
}

// fresh returns ErrStale if even the newest reading is older than maxAge at the given
// time.
func fresh(series []metrics.Series, at time.Time, maxAge time.Duration) error {
	var newest time.Time
	for _, s := range series {
		if n := len(s.Samples); n > 0 && s.Samples[n-1].At.After(newest) {
			newest = s.Samples[n-1].At
		}
	}
	if age := at.Sub(newest); !newest.IsZero() && age > maxAge {
		return fmt.Errorf("%w: the newest reading is %v old, at most %v is allowed", metrics.ErrStale, age.Round(time.Second), maxAge)
	}
	return nil
}

// redacted is an error without the password and the query in the URL of the server, which
// may hold a token.
func redacted(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	server, parseErr := url.Parse(failed.URL)
	if parseErr != nil {
		return &url.Error{Op: failed.Op, URL: "the server", Err: failed.Err}
	}
	server.RawQuery, server.Fragment = "", ""
	return &url.Error{Op: failed.Op, URL: server.Redacted(), Err: failed.Err}
}
