package workload

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/serin-go/serin/canary"
)

// move is the intended state of the stable Deployment, and the answer once it is written.
type move struct {
	template *corev1.PodTemplateSpec
	record   record
	answer   canary.Answer
}

// stay leaves the pod template as it is.
func stay(d *appsv1.Deployment, r record, a canary.Answer) move {
	return move{&d.Spec.Template, r, a}
}

// promotion decides what Promote does, given stable, its record, and the canary (source).
func (c Config) promotion(stable *appsv1.Deployment, r record, source *appsv1.Deployment, q canary.Question) (move, error) {
	f := q.Fence
	mark, err := version(source)
	if err != nil {
		return move{}, err
	}
	if a, err := c.unfit(stable, r, source, mark, q); err != nil || a.Reply != canary.Yes {
		return stay(stable, r, a), err
	}
	if !r.promoted(f.Rollout) {
		if a := serving("canary", source); a.Reply != canary.Yes {
			return stay(stable, r, a), nil
		}
		pin := r.Pin
		r = c.before(stable, source)
		r.Canary, r.Pin = mark, pin
	}
	r.Fence = f
	to, err := c.promoted(stable, source)
	if err != nil {
		return move{}, err
	}
	m := reach(stable, to, r)
	left, err := leftOut(to, &source.Spec.Template)
	if left != "" && m.answer.Reply == canary.Yes {
		m.answer.Reason += "; not carried over from the canary: " + left
	}
	return m, err
}

// unfit says why stable must not be promoted to what the canary runs now: No if the canary
// is not what was judged, and Wait if stable is not what the rollout began with.
func (c Config) unfit(stable *appsv1.Deployment, r record, source *appsv1.Deployment, mark string, q canary.Question) (canary.Answer, error) {
	if r.Rollout != q.Fence.Rollout || r.Pin == "" {
		return canary.No.Because("stable %s: its annotation %s does not tell that this rollout began here; somebody has removed or replaced it", stable.Name, Annotation), nil
	}
	q.Pin.Version = r.Pin // whatever the State says
	if wrong := c.wrongImage(source); wrong != "" {
		return canary.No.Because("canary %s: %s", source.Name, wrong), nil
	}
	if r.promoted(q.Fence.Rollout) && r.Canary != mark {
		return canary.No.Because("canary %s: its pod template was changed after it was promoted to %s", source.Name, stable.Name), nil
	}
	if why, err := changed(source, q.Pin); err != nil || why != "" {
		return canary.No.Because("canary %s: %s", source.Name, why), err
	}
	if why, err := edited(stable, r, q); err != nil || why != "" {
		return canary.Wait.Because("%s", why), err
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

// promoted returns the pod template of stable with the version of the source.
func (c Config) promoted(stable, source *appsv1.Deployment) (*corev1.PodTemplateSpec, error) {
	if c.Template {
		return relabelled(&source.Spec.Template, &stable.Spec.Template), nil
	}
	return withImages(&stable.Spec.Template, c.images(stable, source))
}

// registration decides what Pin writes: without it nothing is promoted, so that a State that
// somebody else wrote moves no Deployment.
func registration(stable *appsv1.Deployment, r record, f canary.Fence, version string) move {
	switch {
	case r.promoted(f.Rollout), r.Rollout == f.Rollout && r.Pin == version:
		return stay(stable, r, canary.Answer{Reply: canary.Yes})
	case r.Canary != "" && mixed(stable):
		return stay(stable, r, canary.Wait.Because("stable %s: another rollout left it between two versions: %s", stable.Name, Status(stable).Reason))
	}
	return stay(stable, record{Fence: f, Pin: version}, canary.Answer{Reply: canary.Yes})
}

// restoration decides what Restore does.
func (c Config) restoration(stable *appsv1.Deployment, r record, source *appsv1.Deployment, q canary.Question) (move, error) {
	f := q.Fence
	if !r.promoted(f.Rollout) {
		lost, err := c.recordLost(stable, source, q.Pin)
		if err != nil {
			return move{}, err
		}
		a := canary.Answer{Reply: canary.Yes, Reason: fmt.Sprintf("stable %s: this rollout has not promoted it", stable.Name)}
		switch {
		case lost:
			a = canary.No.Because("stable %s: it has the canary's version, and annotation %s does not tell any more what it ran before: restore it by hand", stable.Name, Annotation)
		case r.Canary != "" && mixed(stable):
			a = canary.Wait.Because("stable %s: another rollout left it between two versions: %s", stable.Name, Status(stable).Reason)
		}
		if lost {
			return stay(stable, r, a), nil // a person's record may come back
		}
		return stay(stable, record{Fence: f}, a), nil // no earlier call promotes any more
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

// recordLost reports whether stable has the canary's version although it had another one when
// the rollout began: somebody has removed the record of its promotion.
func (c Config) recordLost(stable, source *appsv1.Deployment, pin canary.Pin) (bool, error) {
	is, err := version(stable)
	if _, was := pinned(pin); err != nil || source == nil || was == "" || is == was {
		return false, err
	}
	to, err := c.promoted(stable, source)
	return err == nil && sameVersion(&stable.Spec.Template, to), nil
}

// reach changes stable's template to the given one. If stable has it already, the answer
// says how far the rollout of stable is. A write of the record alone also makes a new
// generation of the Deployment; the answer is about the generation that was read.
func reach(stable *appsv1.Deployment, to *corev1.PodTemplateSpec, r record) move {
	if !equality.Semantic.DeepEqual(&stable.Spec.Template, to) {
		return move{to, r, canary.Wait.Because("stable %s: its pod template is updated; waiting for the new pods", stable.Name)}
	}
	return stay(stable, r, serving("stable", stable))
}

// before returns a record of what stable runs, limited to what Promote changes.
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

// images returns the images that Promote sets, by container.
func (c Config) images(stable, source *appsv1.Deployment) map[string]string {
	if len(c.Images) > 0 {
		return c.Images
	}
	had, images := imagesOf(&stable.Spec.Template), imagesOf(&source.Spec.Template)
	maps.DeleteFunc(images, func(name, _ string) bool { _, ok := had[name]; return !ok })
	return images
}

// wrongImage says which container of d does not have its image in the Config; "" if all
// have.
func (c Config) wrongImage(d *appsv1.Deployment) string {
	has := imagesOf(&d.Spec.Template)
	for _, name := range sortedKeys(c.Images) {
		if has[name] != c.Images[name] {
			return fmt.Sprintf("container %s has image %q; this rollout is for %q", name, has[name], c.Images[name])
		}
	}
	return ""
}
