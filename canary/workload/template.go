package workload

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// imagesOf returns the image of each container, including init containers. Container
// names are unique in a pod.
func imagesOf(t *corev1.PodTemplateSpec) map[string]string {
	images := map[string]string{}
	for _, list := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
		for i := range list {
			images[list[i].Name] = list[i].Image
		}
	}
	return images
}

// withImages returns a copy of t with the given images. It returns an error if there are
// no images, or if t lacks one of the containers.
func withImages(t *corev1.PodTemplateSpec, images map[string]string) (*corev1.PodTemplateSpec, error) {
	if len(images) == 0 {
		return nil, refused("it has no container with the name of a container of the canary")
	}
	has := imagesOf(t)
	for _, name := range sortedKeys(images) {
		if _, ok := has[name]; !ok {
			return nil, refused("it has no container %q for the image %q", name, images[name])
		}
	}
	t = t.DeepCopy()
	for _, list := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
		for i := range list {
			if image, ok := images[list[i].Name]; ok {
				list[i].Image = image
			}
		}
	}
	return t, nil
}

// relabelled returns a copy of t with the labels of another template. Labels say who
// selects the pods, so they are never copied from one version to the other.
func relabelled(t, labels *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	t = t.DeepCopy()
	t.Labels = maps.Clone(labels.Labels)
	return t
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
