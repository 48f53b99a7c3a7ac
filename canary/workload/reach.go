package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

// Quotas lists the ResourceQuotas of a namespace. CoreV1().ResourceQuotas(namespace) of
// k8s.io/client-go/kubernetes does.
type Quotas interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.ResourceQuotaList, error)
}

// most returns the greatest need of the plan for replicas of the canary, and the traffic that
// has it, if stable has all replicas at the time.
func (c Config) most(plan canary.Plan, all int32) (need int32, of canary.Traffic) {
	for _, step := range plan.Steps() {
		if n := c.need(step.Traffic, all); n > need {
			need, of = n, step.Traffic
		}
	}
	full := canary.Traffic{Canary: canary.Full}
	if n := c.need(full, all); n > need && plan.End().Kind != canary.Discard {
		need, of = n, full
	}
	return need, of
}

// reach tells what keeps the canary from having the replicas for some step.
func (d *Deployments) reach(ctx context.Context, plan canary.Plan, stable, source *appsv1.Deployment) ([]canary.Finding, error) {
	all := carrying(stable)
	need, of := d.config.most(plan, all)
	why := fmt.Sprintf("%v of the traffic needs %d replicas of canary %s, by the %d that stable %s has", of.Canary, need, source.Name, all, stable.Name)
	var found []canary.Finding
	refuse := func(format string, args ...any) {
		found = append(found, canary.Finding{Problem: why + ", and " + fmt.Sprintf(format, args...), Refuses: true})
	}
	has := replicas(source)
	if off(d.config.Scaling.Canary, has) && !d.config.FromZero {
		found = append(found, canary.Finding{Problem: why + ", and a HorizontalPodAutoscaler leaves it alone as long as it is scaled to zero: it will wait; scale it to 1"})
	}
	switch f := d.config.Scaling.Canary; {
	case f != nil:
		least, most, err := f.Bounds(ctx)
		kept := !scales(f)
		switch {
		case err != nil:
			return nil, err
		case most > 0 && most < need:
			refuse("it gets %d at most: raise that, or set Config.Capacity", most)
		case kept && least < need && !d.config.FromZero:
			refuse("it keeps %d at least, and gets no more before it has the traffic: raise that, let the rollout do it (Config.Scaling), or set Config.Capacity", least)
		}
	case has < need && !d.config.idle(source):
		found = append(found, canary.Finding{Problem: fmt.Sprintf("%s, and it has %d, which the rollout does not change: it will wait; scale it, or set Config.Scaling or Config.Capacity", why, has)})
	}
	if d.config.Quotas == nil || has >= need {
		return found, nil
	}
	quotas, err := d.config.Quotas.List(ctx, metav1.ListOptions{})
	if err != nil {
		return found, fmt.Errorf("workload: the quotas of namespace %s are not known: %w", d.config.Namespace, classify(err))
	}
	for i := range quotas.Items {
		if lacks := lacking(&quotas.Items[i], &source.Spec.Template.Spec, int64(need-has)); lacks != "" {
			refuse("ResourceQuota %s has no room for %d more: %s", quotas.Items[i].Name, need-has, lacks)
		}
	}
	return found, nil
}

// lacking says what a quota has too little of for n more pods; "" if that is nothing, or if the
// quota may be one for other pods. A pod may need more than its template says.
func lacking(q *corev1.ResourceQuota, pod *corev1.PodSpec, n int64) string {
	if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
		return ""
	}
	var all []string
	for name, hard := range q.Status.Hard {
		left := hard.DeepCopy()
		left.Sub(q.Status.Used[name])
		each := takes(pod, name)
		needs := each.DeepCopy()
		if needs.Mul(n) && each.Sign() > 0 && needs.Cmp(left) > 0 {
			all = append(all, fmt.Sprintf("%s of %s are left, and %s are needed", left.String(), name, needs.String()))
		}
	}
	return strings.Join(slices.Sorted(slices.Values(all)), ", ")
}

// takes is how much of a quota's resource one pod takes.
func takes(pod *corev1.PodSpec, of corev1.ResourceName) (sum resource.Quantity) {
	if of == corev1.ResourcePods || of == "count/pods" {
		return *resource.NewQuantity(1, resource.DecimalSI)
	}
	kind, name, _ := strings.Cut(string(of), ".")
	if kind == "cpu" || kind == "memory" {
		kind, name = "requests", kind
	}
	for i := range pod.Containers {
		from := pod.Containers[i].Resources.Requests
		if kind == "limits" {
			from = pod.Containers[i].Resources.Limits
		}
		if q, ok := from[corev1.ResourceName(name)]; ok && (kind == "requests" || kind == "limits") {
			sum.Add(q)
		}
	}
	return sum
}

// checkFloors tells what keeps the Floors from being raised, and whether the load is known.
func (d *Deployments) checkFloors(ctx context.Context, plan canary.Plan) (found []canary.Finding, err error) {
	var errs []error
	for _, f := range d.config.Scaling.floors() {
		checker, ok := f.(canary.Checker)
		if !ok {
			continue
		}
		problems, err := checker.Check(ctx, plan)
		found, errs = append(found, problems...), append(errs, err)
	}
	if why := d.unfollowed(ctx); why != "" {
		found = append(found, canary.Finding{Problem: why + ": the versions keep replicas by what stable has when the rollout begins, whatever the load is later"})
	}
	return found, errors.Join(errs...)
}

// unfollowed says why the reference cannot follow the load; "" if it can, or is not to.
func (d *Deployments) unfollowed(ctx context.Context) string {
	if unknown := d.loadUnknown(ctx); unknown != nil {
		return fmt.Sprintf("the load is not known (%v)", unknown)
	}
	if d.config.Load == nil {
		return ""
	}
	if _, most, err := d.config.Scaling.Stable.Bounds(ctx); err == nil && most == 0 { // checkFloors tells of an error
		return "the load is not followed, because Scaling.Stable does not say how many replicas stable may have at most"
	}
	return ""
}

// loadUnknown says why the reference cannot follow the load; nil if it can, or is not to.
func (d *Deployments) loadUnknown(ctx context.Context) error {
	switch {
	case d.config.Load == nil && scales(d.config.Scaling.Stable):
		return errors.New("there is no Config.Load")
	case d.config.Load == nil:
		return nil
	}
	load, err := d.load(ctx)
	if err == nil && load == 0 {
		err = errors.New("there are no requests")
	}
	return err
}

// ReadOnly returns a Floor that is never raised: Check refuses a plan if the Floor keeps fewer
// replicas than a step needs.
func ReadOnly(f Floor) Floor { return readOnly{f} }

type readOnly struct{ Floor }

func (readOnly) Raise(context.Context, canary.Question, int32) (canary.Answer, error) {
	return canary.Answer{Reply: canary.Yes}, nil
}

func (readOnly) Release(context.Context, canary.Question, bool) error { return nil }

// Rights returns the right to get what the Floor needs.
func (f readOnly) Rights(plan canary.Plan) []authorizationv1.ResourceAttributes {
	return slices.DeleteFunc(rightsOf(f.Floor, plan), func(r authorizationv1.ResourceAttributes) bool { return r.Verb != "get" })
}

// Check implements [canary.Checker].
func (f readOnly) Check(ctx context.Context, _ canary.Plan) ([]canary.Finding, error) {
	_, _, err := f.Bounds(ctx)
	return nil, err
}
