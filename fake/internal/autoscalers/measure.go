package autoscalers

import (
	"math"

	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Requests is the name of the only Pods metric that is measured.
const Requests = "http_requests_per_second"

// propose returns the most replicas that a metric asks for. If some metrics cannot be
// measured, the others may scale up but not down.
func (a *autoscaler) propose(t Target) (replicas int, why *obstacle) {
	measured := 0
	for _, m := range a.spec.Metrics {
		ratio, status, missing := a.measure(m, t)
		if missing != nil {
			if why == nil {
				why = missing
			}
			continue
		}
		a.status.CurrentMetrics = append(a.status.CurrentMetrics, status)
		measured++
		replicas = max(replicas, a.wanted(ratio, t))
	}
	if why != nil && measured > 0 && replicas >= t.Replicas {
		return replicas, nil
	}
	return replicas, why
}

// rate returns the requests per second of the last minute, or since the autoscaler has
// counted; false before it has counted twice.
func (a *autoscaler) rate() (float64, bool) {
	if len(a.arrivals) < 2 {
		return 0, false
	}
	first, last := a.arrivals[0], a.arrivals[len(a.arrivals)-1]
	return float64(last.n-first.n) / last.at.Sub(first.at).Seconds(), true
}

// measure returns how much of its target a metric uses: 1 is as much as it should.
func (a *autoscaler) measure(m autoscaling.MetricSpec, t Target) (ratio float64, status autoscaling.MetricStatus, why *obstacle) {
	reason, message := "InvalidMetricSourceType", "metrics of the type "+string(m.Type)+" are not simulated"
	status.Type = m.Type
	switch {
	case m.Type == autoscaling.PodsMetricSourceType && m.Pods != nil:
		reason = "FailedGetPodsMetric"
		ratio, status.Pods, message = a.requests(m.Pods, t)
	case m.Type == autoscaling.ResourceMetricSourceType && m.Resource != nil:
		reason = "FailedGetResourceMetric"
		ratio, status.Resource, message = a.cpu(m.Resource, t)
	}
	if message != "" {
		why = &obstacle{autoscaling.ScalingActive, reason, "the HPA was unable to compute the replica count: " + message}
	}
	return ratio, status, why
}

// unready is why a known metric is missing.
const unready = "did not receive metrics for targeted pods (pods might be unready)"

// requests measures requests per second of each ready pod. It says what is missing.
func (a *autoscaler) requests(m *autoscaling.PodsMetricSource, t Target) (ratio float64, status *autoscaling.PodsMetricStatus, missing string) {
	if m.Metric.Name != Requests || m.Target.AverageValue == nil {
		return 0, nil, "unable to get metric " + m.Metric.Name
	}
	rate, ok := a.rate()
	if !ok || t.Ready == 0 {
		return 0, nil, unready
	}
	average := rate / float64(t.Ready)
	shown := resource.NewMilliQuantity(int64(math.Round(average*1000)), resource.DecimalSI)
	status = &autoscaling.PodsMetricStatus{Metric: m.Metric, Current: autoscaling.MetricValueStatus{AverageValue: shown}}
	return average / m.Target.AverageValue.AsApproximateFloat64(), status, ""
}

// cpu measures the use of CPU as a share of the capacity. It says what is missing.
func (a *autoscaler) cpu(m *autoscaling.ResourceMetricSource, t Target) (ratio float64, status *autoscaling.ResourceMetricStatus, missing string) {
	if m.Name != core.ResourceCPU || m.Target.AverageUtilization == nil {
		return 0, nil, "unable to get metrics for resource " + string(m.Name)
	}
	rate, ok := a.rate()
	if !ok || t.Capacity == 0 {
		return 0, nil, unready
	}
	use := rate / t.Capacity * 100
	shown := int32(min(math.MaxInt32, math.Round(use)))
	status = &autoscaling.ResourceMetricStatus{Name: m.Name, Current: autoscaling.MetricValueStatus{AverageUtilization: &shown}}
	return use / float64(*m.Target.AverageUtilization), status, ""
}

// wanted returns the replicas that a ratio of use asks for. Pods that are not ready yet
// count as idle where more are wanted, so that nothing is scaled up twice.
func (a *autoscaler) wanted(ratio float64, t Target) int {
	pods, least := float64(t.Ready), 0
	if ratio > 1 && t.Pods > t.Ready {
		ratio, pods, least = ratio*pods/float64(t.Pods), float64(t.Pods), t.Replicas
		if ratio < 1 {
			return t.Replicas
		}
	}
	if down, up := a.tolerances(); ratio >= 1-down && ratio <= 1+up {
		return t.Replicas
	}
	return max(least, int(min(math.MaxInt32, math.Ceil(ratio*pods-1e-9)))) // but for errors of rounding
}

// tolerances returns by what shares the use may be below and above its target.
func (a *autoscaler) tolerances() (down, up float64) {
	down, up = 0.1, 0.1
	if b := a.spec.Behavior; b != nil {
		down, up = tolerance(b.ScaleDown, down), tolerance(b.ScaleUp, up)
	}
	return down, up
}

func tolerance(r *autoscaling.HPAScalingRules, otherwise float64) float64 {
	if r == nil || r.Tolerance == nil {
		return otherwise
	}
	return r.Tolerance.AsApproximateFloat64()
}
