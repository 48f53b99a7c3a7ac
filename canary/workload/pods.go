package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

// Pods lists the pods of one namespace. CoreV1().Pods(namespace) of
// k8s.io/client-go/kubernetes is a Pods. What is listed is not changed, so it may be from the
// cache of an informer. A Pods that ignores the label selector gives the same results.
type Pods interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
}

// listing is how long the pods may take to be listed in a turn: what they tell is not worth a
// late decision.
const listing = 5 * time.Second

// podsOf lists the pods of a Deployment that are to run, from the API server's cache.
func (d *Deployments) podsOf(ctx context.Context, of *appsv1.Deployment) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(of.Spec.Selector)
	if err != nil {
		return nil, err
	}
	if selector.Empty() || selector.String() == "" { // which would list all pods of the namespace
		return nil, fmt.Errorf("%s has no selector", of.Name)
	}
	list, err := d.config.Pods.List(ctx, metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	if list == nil {
		return nil, errors.New("no list and no error")
	}
	var own []*corev1.Pod
	for i := range list.Items {
		if pod := &list.Items[i]; owns(of.Name, pod) && runs(pod) {
			own = append(own, pod)
		}
	}
	return own, nil
}

// owns reports whether a pod is of a ReplicaSet of the Deployment. Labels do not tell: other
// Deployments may select the same ones.
func owns(deployment string, pod *corev1.Pod) bool {
	hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	owner := metav1.GetControllerOfNoCopy(pod)
	return hash != "" && owner != nil && owner.Kind == "ReplicaSet" && owner.Name == deployment+"-"+hash
}

// runs reports whether a pod is not at its end. One that was evicted stays in the list.
func runs(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodFailed && pod.Status.Phase != corev1.PodSucceeded
}

// statuses returns the states of the containers that run as long as their pod.
func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	all := slices.Clone(pod.Status.ContainerStatuses)
	for _, s := range pod.Status.InitContainerStatuses {
		is := func(c corev1.Container) bool {
			return c.Name == s.Name && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		}
		if slices.ContainsFunc(pod.Spec.InitContainers, is) {
			all = append(all, s)
		}
	}
	return all
}

// inspectPods is what the pods tell. An error of theirs is told, and nothing more: the
// Deployments tell what matters most. If users have to leave a dead canary, it is not asked.
func (d *Deployments) inspectPods(ctx context.Context, stable, source *appsv1.Deployment, q canary.Question, seen *canary.Inspection) {
	urgent := seen.Dead != "" && (q.Traffic.Canary > 0 || q.Traffic.Cohorts != "")
	if d.config.Pods == nil || source == nil || urgent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	ofCanary, err := d.podsOf(ctx, source)
	var ofStable []*corev1.Pod
	if err == nil {
		ofStable, err = d.podsOf(ctx, stable)
	}
	if err != nil {
		seen.Notice = joined([]string{seen.Notice, d.unlisted(ctx, err)})
		return
	}
	d.forbidden.Store(false)
	told := append(mixedImages("canary "+source.Name, ofCanary), mixedImages("stable "+stable.Name, ofStable)...)
	if !q.Promoted && seen.CanaryChanged == "" { // or there are not two versions, or not the two
		c := comparison{stable: countRestarts(ofStable, q.Began), canary: countRestarts(ofCanary, q.Began)}
		c.canary.correct(q.Pin)
		notice, fails := c.judge(d.config)
		if fails {
			seen.Failed, notice = notice, ""
		}
		told = append([]string{notice}, told...)
	}
	seen.Notice = joined(append([]string{seen.Notice}, told...))
}

// unlisted is what to say of an error. That the right is missing does not change by itself, so it
// is said once.
func (d *Deployments) unlisted(ctx context.Context, err error) string {
	if apierrors.IsForbidden(err) && (ctx.Err() != nil || d.forbidden.Swap(true)) {
		return ""
	}
	return fmt.Sprintf("restarts and images of the pods are not known: %v", err)
}

// pinRestarts is the Restarts of a Pin: how often the containers of the canary have restarted so
// far; "" if that is not known.
func (d *Deployments) pinRestarts(ctx context.Context, source *appsv1.Deployment) string {
	if d.config.Pods == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	pods, err := d.podsOf(ctx, source)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(restartsEver(pods), 10)
}

// checkPods warns if the pods cannot be listed.
func (d *Deployments) checkPods(ctx context.Context, stable *appsv1.Deployment) []canary.Finding {
	if d.config.Pods == nil || stable == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	if _, err := d.podsOf(ctx, stable); err != nil {
		return []canary.Finding{{Problem: fmt.Sprintf("the pods of stable %s cannot be listed, so nobody looks at restarts and images: %v", stable.Name, err)}}
	}
	return nil
}
