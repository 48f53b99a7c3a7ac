package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// istiod's metrics of refusals, as in pkg/xds/monitoring.go of Istio 1.31. istiod sets the
// mark of a proxy to 1 when it refuses for the first time, and keeps it until istiod itself
// ends. So a mark says who refused, and the growth of the counter says when.
const (
	refusalCounter = "pilot_total_xds_rejects"            // by type
	refusalMarks   = "pilot_xds_(cds|eds|lds|rds)_reject" // by node and err
	connected      = "pilot_xds"                          // proxies; istiod has it without a refusal too
	earlierCounts  = `{__name__=~"` + connected + "|" + refusalCounter + `"}`
	everyRefusal   = `{__name__=~"` + connected + "|" + refusalCounter + "|" + refusalMarks + `"}`

	nodeLabel, typeLabel = "node", "type"
)

// resources are the kinds of configuration by istiod's name.
var resources = map[string]metrics.Resource{
	"cds": metrics.Clusters, "eds": metrics.Endpoints, "lds": metrics.Listeners, "rds": metrics.Routes,
}

// Refusals implements [metrics.RefusalReader] with the metrics of istiod, which the server
// must scrape. It sends two instant queries, however long the window is, or one if nothing
// was ever refused.
//
// istiod does not say when each proxy refused. Refusals returns all proxies that have
// refused a kind of configuration since their istiod began, if that istiod has counted a
// refusal of this kind in the window.
func (p *Provider) Refusals(ctx context.Context, w metrics.Window) ([]metrics.Refusal, error) {
	all, err := p.refusals(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("prometheus: refusals that istiod counted: %w", err)
	}
	return all, nil
}

func (p *Provider) refusals(ctx context.Context, w metrics.Window) ([]metrics.Refusal, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	now, err := p.vector(ctx, everyRefusal, w.To)
	if err != nil {
		return nil, err
	}
	if len(now) == 0 {
		return nil, metrics.ErrNoSeries
	}
	if !slices.ContainsFunc(now, func(s *model.Sample) bool { return s.Metric[model.MetricNameLabel] == refusalCounter }) {
		return nil, nil
	}
	before, err := p.vector(ctx, earlierCounts, w.From)
	switch {
	case err != nil:
		return nil, err
	case len(before) == 0:
		return nil, fmt.Errorf("%w at the beginning of the window", metrics.ErrNoSeries)
	}
	instance := model.LabelName(p.config.Names.Instance)
	return refused(now, grown(now, before, instance), instance), nil
}

// vector asks for the values at a time.
func (p *Provider) vector(ctx context.Context, query string, at time.Time) (model.Vector, error) {
	answer, err := p.ask(ctx, query, at)
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%w: the answer is a %T, not a vector", metrics.ErrNotCounter, answer)
	}
	return vector, nil
}

// kindAt is a kind of configuration that one istiod sends.
type kindAt struct {
	istiod   model.LabelValue
	resource metrics.Resource
}

// grown returns what was refused in between. A counter that was not there counts from zero,
// and so does one that fell.
func grown(now, before model.Vector, instance model.LabelName) map[kindAt]bool {
	was := make(map[model.Fingerprint]model.SampleValue, len(before))
	for _, s := range before {
		was[s.Metric.Fingerprint()] = s.Value
	}
	grown := map[kindAt]bool{}
	for _, s := range now {
		resource, ok := resources[string(s.Metric[typeLabel])]
		if ok && s.Metric[model.MetricNameLabel] == refusalCounter && s.Value > 0 && s.Value != was[s.Metric.Fingerprint()] {
			grown[kindAt{s.Metric[instance], resource}] = true
		}
	}
	return grown
}

// refused returns the proxies with a mark of what has grown, and a proxy without a name for
// what has no mark.
func refused(now model.Vector, grown map[kindAt]bool, instance model.LabelName) []metrics.Refusal {
	all, unnamed := map[metrics.Refusal]bool{}, maps.Clone(grown)
	for _, s := range now {
		at := kindAt{s.Metric[instance], markOf(s.Metric)}
		if s.Value <= 0 || !grown[at] {
			continue
		}
		delete(unnamed, at)
		all[refusalOf(string(s.Metric[nodeLabel]), at.resource)] = true
	}
	for at := range unnamed {
		all[metrics.Refusal{Resource: at.resource}] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b metrics.Refusal) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Resource, b.Resource))
	})
}

// markOf returns the kind of configuration that a mark is about; "" if it is none.
func markOf(m model.Metric) metrics.Resource {
	name := strings.TrimPrefix(string(m[model.MetricNameLabel]), "pilot_xds_")
	kind, ok := strings.CutSuffix(name, "_reject")
	if !ok {
		return ""
	}
	return resources[kind]
}

// refusalOf reads the name of a proxy: its pod, a dot, and its namespace, which has no dots.
func refusalOf(node string, resource metrics.Resource) metrics.Refusal {
	r := metrics.Refusal{Pod: node, Resource: resource}
	if dot := strings.LastIndexByte(node, '.'); dot >= 0 {
		r.Pod, r.Namespace = node[:dot], node[dot+1:]
	}
	return r
}
