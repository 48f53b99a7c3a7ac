package apiserver

import (
	"cmp"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func defaultReplicaSet(typed any) {
	if r, ok := typed.(*appsv1.ReplicaSet); ok {
		r.Spec.Replicas = orDefault(r.Spec.Replicas, 1)
		defaultPod(&r.Spec.Template.Spec)
	}
}

func defaultDeployment(typed any) {
	d, ok := typed.(*appsv1.Deployment)
	if !ok {
		return
	}
	spec := &d.Spec
	spec.Replicas = orDefault(spec.Replicas, 1)
	spec.RevisionHistoryLimit = orDefault(spec.RevisionHistoryLimit, 10)
	spec.ProgressDeadlineSeconds = orDefault(spec.ProgressDeadlineSeconds, 600)
	spec.Strategy.Type = cmp.Or(spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType {
		rolling := orDefault(spec.Strategy.RollingUpdate, appsv1.RollingUpdateDeployment{})
		rolling.MaxUnavailable = orDefault(rolling.MaxUnavailable, intstr.FromString("25%"))
		rolling.MaxSurge = orDefault(rolling.MaxSurge, intstr.FromString("25%"))
		spec.Strategy.RollingUpdate = rolling
	}
	defaultPod(&spec.Template.Spec)
}

// defaultPod sets the defaults of the pod in a template.
func defaultPod(p *corev1.PodSpec) {
	p.RestartPolicy = cmp.Or(p.RestartPolicy, corev1.RestartPolicyAlways)
	p.DNSPolicy = cmp.Or(p.DNSPolicy, corev1.DNSClusterFirst)
	p.SchedulerName = cmp.Or(p.SchedulerName, corev1.DefaultSchedulerName)
	p.DeprecatedServiceAccount = p.ServiceAccountName
	p.TerminationGracePeriodSeconds = orDefault(p.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	p.SecurityContext = orDefault(p.SecurityContext, corev1.PodSecurityContext{})
	for _, v := range p.Volumes {
		if v.ConfigMap != nil {
			v.ConfigMap.DefaultMode = orDefault(v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
		}
		if v.Secret != nil {
			v.Secret.DefaultMode = orDefault(v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
		}
	}
	for _, containers := range [][]corev1.Container{p.InitContainers, p.Containers} {
		for i := range containers {
			defaultContainer(&containers[i])
		}
	}
}

func defaultContainer(c *corev1.Container) {
	c.TerminationMessagePath = cmp.Or(c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	c.TerminationMessagePolicy = cmp.Or(c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	c.ImagePullPolicy = cmp.Or(c.ImagePullPolicy, pullPolicy(c.Image))
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			e.ValueFrom.FieldRef.APIVersion = cmp.Or(e.ValueFrom.FieldRef.APIVersion, "v1")
		}
	}
	for i := range c.Ports {
		c.Ports[i].Protocol = cmp.Or(c.Ports[i].Protocol, corev1.ProtocolTCP)
	}
	for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		defaultProbe(probe)
	}
}

// imageName has the tag and the digest of an image as submatches.
var imageName = regexp.MustCompile(`^(?:[\w.-]+(?::\d+)?/)?[a-z0-9._/-]+(?::([\w.-]+))?(@\w+:\w+)?$`)

// pullPolicy returns the default pull policy of an image. An image without a tag or a
// digest counts as the latest.
func pullPolicy(image string) corev1.PullPolicy {
	parts := imageName.FindStringSubmatch(image)
	if parts != nil && parts[2] == "" && (parts[1] == "" || parts[1] == "latest") {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}

func defaultProbe(p *corev1.Probe) {
	if p == nil {
		return
	}
	p.TimeoutSeconds = cmp.Or(p.TimeoutSeconds, 1)
	p.PeriodSeconds = cmp.Or(p.PeriodSeconds, 10)
	p.SuccessThreshold = cmp.Or(p.SuccessThreshold, 1)
	p.FailureThreshold = cmp.Or(p.FailureThreshold, 3)
	if p.HTTPGet != nil {
		p.HTTPGet.Path = cmp.Or(p.HTTPGet.Path, "/")
		p.HTTPGet.Scheme = cmp.Or(p.HTTPGet.Scheme, corev1.URISchemeHTTP)
	}
	if p.GRPC != nil {
		p.GRPC.Service = orDefault(p.GRPC.Service, "")
	}
}

func orDefault[T any](given *T, otherwise T) *T {
	if given == nil {
		return &otherwise
	}
	return given
}

// deploymentErrors returns the mistakes in a Deployment that matter for a rollout. In the
// pods, it checks little but the names and images of containers.
func deploymentErrors(next, old map[string]any) field.ErrorList {
	var d, was appsv1.Deployment
	path := field.NewPath("spec")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(next, &d); err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	errs := deploymentSpecErrors(d.Spec, path)
	if old == nil {
		return errs
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(old, &was); err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	return append(errs, apivalidation.ValidateImmutableField(d.Spec.Selector, was.Spec.Selector, path.Child("selector"))...)
}

func deploymentSpecErrors(spec appsv1.DeploymentSpec, path *field.Path) (errs field.ErrorList) {
	for name, value := range map[string]int32{
		"replicas": *spec.Replicas, "minReadySeconds": spec.MinReadySeconds,
		"revisionHistoryLimit": *spec.RevisionHistoryLimit, "progressDeadlineSeconds": *spec.ProgressDeadlineSeconds,
	} {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(value), path.Child(name))...)
	}
	if *spec.ProgressDeadlineSeconds <= spec.MinReadySeconds {
		errs = append(errs, field.Invalid(path.Child("progressDeadlineSeconds"), *spec.ProgressDeadlineSeconds, "must be greater than minReadySeconds"))
	}
	errs = append(errs, selectorErrors(spec, path)...)
	errs = append(errs, strategyErrors(spec.Strategy, path.Child("strategy"))...)
	return append(errs, templateErrors(spec.Template, path.Child("template"))...)
}

// selectorErrors returns the mistakes in the selector. The selector must not be empty,
// and must match the template's pods.
func selectorErrors(spec appsv1.DeploymentSpec, path *field.Path) field.ErrorList {
	at := path.Child("selector")
	if spec.Selector == nil {
		return field.ErrorList{field.Required(at, "")}
	}
	errs := metavalidation.ValidateLabelSelector(spec.Selector, metavalidation.LabelSelectorValidationOptions{}, at)
	if len(spec.Selector.MatchLabels)+len(spec.Selector.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(at, spec.Selector, "empty selector is invalid for deployment"))
	}
	selector, err := metav1.LabelSelectorAsSelector(spec.Selector)
	if err != nil {
		return append(errs, field.Invalid(at, spec.Selector, "invalid label selector"))
	}
	if given := spec.Template.Labels; !selector.Matches(labels.Set(given)) {
		errs = append(errs, field.Invalid(path.Child("template", "metadata", "labels"), given, "`selector` does not match template `labels`"))
	}
	return errs
}

func strategyErrors(s appsv1.DeploymentStrategy, path *field.Path) field.ErrorList {
	at := path.Child("rollingUpdate")
	switch {
	case s.Type == appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			return field.ErrorList{field.Forbidden(at, "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case s.Type != appsv1.RollingUpdateDeploymentStrategyType:
		return field.ErrorList{field.NotSupported(path, s.Type, []string{"Recreate", "RollingUpdate"})}
	}
	var errs field.ErrorList
	var most [2]int
	for i, part := range []*intstr.IntOrString{s.RollingUpdate.MaxUnavailable, s.RollingUpdate.MaxSurge} {
		name := at.Child([]string{"maxUnavailable", "maxSurge"}[i])
		n, err := intstr.GetScaledValueFromIntOrPercent(part, 100, true)
		if err != nil || n < 0 || (part.Type == intstr.String && i == 0 && n > 100) {
			errs = append(errs, field.Invalid(name, part.String(), "must be a number or a percentage that makes sense"))
		}
		most[i] = n
	}
	if most == [2]int{} {
		errs = append(errs, field.Invalid(at.Child("maxUnavailable"), 0, "may not be 0 when `maxSurge` is 0"))
	}
	return errs
}

func templateErrors(t corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	errs := metavalidation.ValidateLabels(t.Labels, path.Child("metadata", "labels"))
	errs = append(errs, apivalidation.ValidateAnnotations(t.Annotations, path.Child("metadata", "annotations"))...)
	path = path.Child("spec")
	if t.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("restartPolicy"), t.Spec.RestartPolicy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if len(t.Spec.Containers) == 0 {
		errs = append(errs, field.Required(path.Child("containers"), ""))
	}
	seen := map[string]bool{}
	errs = append(errs, containerErrors(t.Spec.InitContainers, seen, path.Child("initContainers"))...)
	return append(errs, containerErrors(t.Spec.Containers, seen, path.Child("containers"))...)
}

func containerErrors(containers []corev1.Container, seen map[string]bool, path *field.Path) (errs field.ErrorList) {
	for i, c := range containers {
		at := path.Index(i)
		for _, wrong := range validation.IsDNS1123Label(c.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), c.Name, wrong))
		}
		if seen[c.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
		}
		seen[c.Name] = true
		if c.Image == "" {
			errs = append(errs, field.Required(at.Child("image"), ""))
		}
		for j, e := range c.Env {
			if e.Name == "" {
				errs = append(errs, field.Required(at.Child("env").Index(j).Child("name"), ""))
			}
		}
		for j, p := range c.Ports {
			for _, wrong := range validation.IsValidPortNum(int(p.ContainerPort)) {
				errs = append(errs, field.Invalid(at.Child("ports").Index(j).Child("containerPort"), p.ContainerPort, wrong))
			}
		}
	}
	return errs
}
