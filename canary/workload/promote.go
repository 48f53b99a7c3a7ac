package workload

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/serin-go/serin/canary"
)

// move is what to make of the stable Deployment, and what to answer when that
// is so.
type move struct {
	template *corev1.PodTemplateSpec
	record   record
	answer   canary.Answer
}

// stay leaves the pod template as it is.
func stay(d *appsv1.Deployment, r record, a canary.Answer) move {
	return move{&d.Spec.Template, r, a}
}

// promotion decides what Promote does with what it has read: stable, its
// record, and the canary.
func (c Config) promotion(stable *appsv1.Deployment, r record, source *appsv1.Deployment, q canary.Question) (move, error) {
	f := q.Fence
	mark, err := fingerprint(&source.Spec.Template)
	if err != nil {
		return move{}, err
	}
	if wrong := c.wrongImage(source); wrong != "" {
		return stay(stable, r, canary.No.Because("canary %s: %s", source.Name, wrong)), nil
	}
	if r.promoted(f.Rollout) && r.Canary != mark {
		return stay(stable, r, canary.No.Because("canary %s: its pod template was changed after it was promoted to %s", source.Name, stable.Name)), nil
	}
	if why, err := changed(source, q.Pin); err != nil || why != "" {
		return stay(stable, r, canary.No.Because("canary %s: %s", source.Name, why)), err
	}
	if !r.promoted(f.Rollout) {
		if a := serving("canary", source); a.Reply != canary.Yes {
			return stay(stable, r, a), nil
		}
		r = c.before(stable, source)
		r.Canary = mark
	}
	r.Fence = f
	to, err := c.promoted(stable, source)
	if err != nil {
		return move{}, err
	}
	return reach(stable, to, r), nil
}

// promoted is what stable is to run: the version of the source.
func (c Config) promoted(stable, source *appsv1.Deployment) (*corev1.PodTemplateSpec, error) {
	if c.Template {
		return relabelled(&source.Spec.Template, &stable.Spec.Template), nil
	}
	return withImages(&stable.Spec.Template, c.images(stable, source))
}

// restoration decides what Restore does.
func restoration(stable *appsv1.Deployment, r record, f canary.Fence) (move, error) {
	if !r.promoted(f.Rollout) {
		a := canary.Answer{Reply: canary.Yes, Reason: fmt.Sprintf("stable %s: was not promoted", stable.Name)}
		if r.Canary != "" && mixed(stable) {
			a = canary.Wait.Because("stable %s: it is between two versions, by another rollout: %s", stable.Name, Status(stable).Reason)
		}
		return stay(stable, record{Fence: f}, a), nil
	}
	r.Fence = f
	if r.Template != nil {
		return reach(stable, relabelled(r.Template, &stable.Spec.Template), r), nil
	}
	to, err := withImages(&stable.Spec.Template, r.Images)
	if err != nil {
		return move{}, err
	}
	return reach(stable, to, r), nil
}

// reach gives stable the template if it has another one, and otherwise tells
// how far its rollout is. A write of the record alone makes a new generation of
// the Deployment too; the answer is about the one that was read.
func reach(stable *appsv1.Deployment, to *corev1.PodTemplateSpec, r record) move {
	if !equality.Semantic.DeepEqual(&stable.Spec.Template, to) {
		return move{to, r, canary.Wait.Because("stable %s: its pod template is changed; its rollout begins", stable.Name)}
	}
	return stay(stable, r, serving("stable", stable))
}

// before is a record of what stable runs, as far as Promote changes it.
func (c Config) before(stable, source *appsv1.Deployment) record {
	if c.Template {
		t := stable.Spec.Template.DeepCopy()
		t.Labels = nil
		return record{Template: t}
	}
	had := imagesOf(&stable.Spec.Template)
	wanted := c.images(stable, source)
	maps.DeleteFunc(had, func(name, _ string) bool { _, ok := wanted[name]; return !ok })
	return record{Images: had}
}

// images returns what Promote gives to which container.
func (c Config) images(stable, source *appsv1.Deployment) map[string]string {
	if len(c.Images) > 0 {
		return c.Images
	}
	had, images := imagesOf(&stable.Spec.Template), imagesOf(&source.Spec.Template)
	maps.DeleteFunc(images, func(name, _ string) bool { _, ok := had[name]; return !ok })
	return images
}

// wrongImage says which container of d does not have the image named in the
// Config; "" if all do.
func (c Config) wrongImage(d *appsv1.Deployment) string {
	has := imagesOf(&d.Spec.Template)
	for _, name := range sortedKeys(c.Images) {
		if has[name] != c.Images[name] {
			return fmt.Sprintf("container %s has image %q; this rollout is for %q", name, has[name], c.Images[name])
		}
	}
	return ""
}
