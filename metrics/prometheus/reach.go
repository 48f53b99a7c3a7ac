package prometheus

import (
	"context"
	"fmt"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// Reach implements [metrics.ReachReader]. It sends one query, for the requests to the hosts that
// clients' proxies report, whatever became of them.
func (p *Provider) Reach(ctx context.Context, hosts metrics.Hosts, arms []metrics.Arm, windows []metrics.Window) ([]metrics.Reached, error) {
	reached, err := p.reach(ctx, hosts, arms, windows)
	if err != nil {
		return nil, fmt.Errorf("prometheus: requests to %v that reach no pod: %w", hosts, err)
	}
	return reached, nil
}

func (p *Provider) reach(ctx context.Context, hosts metrics.Hosts, arms []metrics.Arm, windows []metrics.Window) ([]metrics.Reached, error) {
	if err := metrics.Windows(windows); err != nil {
		return nil, err
	}
	pattern, n := hosts.Pattern(), p.config.Names
	if pattern == "" {
		return nil, fmt.Errorf("%w: there is no host", metrics.ErrBadQuery)
	}
	w := metrics.Window{From: windows[0].From, To: windows[len(windows)-1].To}
	matchers := []string{equal(n.Reporter, metrics.Source.String()), n.Service + "=~" + strconv.Quote(pattern)}
	matrix, err := p.matrix(ctx, selecting(n.Requests, matchers, w.Length()+p.config.MaxAge), w.To)
	if err != nil {
		return nil, err
	}
	all, series := make([]metrics.RequestCounter, len(matrix)), make([]metrics.Series, len(matrix))
	for i, stream := range matrix {
		label := func(name string) string { return string(stream.Metric[model.LabelName(name)]) }
		series[i] = requests(stream, label(n.Instance), false)
		all[i] = metrics.RequestCounter{
			Service: label(n.Service), Workload: label(n.Workload), Namespace: label(n.Namespace), Revision: label(n.Revision),
			Flags: label(n.Flags), SourceNamespace: label(n.SourceNamespace), Instance: label(n.Instance), Samples: series[i].Samples,
		}
	}
	if err := fresh(series, w.To, p.config.MaxAge); err != nil {
		return nil, err
	}
	return metrics.ReachOf(hosts, arms, all, windows)
}
