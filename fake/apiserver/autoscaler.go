package apiserver

import (
	"errors"
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// defaultAutoscaler sets what pkg/apis/autoscaling/v2/defaults.go of Kubernetes sets. The
// stabilization window of scaleDown has no default there either: each controller has its
// own, five minutes unless a flag says otherwise.
func defaultAutoscaler(typed any) {
	h, ok := typed.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return
	}
	h.Spec.MinReplicas = orDefault(h.Spec.MinReplicas, 1)
	if len(h.Spec.Metrics) == 0 {
		h.Spec.Metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: orDefault[int32](nil, 80)},
			},
		}}
	}
	b := h.Spec.Behavior
	if b == nil {
		return
	}
	percent := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
	pods := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}
	b.ScaleUp = scalingRules(b.ScaleUp, pods, percent)
	b.ScaleUp.StabilizationWindowSeconds = orDefault(b.ScaleUp.StabilizationWindowSeconds, 0)
	b.ScaleDown = scalingRules(b.ScaleDown, percent)
}

func scalingRules(r *autoscalingv2.HPAScalingRules, policies ...autoscalingv2.HPAScalingPolicy) *autoscalingv2.HPAScalingRules {
	r = orDefault(r, autoscalingv2.HPAScalingRules{})
	r.SelectPolicy = orDefault(r.SelectPolicy, autoscalingv2.MaxChangePolicySelect)
	if r.Policies == nil {
		r.Policies = policies
	}
	return r
}

// autoscalerErrors returns the mistakes in a HorizontalPodAutoscaler, without the feature
// gate HPAScaleToZero.
func autoscalerErrors(next, old map[string]any) field.ErrorList {
	var h, was autoscalingv2.HorizontalPodAutoscaler
	at := field.NewPath("spec")
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(next, &h)
	if err == nil && old != nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(old, &was)
	}
	if err != nil {
		return field.ErrorList{field.InternalError(at, err)}
	}
	errs := boundsErrors(h.Spec, at)
	errs = append(errs, referenceErrors(h.Spec.ScaleTargetRef, at.Child("scaleTargetRef"))...)
	if ref := h.Spec.ScaleTargetRef; old == nil || ref.APIVersion != was.Spec.ScaleTargetRef.APIVersion || ref.Kind != was.Spec.ScaleTargetRef.Kind {
		errs = append(errs, groupErrors(ref, at.Child("scaleTargetRef", "apiVersion"))...)
	}
	for i, m := range h.Spec.Metrics {
		errs = append(errs, metricErrors(m, at.Child("metrics").Index(i))...)
	}
	if b := h.Spec.Behavior; b != nil {
		errs = append(errs, scalingErrors(b.ScaleUp, at.Child("behavior", "scaleUp"))...)
		errs = append(errs, scalingErrors(b.ScaleDown, at.Child("behavior", "scaleDown"))...)
	}
	return errs
}

func boundsErrors(spec autoscalingv2.HorizontalPodAutoscalerSpec, at *field.Path) (errs field.ErrorList) {
	if *spec.MinReplicas < 1 {
		errs = append(errs, field.Invalid(at.Child("minReplicas"), *spec.MinReplicas, "must be greater than or equal to 1"))
	}
	most := at.Child("maxReplicas")
	switch {
	case spec.MaxReplicas == 0:
		errs = append(errs, field.Required(most, "must be set and greater than 0"))
	case spec.MaxReplicas < 0:
		errs = append(errs, field.Invalid(most, spec.MaxReplicas, "must be greater than or equal to 1"))
	}
	if spec.MaxReplicas < *spec.MinReplicas {
		errs = append(errs, field.Invalid(most, spec.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	return errs
}

func referenceErrors(ref autoscalingv2.CrossVersionObjectReference, at *field.Path) field.ErrorList {
	return append(segmentErrors(ref.Kind, at.Child("kind")), segmentErrors(ref.Name, at.Child("name"))...)
}

// segmentErrors checks a name that becomes part of a URL.
func segmentErrors(name string, at *field.Path) (errs field.ErrorList) {
	if name == "" {
		return field.ErrorList{field.Required(at, "")}
	}
	for _, wrong := range content.IsPathSegmentName(name) {
		errs = append(errs, field.Invalid(at, name, wrong))
	}
	return errs
}

// groupErrors checks that the apiVersion of a new target names a group. Only
// ReplicationControllers have none.
func groupErrors(ref autoscalingv2.CrossVersionObjectReference, at *field.Path) field.ErrorList {
	gv, err := schema.ParseGroupVersion(ref.APIVersion)
	if err == nil && gv.Group == "" && ref.Kind != "ReplicationController" {
		err = errors.New("apiVersion must specify API group")
	}
	if err != nil {
		return field.ErrorList{field.Invalid(at, ref.APIVersion, err.Error())}
	}
	return nil
}

// source is one of the fields of a metric that say where it is measured.
type source struct {
	kind   autoscalingv2.MetricSourceType
	given  bool
	target autoscalingv2.MetricTarget
	name   *field.Path // that must not be empty, if given
	empty  bool
}

func sourcesOf(m autoscalingv2.MetricSpec, at *field.Path) []source {
	all := []source{
		{kind: autoscalingv2.ObjectMetricSourceType, given: m.Object != nil}, {kind: autoscalingv2.PodsMetricSourceType, given: m.Pods != nil},
		{kind: autoscalingv2.ResourceMetricSourceType, given: m.Resource != nil}, {kind: autoscalingv2.ExternalMetricSourceType, given: m.External != nil},
		{kind: autoscalingv2.ContainerResourceMetricSourceType, given: m.ContainerResource != nil},
	}
	set := func(i int, target autoscalingv2.MetricTarget, name string, steps ...string) {
		all[i].target, all[i].empty, all[i].name = target, name == "", at.Child(fieldOfSource(all[i].kind), steps...)
	}
	if m.Object != nil {
		set(0, m.Object.Target, m.Object.Metric.Name, "metric", "name")
	}
	if m.Pods != nil {
		set(1, m.Pods.Target, m.Pods.Metric.Name, "metric", "name")
	}
	if m.Resource != nil {
		set(2, m.Resource.Target, string(m.Resource.Name), "name")
	}
	if m.External != nil {
		set(3, m.External.Target, m.External.Metric.Name, "metric", "name")
	}
	if m.ContainerResource != nil {
		set(4, m.ContainerResource.Target, string(m.ContainerResource.Name), "name")
	}
	return all
}

// fieldOfSource returns the field of a type of metric: "ContainerResource" has the field
// "containerResource".
func fieldOfSource(kind autoscalingv2.MetricSourceType) string {
	return strings.ToLower(string(kind[:1])) + string(kind[1:])
}

// metricErrors returns the mistakes in a metric. It has the one source of its type.
func metricErrors(m autoscalingv2.MetricSpec, at *field.Path) (errs field.ErrorList) {
	known := false
	var names []autoscalingv2.MetricSourceType
	for _, s := range sourcesOf(m, at) {
		child := at.Child(fieldOfSource(s.kind))
		names = append(names, s.kind)
		known = known || m.Type == s.kind
		switch {
		case m.Type == s.kind && !s.given:
			errs = append(errs, field.Required(child, "must populate information for the given metric source"))
		case m.Type != s.kind && s.given:
			errs = append(errs, field.Forbidden(child, "must populate the given metric source only"))
		case s.given:
			if s.empty {
				errs = append(errs, field.Required(s.name, ""))
			}
			errs = append(errs, targetErrors(s.kind, s.target, child.Child("target"))...)
		}
	}
	if !known {
		errs = append(errs, field.NotSupported(at.Child("type"), m.Type, names))
	}
	return errs
}

func targetErrors(kind autoscalingv2.MetricSourceType, t autoscalingv2.MetricTarget, at *field.Path) (errs field.ErrorList) {
	switch t.Type {
	case autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType:
	default:
		errs = append(errs, field.Invalid(at.Child("type"), t.Type, "must be either Utilization, Value, or AverageValue"))
	}
	if t.Value != nil && t.Value.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("value"), t.Value, "must be positive"))
	}
	if t.AverageValue != nil && t.AverageValue.Sign() != 1 {
		errs = append(errs, field.Invalid(at.Child("averageValue"), t.AverageValue, "must be positive"))
	}
	if t.AverageUtilization != nil && *t.AverageUtilization < 1 {
		errs = append(errs, field.Invalid(at.Child("averageUtilization"), *t.AverageUtilization, "must be greater than 0"))
	}
	return append(errs, unmeasurable(kind, t, at)...)
}

// unmeasurable says which target a type of metric lacks, or has too many.
func unmeasurable(kind autoscalingv2.MetricSourceType, t autoscalingv2.MetricTarget, at *field.Path) field.ErrorList {
	average, use, whole := t.AverageValue != nil, t.AverageUtilization != nil, t.Value != nil
	switch kind {
	case autoscalingv2.PodsMetricSourceType:
		if !average {
			return field.ErrorList{field.Required(at.Child("averageValue"), "must specify a positive target averageValue")}
		}
	case autoscalingv2.ResourceMetricSourceType, autoscalingv2.ContainerResourceMetricSourceType:
		if !average && !use {
			return field.ErrorList{field.Required(at.Child("averageUtilization"), "must set either a target raw value or a target utilization")}
		}
		if average && use {
			return field.ErrorList{field.Forbidden(at.Child("averageValue"), "may not set both a target raw value and a target utilization")}
		}
	default:
		if !average && !whole {
			return field.ErrorList{field.Required(at.Child("averageValue"), "must set either a target value for metric or a per-pod target")}
		}
	}
	return nil
}

func scalingErrors(r *autoscalingv2.HPAScalingRules, at *field.Path) (errs field.ErrorList) {
	const longestWindow = 3600 // seconds
	if w := r.StabilizationWindowSeconds; w != nil && (*w < 0 || *w > longestWindow) {
		errs = append(errs, field.Invalid(at.Child("stabilizationWindowSeconds"), *w, fmt.Sprintf("must be from 0 to %d", longestWindow)))
	}
	switch *r.SelectPolicy {
	case autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect:
	default:
		errs = append(errs, field.NotSupported(at.Child("selectPolicy"), *r.SelectPolicy, []string{"Disabled", "Max", "Min"}))
	}
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(at.Child("policies"), "must specify at least one Policy"))
	}
	for i, p := range r.Policies {
		errs = append(errs, policyErrors(p, at.Child("policies").Index(i))...)
	}
	if r.Tolerance != nil && r.Tolerance.Sign() < 0 {
		errs = append(errs, field.Invalid(at.Child("tolerance"), r.Tolerance.String(), apivalidation.IsNegativeErrorMsg))
	}
	return errs
}

func policyErrors(p autoscalingv2.HPAScalingPolicy, at *field.Path) (errs field.ErrorList) {
	const longestPeriod = 1800 // seconds
	if p.Type != autoscalingv2.PodsScalingPolicy && p.Type != autoscalingv2.PercentScalingPolicy {
		errs = append(errs, field.NotSupported(at.Child("type"), p.Type, []string{"Percent", "Pods"}))
	}
	if p.Value <= 0 {
		errs = append(errs, field.Invalid(at.Child("value"), p.Value, "must be greater than zero"))
	}
	if p.PeriodSeconds <= 0 || p.PeriodSeconds > longestPeriod {
		errs = append(errs, field.Invalid(at.Child("periodSeconds"), p.PeriodSeconds, fmt.Sprintf("must be from 1 to %d", longestPeriod)))
	}
	return errs
}
