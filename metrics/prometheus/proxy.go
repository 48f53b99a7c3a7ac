package prometheus

import (
	"context"
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// Proxies implements metrics.ProxyCounter. It sends one query.
func (p *Provider) Proxies(ctx context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	counts, err := p.proxies(ctx, q, w)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %s: %w", q, err)
	}
	return counts, nil
}

func (p *Provider) proxies(ctx context.Context, q metrics.Query, w metrics.Window) (map[metrics.Proxy]metrics.Counts, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	if _, slow := q.Signal.Bound(); slow {
		return nil, fmt.Errorf("%w: the buckets of a histogram are not counted by proxy", metrics.ErrBadQuery)
	}
	matrix, err := p.readings(ctx, q, nil, w)
	if err != nil {
		return nil, err
	}
	series, err := decodeRequests(matrix, q.Signal, p.config.Names)
	if err != nil {
		return nil, err
	}
	if err := fresh(series, w.To, p.config.MaxAge); err != nil {
		return nil, err
	}
	n, byProxy := p.config.Names, map[metrics.Proxy][]metrics.Series{}
	for i, stream := range matrix {
		label := func(name string) string { return string(stream.Metric[model.LabelName(name)]) }
		proxy := metrics.Proxy{Workload: label(n.SourceWorkload), Namespace: label(n.SourceNamespace), Instance: label(n.Instance)}
		byProxy[proxy] = append(byProxy[proxy], series[i])
	}
	return metrics.ProxyIncreases(byProxy, w)
}
