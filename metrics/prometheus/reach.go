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
func (p *Provider) Reach(ctx context.Context, hosts metrics.Hosts, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := p.reach(ctx, hosts, windows)
	if err != nil {
		return nil, fmt.Errorf("prometheus: requests to %v that reach no pod: %w", hosts, err)
	}
	return counts, nil
}

func (p *Provider) reach(ctx context.Context, hosts metrics.Hosts, windows []metrics.Window) ([]metrics.Counts, error) {
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
	labels := make([]metrics.RequestLabels, len(matrix))
	for i, stream := range matrix {
		label := func(name string) string { return string(stream.Metric[model.LabelName(name)]) }
		labels[i] = metrics.RequestLabels{
			Service: label(n.Service), Workload: label(n.Workload), Flags: label(n.Flags),
			SourceNamespace: label(n.SourceNamespace), Instance: label(n.Instance),
		}
	}
	var all []metrics.Series
	for i, belongs := range hosts.Select(labels) {
		if belongs {
			all = append(all, requests(matrix[i], labels[i].Instance, labels[i].Unreached()))
		}
	}
	return p.increases(all, windows)
}
