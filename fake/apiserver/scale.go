package apiserver

import (
	"fmt"
	"maps"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// scaleGroup and scaleVersion are those of the kind Scale.
const scaleGroup, scaleVersion = "autoscaling", "v1"

// scales stands for the subresource scale where documents are read. Its objects are never
// stored.
var scales = native(scaleGroup, "scales", "Scale", func() any { return new(autoscalingv1.Scale) }, resource{})

// scaleOf returns the Scale of a Deployment.
func scaleOf(tree map[string]any) ([]byte, error) {
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(tree, &d); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return encode(autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{Kind: scales.kind, APIVersion: scales.apiVersion(scaleVersion)},
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name, Namespace: d.Namespace, UID: d.UID,
			ResourceVersion: d.ResourceVersion, CreationTimestamp: d.CreationTimestamp,
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: *d.Spec.Replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: d.Status.Replicas, Selector: selector.String()},
	}), nil
}

// readScale reads the Scale in the body of an update, or the one that a patch makes.
func (s *Server) readScale(c Call, old entry) (map[string]any, error) {
	k := key{scales, old.namespace, old.name}
	c.version = scaleVersion
	if c.Verb == "update" {
		return s.document(k, c)
	}
	raw, err := scaleOf(old.tree)
	if err != nil {
		return nil, err
	}
	c.res = scales // a strategic merge patch is one of a Scale
	if raw, err = c.patched(raw); err != nil {
		return nil, err
	}
	return s.decode(k, raw, c)
}

// doScale writes the number of replicas of a Deployment through its subresource scale.
func (s *Server) doScale(c Call, old entry) (Answer, error) {
	scale, err := s.readScale(c, old)
	if err != nil {
		return Answer{}, err
	}
	replicas, _ := specMember(scale, "replicas").(int64) // 0 is left out
	if errs := apivalidation.ValidateNonnegativeField(replicas, field.NewPath("spec", "replicas")); len(errs) > 0 {
		return Answer{}, invalid(key{scales, old.namespace, old.name}, errs...)
	}
	meta := metadata(scale)
	if uid := text(meta, "uid"); uid != "" && uid != old.uid {
		return Answer{}, otherUID(old, uid)
	}
	if err := fresh(old, text(meta, "resourceVersion")); err != nil {
		return Answer{}, err
	}
	next := maps.Clone(old.tree)
	spec, ok := next["spec"].(map[string]any)
	if !ok {
		return Answer{}, fmt.Errorf("the object %s has no spec", old.name)
	}
	spec = maps.Clone(spec)
	spec["replicas"] = replicas
	next["spec"] = spec
	whole := c
	whole.Subresource = "" // a change of the spec, with a new generation
	o, err := s.replace(old, next, replacing{call: whole})
	if err != nil {
		return Answer{}, err
	}
	now, err := parse(o.raw)
	if err != nil {
		return Answer{}, err
	}
	raw, err := scaleOf(now)
	return Answer{Code: http.StatusOK, Body: raw}, err
}

// specMember returns a member of the spec of a document; nil if there is none.
func specMember(tree map[string]any, name string) any {
	spec, _ := tree["spec"].(map[string]any)
	return spec[name]
}
